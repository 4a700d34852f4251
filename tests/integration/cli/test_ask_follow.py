"""`causeway ask --follow` and `causeway feedback` as processes, over a real nats-server and a stand-in that answers."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from causeway.bus import Bus, Caller, Endpoint
from causeway.proto import streams, subjects
from causeway.proto.answers import Answer, Ask
from causeway.proto.documents import DocumentStatus, Residency, State
from causeway.proto.feedback import AnswerInvalidated, Change, Feedback, Verdict
from tests.support.answers_given import answer_of, given, keep
from tests.support.knowledge_builders import KB
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import SITE, bus, bus_to
from tests.support.site import CAUSEWAY, environment
from tests.support.waiting import until

__all__ = ["bus", "nats_server"]
pytestmark = pytest.mark.timeout(120)
END_S = 30.0
WATCHING = {"en": "Watching whether", "zh": "正在留意"}


@dataclass
class Command:
    """A running `causeway`, and what it has printed so far."""

    process: asyncio.subprocess.Process
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    readers: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def stdout(self) -> str:
        """So far."""
        return self.out.decode()

    @property
    def stderr(self) -> str:
        """So far."""
        return " ".join(self.err.decode().split())

    async def watching(self, language: str = "en") -> None:
        """Return once it says that it watches."""
        await until(lambda: WATCHING[language] in self.stderr or self.process.returncode is not None, END_S)
        assert self.process.returncode is None, self.stderr

    async def end(self) -> int:
        """Its exit code."""
        code = await asyncio.wait_for(self.process.wait(), END_S)
        await asyncio.gather(*self.readers)
        return code


@asynccontextmanager
async def causeway(server: NatsServer, *arguments: str) -> AsyncIterator[Command]:
    """A command at the site; killed at the end of the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        str(CAUSEWAY),
        *arguments,
        "--url",
        server.url,
        "--site",
        SITE,
        env=environment() | {"PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    command = Command(process)
    for stream, into in ((process.stdout, command.out), (process.stderr, command.err)):
        assert stream is not None
        command.readers.append(asyncio.create_task(_read(stream, into)))
    try:
        yield command
    finally:
        if process.returncode is None:
            process.kill()
        await command.end()


async def _read(stream: asyncio.StreamReader, into: bytearray) -> None:
    while piece := await stream.read(4096):
        into += piece


@asynccontextmanager
async def answering(bus: Bus, server: NatsServer, answer: Callable[[Ask], Answer]) -> AsyncIterator[None]:
    """A kb that is there, and a stand-in for edge-inference."""
    status = DocumentStatus(
        kb=KB, document_id="leave.md", revision=1, state=State.SEARCHABLE, service="test", at_unix_ms=1
    )
    await bus.publish(subjects.STATUS.at(SITE, KB, "aa"), status, msg_id="status")

    async def handle(_caller: Caller, ask: Ask) -> Answer:
        return answer(ask)

    endpoint = Endpoint(name="ask", subject=subjects.ASK.at(SITE), handler=handle, request_type=Ask)
    async with bus_to(server, "edge-inference") as own:
        serving = own.serve("edge-inference", "0.1.0", "stand-in", [endpoint])
        await asyncio.wait_for(serving.ready.wait(), END_S)
        yield


async def invalidate(bus: Bus, answer_id: str, change: Change = Change.REVISED, origin: str = "") -> None:
    """As edge-inference does."""
    told = AnswerInvalidated(
        answer_id=answer_id,
        kb=KB,
        change=change,
        document_id="leave.md",
        origin=origin,
        revision=2,
        at_unix_ms=1,
    )
    await bus.publish(subjects.INVALIDATED.at(SITE, KB), told, msg_id=f"{answer_id}:leave.md:2")


ASK = ("ask", "How many days of leave?", "--kb", KB, "--no-stream", "--follow")


async def test_a_follower_hears_of_its_answer_only_and_ends(bus: Bus, nats_server: NatsServer) -> None:
    async with answering(bus, nats_server, lambda _: answer_of("a1")), causeway(nats_server, *ASK) as command:
        await command.watching()
        assert "answer a1" in command.stdout
        await invalidate(bus, "a2")
        await invalidate(bus, "a1", origin="hub")
        assert await command.end() == 0, command.stderr
    assert command.stdout.count("may be wrong now") == 1
    assert "hub/leave.md has changed (revision 2)" in command.stdout


async def test_it_is_told_in_the_language_of_the_question(bus: Bus, nats_server: NatsServer) -> None:
    arguments = ("ask", "年假有几天？", "--kb", KB, "--no-stream", "--follow")
    answer = answer_of("a1", language="zh", text="十二天")
    async with answering(bus, nats_server, lambda _: answer), causeway(nats_server, *arguments) as command:
        await command.watching("zh")
        await invalidate(bus, "a1", Change.DELETED)
        assert await command.end() == 0
    assert "此回答现在可能不再正确：leave.md 已删除（修订 2）" in command.stdout


async def test_the_label_and_the_tenant_of_a_question_go_with_it(bus: Bus, nats_server: NatsServer) -> None:
    asked: list[Ask] = []

    def answer(ask: Ask) -> Answer:
        asked.append(ask)
        return answer_of("a1")

    arguments = ("ask", "Why?", "--kb", KB, "--no-stream", "--residency", "internal", "--tenant", "north")
    async with answering(bus, nats_server, answer), causeway(nats_server, *arguments) as command:
        assert await command.end() == 0, command.stderr
    assert [(ask.residency, ask.tenant) for ask in asked] == [(Residency.INTERNAL, "north")]


async def test_what_changes_between_the_answer_and_the_watch_is_not_missed(bus: Bus, nats_server: NatsServer) -> None:
    loop = asyncio.get_running_loop()

    def answer(_ask: Ask) -> Answer:
        told.append(loop.create_task(invalidate(bus, "a1", Change.REPLACED)))
        return answer_of("a1")

    told: list[asyncio.Task[None]] = []
    async with answering(bus, nats_server, answer), causeway(nats_server, *ASK) as command:
        assert await command.end() == 0
    assert "leave.md (revision 2) gave way to another version" in command.stdout
    assert len(told) == 1


async def test_a_client_that_was_away_comes_back_by_the_id_and_hears_at_once(bus: Bus, nats_server: NatsServer) -> None:
    await keep(bus, given("a1", language="zh", question="年假有几天？"))
    await invalidate(bus, "a1")
    async with causeway(nats_server, "ask", "--follow", "--answer", "a1") as command:
        assert await command.end() == 0, command.stderr
    assert "年假有几天？" in command.stdout
    assert "leave.md 已修订（修订 2）" in command.stdout


async def test_a_server_that_went_and_came_back_is_followed_on(bus: Bus, nats_server: NatsServer) -> None:
    await keep(bus, given("a1"))
    async with causeway(nats_server, "ask", "--follow", "--answer", "a1", "--kb", KB, "--json") as command:
        await command.watching()
        await nats_server.restart()
        await invalidate(bus, "a1")
        assert await command.end() == 0, command.stderr
    told = json.loads(command.stdout)
    assert (told["answer_id"], told["change"], told["revision"]) == ("a1", "revised", 2)


async def test_ctrl_c_ends_the_watch_cleanly_and_says_how_to_come_back(bus: Bus, nats_server: NatsServer) -> None:
    async with answering(bus, nats_server, lambda _: answer_of("a1")), causeway(nats_server, *ASK) as command:
        await command.watching()
        command.process.send_signal(signal.SIGINT)
        assert await command.end() == 0, command.stderr
    assert "Traceback" not in command.stderr
    assert "causeway ask --follow --answer a1" in command.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ask", "--follow", "--answer", "nowhere"), "no answer 'nowhere' is kept"),
        (("ask", "--answer", "a1"), "causeway ask --follow --answer ID"),
        (("ask", "Why?", "--follow", "--answer", "a1", "--kb", KB), "without a question"),
        (("ask", "Why?"), "no knowledge base is named"),
        (("feedback", "nowhere", "wrong"), "no answer 'nowhere' is kept"),
        (("feedback", "a1", "right", "--corrected", "x"), "needs no correction"),
        (("feedback", "a1", "wrong", "--corrected", "x" * 20_001), "publish a document"),
        (("feedback", "anns", "wrong"), "--asker"),
        (("feedback", "anns", "wrong", "--asker", "bob"), "given to somebody else"),
    ],
)
async def test_what_can_not_be_done_is_said_with_the_mend(
    bus: Bus, nats_server: NatsServer, arguments: tuple[str, ...], words: str
) -> None:
    await keep(bus, given("a1"), given("anns", asker="ann"))
    async with causeway(nats_server, *arguments) as command:
        assert await command.end() == 2, command.stdout
    assert words in command.stderr
    assert "Traceback" not in command.stderr


async def test_feedback_is_kept_with_its_correction_and_thanked_for_in_the_language(
    bus: Bus, nats_server: NatsServer
) -> None:
    await keep(bus, given("a1"), given("a2", language="zh", asker="ann"))
    for arguments, words in (
        (("a1", "right"), "noted as right"),
        (("a2", "wrong", "--corrected", "十五天", "--asker", "ann"), "已记为错误，并记下您的更正"),
    ):
        async with causeway(nats_server, "feedback", *arguments) as command:
            assert await command.end() == 0, command.stderr
        assert words in command.stdout
    said = [delivery.message async for delivery in bus.scan(streams.FEEDBACK.name, [])]
    assert said == [
        Feedback(answer_id="a1", kb=KB, verdict=Verdict.RIGHT),
        Feedback(answer_id="a2", kb=KB, verdict=Verdict.CORRECTED, corrected_text="十五天", asker="ann"),
    ]
