"""sync-delta as it ships, each of its parts over a simulated bus, with a state file that outlives every kill."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from causeway.bus import BusError
from causeway.proto import streams, subjects
from causeway.proto.knowledge import Watermark
from causeway.proto.subjects import HUB
from causeway.sync_delta import outgoing as outgoing_
from causeway.sync_delta import window
from causeway.sync_delta.applying import Applying
from causeway.sync_delta.flow import Flow
from causeway.sync_delta.incoming import Incoming
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.outgoing import Outgoing
from causeway.sync_delta.sending import Batch, Sending
from causeway.sync_delta.state import State
from tests.simulation.simulated_bus import SimulatedBus
from tests.simulation.world import Process


logging.getLogger("causeway.sync_delta").setLevel(logging.CRITICAL)
BATCH_MAX = 8
CHUNK_KEY = b"0123456789abcdef"
POLICY = window.Policy(floor_bytes=4_000, bulk_wait_s=5.0)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where a place's sync-delta lives, and how it asks how far the other side has come (None: the link is cut)."""

    place: str
    folder: Path
    applied_seq: Callable[[], int | None]
    now_ms: Callable[[], int]


async def run(process: Process, installation: Installation) -> None:
    """One incarnation, until it is killed."""
    bus = process.bus()
    state = State(installation.folder, installation.place)
    metrics = Metrics(CollectorRegistry())
    flow = Flow(policy=POLICY, bounded=installation.place != HUB)
    sending = Sending(
        place=installation.place,
        state=state,
        knowledge=bus,
        outbox=bus,
        flow=flow,
        batch=Batch(documents_max=4),
        metrics=metrics,
        now_ms=installation.now_ms,
    )
    outgoing = Outgoing(installation.place, CHUNK_KEY, state, POLICY, metrics, sending.wake.set)
    applying = Applying(state=state, knowledge=bus, inbox=bus, metrics=metrics, now_ms=installation.now_ms)
    incoming = Incoming(
        place=installation.place,
        state=state,
        knowledge=bus,
        inbox=bus,
        graveyard=Graveyard(),
        applying=applying,
        metrics=metrics,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(_follow_inbox(bus, incoming))
        group.create_task(_tidy(incoming))
        group.create_task(_shade(bus, state))
        group.create_task(_follow_knowledge(bus, outgoing))
        group.create_task(sending.until(asyncio.Event()))
        group.create_task(_report(installation, flow, state, sending))


async def _follow_knowledge(bus: SimulatedBus, outgoing: Outgoing) -> None:
    await bus.follow_forever(
        "KNOWLEDGE",
        outgoing_.FILTERS,
        outgoing.position,
        outgoing.handle,
        batch_max=BATCH_MAX,
        on_reset=outgoing.reset,
    )


async def _follow_inbox(bus: SimulatedBus, incoming: Incoming) -> None:
    await bus.follow_forever("INBOX", (">",), incoming.position, incoming.handle, batch_max=BATCH_MAX)


async def _tidy(incoming: Incoming) -> None:
    while True:
        await asyncio.sleep(2.0)
        with contextlib.suppress(BusError):
            await incoming.tidy()


async def _shade(bus: SimulatedBus, state: State) -> None:
    while True:
        await asyncio.sleep(1.0)
        with contextlib.suppress(BusError):
            waiting = await state.read(lambda tables: tables.versions.unpublished(10))
            for identity, origin, shadow in waiting:
                key = shadow.document_key.hex()
                await bus.publish(subjects.KNOWLEDGE_SHADOW.at(origin, shadow.kb, key), shadow)
                await state.write(lambda tables: tables.versions.published([(identity, origin, shadow)]))


class Graveyard:
    """Takes nothing: no message of the simulation is damaged."""

    async def bury(self, raw: object, reason: str) -> bool:
        """Refuse."""
        return False


async def _report(installation: Installation, flow: Flow, state: State, sending: Sending) -> None:
    while True:
        await asyncio.sleep(5.0)
        seq = installation.applied_seq()
        if seq is not None and await state.read(lambda tables: flow.applied(seq, tables.outbox, installation.now_ms())):
            sending.wake.set()


def watermark_of(message: object) -> int:
    """How far a watermark says."""
    return message.outbox_seq if isinstance(message, Watermark) else 0


def items(folder: Path, place: str, origin: str, kb: str) -> Mapping[bytes, bytes]:
    """What the state of a place says that is shared, or held of another origin."""
    state = State(folder, place)
    tables = state._tables  # The state is idle: nothing else reads it.
    found = tables.outbox.items(kb) if place == origin else tables.inbox.items(origin, kb)
    state.close()
    return {item.key: item.digest for item in found}


__all__ = ["Installation", "items", "run", "streams", "subjects"]
