"""The scheduler against hubs of every kind, in virtual time: when the reply comes, what it is, and what it says."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

import pytest

from causeway.breaker import Phase, Rule
from causeway.edge_inference.scheduling import SchedulingRule
from causeway.edge_inference.scheduling_ports import CacheLook, CloudFailed
from causeway.proto.answers import Ask, Author, PartKind, Route
from causeway.proto.cloud import Refusal
from causeway.proto.documents import Residency
from tests.support.scheduling_desk import LOCAL_TEXT, Books, Desk, Given, ScriptedCache, Sure, Writer, local_answer
from tests.support.scripted_cloud import (
    TEXT,
    ScriptedCloud,
    Step,
    accepted,
    citation,
    final,
    refused,
    streamed,
    token,
)
from tests.support.virtual_time import JumpingLoop, elapse, run_virtually

NEAR_S = 0.001


def given(script: list[Step], *, desk: dict[str, Any] | None = None, **ask: Any) -> tuple[Given, ScriptedCloud, Desk]:
    """One question to a site whose hub does this."""
    cloud = ScriptedCloud([script])

    async def run(loop: JumpingLoop) -> tuple[Given, Desk]:
        site = Desk(loop, cloud, **(desk or {}))
        reply = await site.ask(**ask)
        await site.settled()
        return reply, site

    reply, site = run_virtually(run)
    return reply, cloud, site


def test_an_answer_of_the_cloud_says_everything_about_itself() -> None:
    reply, cloud, site = given(streamed(0.2))
    answer = reply.answer
    assert reply.told == (Route.CLOUD, "unsure")
    assert (answer.text, answer.written_by, answer.model) == (TEXT, Author.MODEL, "big-model")
    assert (answer.prompt_tokens, answer.completion_tokens, answer.cost_usd, answer.watt_hours) == (300, 12, 0.002, 0.1)
    assert (answer.confidence, answer.calibrated, answer.promise) == (1.0, False, 0.0)
    assert (answer.residency, answer.epoch, answer.reason) == (Residency.PUBLIC, {"branch-1": 7}, "")
    assert answer.hub_seq == 99
    assert [one.origin for one in answer.citations] == ["hub"]
    assert answer.latency_ms["cloud_first_token"] == pytest.approx(200, abs=1)
    assert answer.latency_ms["cloud"] == pytest.approx(240, abs=1)
    assert "local" in answer.latency_ms
    assert [part.kind for part in reply.parts] == [PartKind.INSTANT, PartKind.TOKEN, PartKind.TOKEN, PartKind.FINAL]
    assert [part.index for part in reply.parts] == [0, 1, 2, 3]
    assert reply.tokens == "Every employee has twelve"
    assert {part.answer.answer_id for part in reply.parts if part.answer} == {cloud.asked[0].ask_id}
    assert site.value("routes_total", kb="handbook", route="cloud", reason="unsure") == 1.0


def test_the_hub_hears_what_is_left_of_the_time() -> None:
    _, cloud, _ = given(streamed(0.1), deadline_ms=2_000, passages_max=3, tenant="a")
    asked = cloud.asked[0]
    assert (asked.deadline_ms, asked.first_token_ms, asked.passages_max, asked.tenant) == (1_950, 500, 3, "a")


def test_this_sites_own_documents_are_its_own_in_the_clouds_citations() -> None:
    steps: list[Step] = [(0.1, final(citations=[citation("branch-1"), citation("branch-2")]))]
    reply, _, _ = given(steps)
    assert [one.origin for one in reply.answer.citations] == ["", "branch-2"]


def test_a_text_that_its_citations_do_not_bear_has_little_confidence() -> None:
    steps: list[Step] = [(0.1, final(text="Bananas grow on trees near Paris and twelve days [1]."))]
    reply, _, _ = given(steps)
    assert 0.0 < reply.answer.confidence < 0.5


@pytest.mark.parametrize(
    ("first_s", "route", "reason", "took_s"),
    [
        (0.2, Route.CLOUD, "unsure", 0.24),
        (0.5, Route.FALLBACK, "cloud_slow", 0.5),
        (2.0, Route.FALLBACK, "cloud_slow", 0.5),
    ],
)
def test_a_hub_that_is_slow_to_begin_has_the_hedge_and_no_longer(
    first_s: float, route: Route, reason: str, took_s: float
) -> None:
    reply, cloud, site = given(streamed(first_s))
    assert reply.told == (route, reason)
    assert reply.took_s == pytest.approx(took_s, abs=NEAR_S)
    assert cloud.closed_early == (route is Route.FALLBACK)
    assert site.value("cloud_asks_total", outcome="answered" if route is Route.CLOUD else "cloud_slow") == 1.0


def test_a_hub_that_is_gone_costs_the_hedge_and_no_reply() -> None:
    reply, _, _ = given([])
    assert reply.told == (Route.FALLBACK, "cloud_slow")
    assert reply.answer.text == LOCAL_TEXT
    assert reply.answer.reason == "the hub's first word did not come in time"
    assert reply.took_s == pytest.approx(0.5, abs=NEAR_S)


def test_a_hub_that_nobody_serves_costs_nothing() -> None:
    reply, _, _ = given([(0.005, CloudFailed(CloudFailed.UNREACHABLE))])
    assert reply.told == (Route.FALLBACK, "cloud_unreachable")
    assert reply.took_s < 0.01


DIES: dict[str, tuple[list[Step], str, float]] = {
    "the engine dies": ([(0.1, CloudFailed(CloudFailed.BROKEN, "engine_down"))], "cloud_broken", 0.2),
    "it ends without an end": ([(0.1, CloudFailed(CloudFailed.BROKEN))], "cloud_broken", 0.2),
    "garbage": ([(0.1, CloudFailed(CloudFailed.GARBAGE))], "cloud_garbage", 0.2),
    "it stalls": ([(60.0, final())], "cloud_stalled", 2.1),
    "a fault of our own": ([(0.1, ValueError("a bug"))], "cloud_broken", 0.2),
}


@pytest.mark.parametrize("name", DIES)
def test_what_dies_in_the_middle_of_its_answer_ends_with_the_local_one_and_says_why(name: str) -> None:
    rest, reason, took_s = DIES[name]
    reply, _, _ = given([(0.0, accepted()), (0.1, token(1, "Every ")), *rest])
    assert reply.told == (Route.FALLBACK, reason)
    assert reply.tokens == "Every ", "what was seen of it"
    assert (reply.answer.text, reply.parts[-1].text) == (LOCAL_TEXT, LOCAL_TEXT)
    assert reply.answer.reason
    assert reply.took_s == pytest.approx(took_s, abs=NEAR_S)


def test_a_reason_in_chinese_for_a_chinese_answer() -> None:
    reply, _, _ = given([], local=local_answer(language="zh", text="手册中有休假规定。"))
    assert reply.answer.reason == "中心的首个字未能按时到达"


def test_a_stream_that_goes_on_and_on_ends_at_the_deadline_less_the_margin() -> None:
    steps: list[Step] = [(0.0, accepted()), *[(0.1, token(number, "on ")) for number in range(1, 90)]]
    reply, cloud, _ = given(steps, deadline_ms=2_000)
    assert reply.told == (Route.FALLBACK, "cloud_late")
    assert reply.took_s == pytest.approx(1.95, abs=NEAR_S)
    assert cloud.closed_early == 1


def test_a_short_deadline_shortens_the_hedge() -> None:
    reply, cloud, _ = given([], deadline_ms=300)
    assert reply.told == (Route.FALLBACK, "cloud_slow")
    assert reply.took_s == pytest.approx(0.25, abs=NEAR_S)
    assert cloud.asked[0].first_token_ms == 250


def test_where_there_is_no_time_the_cloud_is_not_asked() -> None:
    reply, cloud, _ = given(streamed(0.01), deadline_ms=90)
    assert reply.told == (Route.EDGE, "no_time")
    assert cloud.asked == []


@pytest.mark.parametrize("code", list(Refusal))
def test_a_refusal_gives_the_local_answer_at_once(code: Refusal) -> None:
    reply, _, _ = given(refused(code))
    names = {
        Refusal.DEADLINE: "refused_deadline",
        Refusal.BUSY: "refused_busy",
        Refusal.ENGINE: "refused_engine",
        Refusal.PAUSED: "refused_paused",
        Refusal.UNKNOWN_KB: "refused_unknown_kb",
    }
    assert reply.told == (Route.FALLBACK, names.get(code, "refused"))
    assert reply.took_s == pytest.approx(0.01, abs=NEAR_S)


@pytest.mark.parametrize(
    ("changes", "reason"), [({"abstained": True}, "cloud_abstained"), ({"citations": []}, "cloud_uncited")]
)
def test_a_cloud_without_an_answer_or_citations_leaves_the_local_one_and_its_bill(
    changes: dict[str, Any], reason: str
) -> None:
    reply, _, _ = given([(0.1, final(**changes))])
    assert reply.told == (Route.FALLBACK, reason)
    assert (reply.answer.text, reply.answer.cost_usd, reply.answer.prompt_tokens) == (LOCAL_TEXT, 0.002, 300)


def test_a_sure_local_answer_asks_nobody_and_makes_its_promise() -> None:
    reply, cloud, _ = given(streamed(0.1), desk={"sure": Sure(probability=0.9)})
    assert reply.told == (Route.EDGE, "confident")
    assert (reply.answer.confidence, reply.answer.calibrated, reply.answer.promise) == (0.9, True, 0.85)
    assert (cloud.asked, reply.took_s) == ([], 0.0)


def test_an_answer_below_the_threshold_promises_nothing() -> None:
    reply, _, _ = given([], desk={"budget": "spent"})
    assert (reply.told, reply.answer.promise) == ((Route.EDGE, "budget"), 0.0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"residency": Residency.RESTRICTED}, "restricted"),
        ({"residency": Residency.INTERNAL}, "internal"),
        ({"cloud": False}, "not_wanted"),
    ],
)
def test_what_may_not_leave_asks_nobody_and_is_not_audited(changes: dict[str, Any], reason: str) -> None:
    reply, cloud, site = given(streamed(0.1), **changes)
    assert reply.told == (Route.EDGE, reason)
    assert cloud.asked == []
    assert site.books.considered == []
    assert len(site.books.given_to) == 1


def test_without_a_link_every_question_stays() -> None:
    async def run(loop: JumpingLoop) -> Given:
        return await Desk(loop, None).ask()

    assert run_virtually(run).told == (Route.EDGE, "no_link")


def test_a_link_that_is_down_asks_nobody() -> None:
    cloud = ScriptedCloud([streamed(0.1)], connected=False)

    async def run(loop: JumpingLoop) -> Given:
        return await Desk(loop, cloud).ask()

    assert run_virtually(run).told == (Route.EDGE, "no_link")
    assert cloud.asked == []


def earlier() -> CacheLook:
    kept = local_answer(answer_id="old", text=TEXT, route=Route.CLOUD, cost_usd=0.5, epoch={"branch-1": 3}, hub_seq=99)
    return CacheLook(answer=kept, similarity=0.97)


def test_a_cached_answer_goes_before_all_and_costs_nothing() -> None:
    reply, cloud, site = given(streamed(0.1), desk={"cache": ScriptedCache([earlier()]), "sure": Sure(1.0)})
    answer = reply.answer
    assert reply.told == (Route.CACHE, "cached")
    assert (answer.text, answer.cost_usd, answer.epoch, cloud.asked) == (TEXT, 0.0, {"branch-1": 7}, [])
    assert answer.hub_seq == 99, "when the hub made it"
    assert answer.answer_id.startswith("old.")
    assert {part.answer.answer_id for part in reply.parts if part.answer} == {answer.answer_id}
    assert answer.features["cache_similarity"] == 0.97
    assert site.cache.kept == []


def test_an_asker_who_takes_no_cached_answer_does_not_get_one() -> None:
    reply, _, site = given(streamed(0.1), desk={"cache": ScriptedCache([earlier()])}, cache=False)
    assert reply.told == (Route.CLOUD, "unsure")
    assert site.cache.looked == 0


def test_what_was_answered_for_another_meanwhile_stands_for_a_cloud_that_failed() -> None:
    reply, _, site = given([], desk={"cache": ScriptedCache([CacheLook(), earlier()])})
    assert reply.told == (Route.CACHE, "cached")
    # The second look says that it is one, so that an ask is not counted twice.
    assert site.cache.again == [False, True]


def test_after_the_reply_the_ledger_has_it_and_the_cache_what_the_cloud_said() -> None:
    reply, _, site = given(streamed(0.1))
    [(kept, cited)] = site.books.given_to
    assert kept == reply.answer
    assert [(one.origin, one.document_id, one.revision) for one in cited] == [("hub", "leave.pdf", 4)]
    assert site.cache.kept == [reply.answer]
    assert site.books.considered == []


def test_an_answer_that_the_deadline_cut_short_is_given_with_its_reason_and_not_kept_for_others() -> None:
    cut: list[Step] = [(0.1, final(finish_reason="abort", reason="the deadline ended it"))]
    reply, _, site = given(cut)
    assert (reply.told, reply.answer.reason) == ((Route.CLOUD, "unsure"), "the deadline ended it")
    assert (len(site.books.given_to), site.cache.kept) == (1, [])


def test_local_answers_to_public_questions_are_offered_for_audit() -> None:
    reply, _, site = given([], desk={"sure": Sure(probability=0.9)})
    assert site.books.considered == [reply.answer]
    assert site.cache.kept == []


def test_a_torn_ledger_costs_no_reply_and_is_counted() -> None:
    reply, _, site = given(streamed(0.1), desk={"books": Books(fails=True)})
    assert reply.told == (Route.CLOUD, "unsure")
    assert site.value("afterwards_dropped_total", reason="failed") == 1.0


def test_answers_beyond_what_may_wait_are_dropped_and_counted() -> None:
    async def run(loop: JumpingLoop) -> Desk:
        site = Desk(loop, None, books=Books(takes_s=5.0), afterwards_max=3)
        for _ in range(5):
            await site.ask()
        await site.settled()
        return site

    site = run_virtually(run)
    assert len(site.books.given_to) == 3
    assert site.value("afterwards_dropped_total", reason="full") == 2.0
    assert site.value("afterwards_running") == 0.0


def test_a_ledger_that_hangs_is_given_up() -> None:
    _, _, site = given([], desk={"books": Books(takes_s=1_000.0)})
    assert site.books.given_to == []
    assert site.value("afterwards_dropped_total", reason="slow") == 1.0


def test_the_local_model_rewords_a_fallback_unless_the_asker_has_seen_the_clouds_words() -> None:
    writer = Writer()
    reply, _, _ = given([], desk={"writer": writer}, deadline_ms=1_000)
    assert reply.told == (Route.FALLBACK, "cloud_slow")
    assert (reply.answer.text, reply.answer.written_by) == ("leave handbook", Author.MODEL)
    assert reply.took_s == pytest.approx(0.6, abs=NEAR_S)
    assert writer.asked == [pytest.approx(0.45, abs=NEAR_S)], "what is left, less the margin"
    silent = Writer()
    broken: list[Step] = [(0.1, token(1, "Every ")), (0.1, CloudFailed(CloudFailed.BROKEN))]
    reply, _, _ = given(broken, desk={"writer": silent})
    assert (reply.answer.text, silent.asked) == (LOCAL_TEXT, [])


def test_a_sure_local_answer_is_reworded_as_ever() -> None:
    reply, _, _ = given([], desk={"writer": Writer(), "sure": Sure(probability=0.9)})
    assert (reply.told, reply.answer.text) == ((Route.EDGE, "confident"), "leave handbook")


def test_an_asker_who_goes_away_ends_the_clouds_work_and_is_no_failure_of_it() -> None:
    cloud = ScriptedCloud([streamed(0.1, gap_s=0.5, pieces=["a", "b", "c"])])

    async def run(loop: JumpingLoop) -> Desk:
        site = Desk(loop, cloud)
        async with aclosing(site.begin(Ask(kb="handbook", question="?"))) as parts:
            async for part in parts:
                if part.kind is PartKind.TOKEN:
                    break
        await site.settled()
        return site

    site = run_virtually(run)
    assert (cloud.closed_early, cloud.running) == (1, 0)
    assert site.value("breaker_calls_total", target="hub", outcome="ignored") == 1.0
    assert site.books.given_to == []


BREAKER = Rule(window_calls=4, calls_min=2, open_wait_s=5.0)


def with_breaker(scripts: list[list[Step]], act: Callable[[Desk, ScriptedCloud], Coroutine[Any, Any, None]]) -> None:
    cloud = ScriptedCloud(scripts)

    async def run(loop: JumpingLoop) -> None:
        await act(Desk(loop, cloud, breaker_rule=BREAKER), cloud)

    run_virtually(run)


def test_the_breaker_opens_on_a_slow_hub_and_heals_with_one_probe() -> None:
    async def act(site: Desk, cloud: ScriptedCloud) -> None:
        for _ in range(2):
            assert (await site.ask()).told == (Route.FALLBACK, "cloud_slow")
        refused_at_once = await site.ask()
        assert (refused_at_once.told, refused_at_once.took_s) == ((Route.EDGE, "breaker_open"), 0.0)
        await elapse(5.0)
        cloud.scripts = [streamed(0.1)]
        replies = await asyncio.gather(*(site.ask() for _ in range(20)))
        assert sorted(reply.told for reply in replies) == [
            (Route.CLOUD, "unsure"),
            *[(Route.EDGE, "breaker_open")] * 19,
        ]
        assert len(cloud.asked) == 3
        assert site.breaker.state.phase is Phase.CLOSED
        assert (await site.ask()).told == (Route.CLOUD, "unsure")

    with_breaker([[]], act)


def test_the_time_that_a_claim_takes_is_the_askers_and_not_added_to_it() -> None:
    async def act(site: Desk, cloud: ScriptedCloud) -> None:
        for _ in range(2):
            await site.ask()
        await elapse(5.0)
        site.turns.takes_s = 0.1
        probe = await site.ask(deadline_ms=400)
        assert probe.told == (Route.FALLBACK, "cloud_slow")
        assert probe.took_s == pytest.approx(0.35, abs=NEAR_S)
        assert cloud.asked[-1].deadline_ms in (249, 250)

    with_breaker([[]], act)


def test_a_claim_that_leaves_no_time_is_given_back() -> None:
    async def act(site: Desk, cloud: ScriptedCloud) -> None:
        for _ in range(2):
            await site.ask()
        await elapse(5.0)
        site.turns.takes_s = 0.1
        assert (await site.ask(deadline_ms=170)).told == (Route.EDGE, "no_time")
        await site.settled()
        site.turns.takes_s = 0.0
        cloud.scripts = [streamed(0.1)]
        assert (await site.ask()).told == (Route.CLOUD, "unsure")

    with_breaker([[]], act)


def test_a_probe_that_fails_keeps_it_open() -> None:
    async def act(site: Desk, cloud: ScriptedCloud) -> None:
        for _ in range(2):
            await site.ask()
        await elapse(5.0)
        assert (await site.ask()).told == (Route.FALLBACK, "cloud_slow")
        assert (await site.ask()).told == (Route.EDGE, "breaker_open")
        assert site.breaker.look().retry_in_s == pytest.approx(10.0, abs=0.01)

    with_breaker([[]], act)


@pytest.mark.parametrize(
    ("script", "ask", "opens"),
    [
        (refused(Refusal.UNKNOWN_KB), {}, False),
        (refused(Refusal.PAUSED), {}, False),
        (refused(Refusal.ENGINE_REFUSED), {}, False),
        (refused(Refusal.SHELF_AWAY), {}, False),
        (refused(Refusal.SHELF_REBUILDING), {}, False),
        (refused(Refusal.BUSY), {}, True),
        (refused(Refusal.ENGINE), {}, True),
        (refused(Refusal.DEADLINE), {}, True),
        (refused(Refusal.DEADLINE), {"deadline_ms": 300}, False),
        ([], {}, True),
        ([], {"deadline_ms": 300}, False),
        ([(0.1, final(abstained=True))], {}, False),
        ([(0.1, final(citations=[]))], {}, False),
    ],
)
def test_what_counts_against_the_hub(script: list[Step], ask: dict[str, Any], opens: bool) -> None:
    async def act(site: Desk, cloud: ScriptedCloud) -> None:
        for _ in range(4):
            await site.ask(**ask)
        assert (site.breaker.state.phase is Phase.OPEN) is opens

    with_breaker([script], act)


def test_the_operator_says_which_refusals_count() -> None:
    rule = SchedulingRule(refusals_that_count=frozenset())

    async def run(loop: JumpingLoop) -> Phase:
        site = Desk(loop, ScriptedCloud([refused(Refusal.BUSY)]), rule=rule, breaker_rule=BREAKER)
        for _ in range(4):
            await site.ask()
        return site.breaker.state.phase

    assert run_virtually(run) is Phase.CLOSED


def any_script(chance: random.Random) -> list[Step]:
    """A hub as bad as hubs get."""
    steps = streamed(chance.choice([0.05, 0.2, 0.49, 0.51, 2.0]), gap_s=chance.choice([0.01, 0.3, 1.0, 3.0]))
    how = chance.random()
    if how < 0.3:
        return steps[: chance.randint(0, len(steps))]
    if how < 0.6:
        error: Exception = chance.choice(
            [CloudFailed(CloudFailed.BROKEN), CloudFailed(CloudFailed.GARBAGE), KeyError("what nobody thought of")]
        )
        return [*steps[: chance.randint(0, 3)], (chance.random(), error)]
    return steps


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_hub_does_every_asker_has_one_reply_by_the_deadline(seed: int) -> None:
    chance = random.Random(seed)
    cloud = ScriptedCloud([any_script(chance) for _ in range(150)])

    async def run(loop: JumpingLoop) -> list[tuple[Given, int]]:
        site = Desk(loop, cloud, breaker_rule=Rule(window_calls=10, calls_min=5, open_wait_s=0.5))

        async def one() -> tuple[Given, int]:
            deadline_ms = chance.choice([60, 150, 400, 1_000, 3_000])
            await elapse(chance.random() * 30)
            return await site.ask(deadline_ms=deadline_ms), deadline_ms

        replies = await asyncio.gather(*(one() for _ in range(150)))
        await site.settled()
        assert len(site.books.given_to) == 150
        return replies

    replies = run_virtually(run)
    for reply, deadline_ms in replies:
        assert reply.took_s * 1000 <= deadline_ms
        assert [part.kind for part in reply.parts].count(PartKind.FINAL) == 1
        assert reply.answer.text in (LOCAL_TEXT, TEXT)
        assert (reply.answer.text == TEXT) == (reply.answer.route is Route.CLOUD)
        assert (reply.answer.reason != "") == (reply.answer.route is Route.FALLBACK)
    assert {reply.answer.route for reply, _ in replies} == {Route.CLOUD, Route.EDGE, Route.FALLBACK}
    assert cloud.running == 0
