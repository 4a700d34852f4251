"""When a source is kicked, when a peer counts as answering, and how far the window opens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from causeway.sync_delta import window
from causeway.sync_delta.flow import Flow
from causeway.sync_delta.kick import Limits, sources_at, stuck
from causeway.sync_delta.outbox_tables import Shared
from causeway.sync_delta.peers import Peers
from causeway.sync_delta.state import State

LIMITS = Limits(silence_s=3.0, every_s=10.0)


@pytest.mark.parametrize(
    ("heard_s", "spoke_s", "since_kick_s", "kicked"),
    [
        (60.0, 2.0, 60.0, True),
        (-1.0, 2.0, 60.0, True),
        (0.5, 2.0, 60.0, False),
        (60.0, -1.0, 60.0, False),
        (5.0, 4.0, 60.0, False),
        (5.0, 0.1, 60.0, True),
        (60.0, 2.0, 5.0, False),
    ],
    ids=["stuck", "never heard", "healthy", "no link", "as silent as the peer", "link just back", "kicked just now"],
)
def test_a_source_is_kicked_when_it_is_silent_although_the_peer_speaks(
    heard_s: float, spoke_s: float, since_kick_s: float, kicked: bool
) -> None:
    assert stuck(heard_s, spoke_s, since_kick_s, LIMITS) is kicked


def test_sources_are_known_by_the_prefix_of_their_api() -> None:
    at_hub = sources_at("hub", ["$JS.plant-1.API"])
    assert at_hub["$JS.plant-1.API"][0] == "plant-1"
    at_site = sources_at("plant-1", ["_HUB.plant-1.kb.handbook.API", "_HUB.plant-1.artifact.API"])
    assert {peer for peer, _ in at_site.values()} == {"hub"}
    assert at_site["_HUB.plant-1.kb.handbook.API"][1].consumer == "plant-1_handbook"
    assert at_site["_HUB.plant-1.artifact.API"][1].consumer == "plant-1"


def test_a_peer_answers_from_its_first_word_until_it_has_been_silent() -> None:
    peers = Peers(silence_s=5)
    assert peers.answers_for_s("hub", 0) < 0
    peers.heard("hub", 100)
    peers.heard("hub", 103)
    assert (peers.answers_for_s("hub", 104), peers.spoke_s("hub", 104)) == (4, 1)
    assert peers.answers_for_s("hub", 109) < 0
    assert peers.spoke_s("hub", 109) < 0
    peers.heard("hub", 110)
    assert peers.answers_for_s("hub", 111) == 1
    peers.lost("hub")
    assert peers.answers_for_s("hub", 111) < 0


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path, "a")
    yield made
    made.close()


async def put(state: State, key: int, seq: int, size: int) -> None:
    shared = Shared(
        document_id=f"d{key}",
        revision=1,
        repair=0,
        deleted=False,
        runs=[],
        leftover=[],
        manifest_hash=b"",
        digest=b"",
        outbox_seq=seq,
        at_ms=1_000 * seq,
    )
    await state.write(lambda tables: tables.outbox.put_shared("k", bytes([key]) * 16, shared, size))


async def test_what_is_in_flight_is_what_the_hub_has_not_applied_and_applying_it_measures_the_link(
    state: State,
) -> None:
    flow = Flow(policy=window.Policy(floor_bytes=1_000, ceiling_bytes=1_000_000, window_s=10), bounded=True)
    for number in range(1, 5):
        await put(state, number, number, 1_000)
    flight = await state.read(lambda tables: flow.flight(tables.outbox))
    assert (flight.messages, flight.bytes, flight.since_ms) == (4, 4_000, 1_000)
    assert not flow.may_send(500, flight.bytes)
    assert flow.window_bytes == 1_000
    for at_ms, seq in ((0, 0), (1_000, 2), (2_000, 4)):
        await state.read(lambda tables, at_ms=at_ms, seq=seq: flow.applied(seq, tables.outbox, at_ms))  # type: ignore[misc]
    assert flow.window_bytes == 20_000, "two thousand bytes a second for ten seconds"
    assert await state.read(lambda tables: flow.flight(tables.outbox)) == type(flight)(messages=0, bytes=0, since_ms=0)
    assert flow.may_send(500, 0)


def test_the_hub_has_no_window() -> None:
    assert Flow(policy=window.Policy(), bounded=False).may_send(10**9, 10**9)
