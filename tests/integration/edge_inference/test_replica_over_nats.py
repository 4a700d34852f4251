"""Replicas over a real nats-server: what is published becomes searchable, restarts resume, deletes propagate."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from causeway.bus import Bus, ProblemReply
from causeway.bus.streams import declare
from causeway.edge_inference.errors import GenerationError
from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.ports import Prompt
from causeway.edge_inference.service import Service
from causeway.edge_inference.settings import Settings
from causeway.proto import subjects
from causeway.proto.answers import Answer, AnswerPart, Ask, Author, PartKind, SearchMode
from causeway.proto.documents import State
from tests.support.hashed_encoder import HashedEncoder
from tests.support.knowledge_builders import KB, KEK, chunk_id, open_vault
from tests.support.knowledge_log import chunk_entry, document_entries, manifest_entry, publish
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import BOUND_S, QUESTION, SITE, TEXTS, ask, bus, replica, search, searchable
from tests.support.waiting import until

__all__ = ["bus", "nats_server"]


async def test_a_published_document_is_found_cited_and_told_of(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, revision=7))
        await searchable(bus, "leave.pdf", 7)
        for mode in SearchMode:
            result = await search(bus, mode=mode)
            best = result.passages[0]
            assert (best.document_id, best.revision, best.chunk_id) == ("leave.pdf", 7, chunk_id(TEXTS[0]))
            assert (best.page, best.heading, best.title, best.quote) == (1, "Leave", "Handbook", TEXTS[0])
            assert result.epoch == {SITE: 3}
        answer = await ask(bus)
        assert answer.citations[0].chunk_id == chunk_id(TEXTS[0])
        assert answer.epoch == {SITE: 3}
        assert {"wait", "encode", "search", "open", "rank", "encode_lines", "read", "judge", "cite", "total"} <= set(
            answer.latency_ms
        )


async def test_a_restart_reads_only_what_came_since(bus: Bus, nats_server: NatsServer, tmp_path: Path) -> None:
    async with replica(nats_server, tmp_path / "vault") as first:
        await publish(
            bus, *(entry for n in range(30) for entry in document_entries(SITE, f"d{n}", [f"text {n}"], n + 1))
        )
        await searchable(bus, "d29", 30)
        assert first.registry.get_sample_value("causeway_edge_inference_log_entries_total") == 60
    await publish(bus, *document_entries(SITE, "late", ["something that came late"], 31))
    async with replica(nats_server, tmp_path / "vault") as second:
        await searchable(bus, "late", 31)
        assert second.registry.get_sample_value("causeway_edge_inference_log_entries_total") == 2
        assert len((await search(bus, "text 7", SearchMode.LEXICAL)).passages) == 10
        (late, *_) = (await search(bus, "something that came late")).passages
        assert late.document_id == "late"


async def test_a_tombstone_removes_the_document_everywhere(bus: Bus, nats_server: NatsServer, tmp_path: Path) -> None:
    async with replica(nats_server, tmp_path / "vault", dropped_after_s=0) as service:
        await publish(bus, *document_entries(SITE, "keep", ["The gate opens at seven."], 1))
        await publish(bus, *document_entries(SITE, "gone", TEXTS, 2))
        await searchable(bus, "gone", 2)
        await publish(bus, manifest_entry(SITE, "gone", [], 3, deleted=True))
        await searchable(bus, "gone", 3, State.DELETED)
        result = await search(bus)
        assert [passage.document_id for passage in result.passages] == ["keep"]
        await until(lambda: service.replica.vault.counts() == (1, 1))
        names = [
            subjects.KNOWLEDGE_CHUNK.at(SITE, KB, chunk_id(text).hex()) for text in (*TEXTS, "The gate opens at seven.")
        ]
        assert await bus.exists_many(subjects.KNOWLEDGE_CHUNK.stream, names) == {names[2]}


async def test_a_chunk_published_again_for_a_manifest_still_to_come_is_not_swept(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault", dropped_after_s=0) as service:
        await publish(bus, *document_entries(SITE, "a", TEXTS, 1))
        await searchable(bus, "a", 1)
        await publish(bus, chunk_entry(SITE, TEXTS[0], salt="for b"))
        await publish(bus, manifest_entry(SITE, "a", [], 2, deleted=True))
        await searchable(bus, "a", 2, State.DELETED)
        await until(lambda: service.replica.vault.counts() == (1, 0))
        await publish(bus, manifest_entry(SITE, "b", TEXTS[:1], 3))
        await searchable(bus, "b", 3)
        assert (await search(bus)).passages[0].document_id == "b"


async def test_replicas_with_vaults_of_their_own_share_the_asks(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
    async with replica(nats_server, tmp_path / "one") as one, replica(nats_server, tmp_path / "two") as two:
        replies = await asyncio.gather(*(search(bus) for _ in range(40)))
        assert all(reply.passages[0].document_id == "leave.pdf" for reply in replies)
        served = [
            service.registry.get_sample_value("causeway_edge_inference_asks_total", {"kb": KB, "outcome": "searched"})
            for service in (one, two)
        ]
        assert sum(count or 0 for count in served) == 40
        assert all(served), served


async def test_a_chunk_that_the_vault_lacks_is_read_from_the_log(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault") as service:
        await publish(bus, chunk_entry(SITE, TEXTS[0]))
        await until(lambda: service.replica.vault.counts() == (1, 0))
        vault = service.replica.vault
        vault.remove_idle(vault.idle_chunks(dropped_before_ms=0, pending_before_ms=1 << 60, limit=9))
        assert vault.counts() == (0, 0)
        await publish(bus, manifest_entry(SITE, "a", TEXTS[:1], 1))
        await searchable(bus, "a", 1)
        assert (await search(bus)).passages[0].quote == TEXTS[0]


async def test_bad_requests_get_a_typed_problem_with_the_mend(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
        await searchable(bus, "leave.pdf", 1)
        with pytest.raises(ProblemReply) as unknown:
            await ask(bus, kb="elsewhere")
        assert unknown.value.problem.code == "unknown_kb"
        assert KB in unknown.value.problem.mend
        with pytest.raises(ProblemReply) as empty:
            await ask(bus, "   ")
        assert empty.value.problem.code == "empty_question"
        with pytest.raises(ProblemReply) as long:
            await ask(bus, "x" * 2_001)
        assert "question" in long.value.problem.message
        with pytest.raises(ProblemReply) as wrong:
            await bus.request(subjects.ASK.at(SITE, "elsewhere"), Ask(kb=KB, question=QUESTION), Answer, BOUND_S)
        assert wrong.value.problem.code == "wrong_subject"


async def test_an_ask_that_can_not_be_answered_by_its_deadline_is_told_so(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault") as service:
        await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
        await searchable(bus, "leave.pdf", 1)
        free = threading.Event()
        busy = [service._asks.submit(free.wait, BOUND_S) for _ in range(8)]
        try:
            with pytest.raises(ProblemReply) as late:
                await bus.request(
                    subjects.ASK.at(SITE, KB), Ask(kb=KB, question=QUESTION, deadline_ms=50), Answer, BOUND_S
                )
        finally:
            free.set()
        assert all(work.result(BOUND_S) for work in busy)
        assert late.value.problem.code == "deadline"
        assert late.value.problem.retryable


class Scripted:
    """A generator that says what it is told to."""

    model_name = "scripted"

    def __init__(self, *pieces: str, failure: str = "") -> None:
        self._pieces = pieces
        self._failure = failure

    async def generate(self, prompt: Prompt, *, timeout_s: float) -> AsyncGenerator[str, None]:
        assert prompt.passages
        for piece in self._pieces:
            yield piece
        if self._failure:
            raise GenerationError(reason=self._failure)

    async def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def convinced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped judge was fitted on another encoder; these tests are not about its judgement."""
    from causeway.retrieval import Verdict

    verdict = Verdict(probability=0.9, answers=True)
    monkeypatch.setattr("causeway.edge_inference.finding.judge", lambda *_: verdict)


async def parts_of(bus: Bus, *, generate: bool = True) -> list[AnswerPart]:
    request = Ask(kb=KB, question=QUESTION, stream=True, generate=generate)
    return [part async for part in bus.request_stream(subjects.ASK.at(SITE, KB), request, AnswerPart)]


@pytest.mark.usefixtures("convinced")
async def test_a_streamed_answer_is_instant_first_and_then_worded_by_the_model(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
    async with replica(nats_server, tmp_path / "vault", generator=Scripted("twelve", " days")):
        parts = await parts_of(bus)
        assert [part.kind for part in parts] == [PartKind.INSTANT, PartKind.TOKEN, PartKind.TOKEN, PartKind.FINAL]
        assert [part.index for part in parts] == [0, 1, 2, 3]
        instant, final = parts[0].answer, parts[-1].answer
        assert instant is not None
        assert final is not None
        assert instant.written_by is Author.EXTRACT
        assert TEXTS[0] in instant.text
        assert (final.text, final.written_by, final.model) == ("twelve days", Author.MODEL, "scripted")
        assert final.sentences == instant.sentences
        assert "generate" in final.latency_ms
        assert [part.kind for part in await parts_of(bus, generate=False)] == [PartKind.INSTANT, PartKind.FINAL]
        assert (await ask(bus)).text == "twelve days"


@pytest.mark.usefixtures("convinced")
@pytest.mark.parametrize(
    ("generator", "reason"),
    [
        (Scripted("twelve", failure="its process ended"), "its process ended"),
        (Scripted("Seventeen dragons guard Atlantis"), "set aside"),
        (Scripted(), "wrote nothing"),
    ],
    ids=["it fails", "it invents", "it is silent"],
)
async def test_the_extract_stands_when_the_model_does_not(
    bus: Bus, nats_server: NatsServer, tmp_path: Path, generator: Scripted, reason: str
) -> None:
    await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
    async with replica(nats_server, tmp_path / "vault", generator=generator):
        answer = await ask(bus)
    assert answer.written_by is Author.EXTRACT
    assert TEXTS[0] in answer.text
    assert reason in answer.reason
    assert not answer.abstained


async def test_a_question_about_nothing_that_is_held_is_refused_with_the_closest_passages(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    await publish(bus, *document_entries(SITE, "leave.pdf", [*TEXTS, "食堂中午供应午餐。"], 1))
    async with replica(nats_server, tmp_path / "vault", generator=Scripted("I know everything")):
        english = await ask(bus, "What is the boiling point of tungsten?")
        chinese = await ask(bus, "钨的沸点是多少？")
    for answer, word, reason in ((english, "Nothing", "not supported"), (chinese, "没有找到", "依据不足")):
        assert answer.abstained
        assert word in answer.text
        assert answer.reason.startswith(reason)
        assert answer.sentences == []
        assert answer.written_by is Author.EXTRACT
    assert english.citations


async def test_the_service_is_discoverable(bus: Bus, nats_server: NatsServer, tmp_path: Path) -> None:
    async with replica(nats_server, tmp_path / "vault"):
        reply = await bus.client.request("$SRV.INFO.edge-inference", b"", timeout=BOUND_S)
        for word in (
            b'"name": "edge-inference"',
            b"site.branch-1.ask.*",
            b"site.branch-1.search.*",
            b'"site": "branch-1"',
        ):
            assert word.replace(b" ", b"") in reply.data.replace(b" ", b"")
        assert (await bus.client.request("$SRV.PING.edge-inference", b"", timeout=BOUND_S)).data
        await search_nothing(bus)
        stats = await bus.client.request("$SRV.STATS.edge-inference", b"", timeout=BOUND_S)
        assert b'"num_requests"' in stats.data


async def search_nothing(bus: Bus) -> None:
    """A request that is counted."""
    with pytest.raises(ProblemReply):
        await search(bus)


async def test_a_replica_is_not_asked_before_it_has_caught_up(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    folder = tmp_path / "vault"
    await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
    async with replica(nats_server, folder) as service:
        assert service.not_ready() == ""
    settings = Settings(site=SITE, nats_url=nats_server.url, vault_dir=folder, metrics_port=-1, index="exact")
    encoder = HashedEncoder()
    waiting = Service(
        settings,
        vault=open_vault(folder, clock_ms=None),
        kek=KEK,
        encoder=encoder,
        successor=lambda: ExactIndex(encoder.dims),
    )
    nats_server.freeze()
    starting = asyncio.create_task(waiting.__aenter__())
    await until(lambda: hasattr(waiting, "following"))
    assert "catching up" in waiting.not_ready()
    nats_server.thaw()
    await asyncio.wait_for(starting, BOUND_S)
    await asyncio.wait_for(waiting.caught_up.wait(), BOUND_S)
    await asyncio.wait_for(waiting.serving.ready.wait(), BOUND_S)
    assert waiting.not_ready() == ""
    await waiting.__aexit__(None, None, None)


async def test_a_knowledge_base_that_begins_after_the_start_gets_its_index_too(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault") as service:
        await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1, kb="late"))
        await searchable(bus, "leave.pdf", 1, kb="late")
        index = service.replica.indexes.of("late")
        assert index is not None
        await until(lambda: not index.dense.exact)
        await publish(bus, *document_entries(SITE, "second", ["The gate opens at seven."], 2, kb="late"))
        await searchable(bus, "second", 2, kb="late")
        found = await search(bus, "When does the gate open?", SearchMode.DENSE, kb="late")
        assert found.passages[0].document_id == "second"


async def test_an_ask_does_not_wait_for_work_on_the_vault_and_the_indexes(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
    async with replica(nats_server, tmp_path / "vault") as service:
        release = threading.Event()
        held = service.run_on_storage(lambda: release.wait(BOUND_S))
        try:
            assert (await search(bus)).passages[0].document_id == "leave.pdf"
            assert not held.done()
        finally:
            release.set()
            await held


async def test_a_replica_goes_on_after_the_server_was_killed(bus: Bus, nats_server: NatsServer, tmp_path: Path) -> None:
    async with replica(nats_server, tmp_path / "vault") as service:
        await publish(bus, *document_entries(SITE, "before", TEXTS[:1], 1))
        await searchable(bus, "before", 1)
        await nats_server.restart()
        await publish(bus, *document_entries(SITE, "after", TEXTS[1:], 2))
        await searchable(bus, "after", 2)
        await until(lambda: service.not_ready() == "")
        assert {passage.document_id for passage in (await search(bus)).passages} == {"before", "after"}


async def test_a_log_that_was_made_anew_is_read_from_its_start_and_what_is_held_stays(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, *document_entries(SITE, "old", TEXTS[:1], 10))
        await searchable(bus, "old", 10)
    await bus.broker.js.delete_stream(subjects.KNOWLEDGE_CHUNK.stream)
    await declare(bus, fresh=False)
    await publish(bus, *document_entries(SITE, "new", TEXTS[1:], 20))
    async with replica(nats_server, tmp_path / "vault") as service:
        await searchable(bus, "new", 20)
        assert service.replica.vault.state.generation == 1
        assert {passage.document_id for passage in (await search(bus)).passages} == {"old", "new"}


async def test_answers_say_so_while_terms_are_still_being_indexed(
    bus: Bus, nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(nats_server, tmp_path / "vault"):
        await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
        await searchable(bus, "leave.pdf", 1)
    (tmp_path / "vault" / "lexical-1.snapshot").unlink()
    monkeypatch.setattr("causeway.edge_inference.replica.BEHIND_AT_START_MAX", 0)
    monkeypatch.setattr("causeway.edge_inference.replica.CUT_PER_STEP", 0)
    async with replica(nats_server, tmp_path / "vault") as service:
        answer = await ask(bus)
        assert answer.citations[0].chunk_id == chunk_id(TEXTS[0])
        assert answer.features["terms_behind"] == 1.0
        assert "the lexical index is being built: 2 of 2 chunks to go" in answer.reason
        assert (await search(bus, mode=SearchMode.DENSE)).passages[0].document_id == "leave.pdf"
        with pytest.raises(ProblemReply) as refused:
            await search(bus)
        assert refused.value.problem.code == "terms_behind"
        assert refused.value.problem.retryable
        monkeypatch.setattr("causeway.edge_inference.replica.CUT_PER_STEP", 1)
        await until(lambda: service.replica.indexes.behind == 0)
        assert "terms_behind" not in (await ask(bus)).features
        assert len((await search(bus)).passages) == 1


async def test_a_copy_of_the_terms_is_written_while_the_service_runs(
    bus: Bus, nats_server: NatsServer, tmp_path: Path
) -> None:
    path = tmp_path / "vault" / "lexical-1.snapshot"
    async with replica(nats_server, tmp_path / "vault") as service:
        await publish(bus, *document_entries(SITE, "leave.pdf", TEXTS, 1))
        await searchable(bus, "leave.pdf", 1)
        await until(path.exists)
        name = "causeway_edge_inference_snapshot_bytes"
        await until(lambda: service.registry.get_sample_value(name, {"kb": KB}) == path.stat().st_size)
        assert service.registry.get_sample_value("causeway_edge_inference_snapshot_age_seconds", {"kb": KB}) is not None
        await publish(bus, *document_entries(SITE, "gate", ["The gate opens at seven."], 2))
        await searchable(bus, "gate", 2)
        before = path.read_bytes()
    assert path.read_bytes() != before
