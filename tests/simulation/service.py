"""sync-delta as it ships, whole, over a simulated bus, with a state folder that outlives every kill."""

import asyncio
import importlib
import logging
import pkgutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry

import causeway.sync_delta
from causeway.bus import Bus, SourceState, source_states
from causeway.sync_delta import tombstones, window
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.sending import Batch
from causeway.sync_delta.service import Limits, SyncDelta
from causeway.sync_delta.state import State
from tests.simulation.world import RUNNING, Process

CHUNK_KEY = b"0123456789abcdef"
LIMITS = Limits(
    policy=window.Policy(floor_bytes=4_000, bulk_wait_s=5.0),
    batch=Batch(documents_max=4),
    expiry=tombstones.Limits(age_min_s=3_600, age_max_s=30 * 86_400),
    batch_messages_max=8,
)


class PlacesTime:
    """The module `time` as the code of a place sees it; outside of a simulation it is the real one."""

    @staticmethod
    def time_ns() -> int:
        """By the clock on the wall of the place."""
        process = RUNNING.get()
        return process.world.wall_ms(process.place) * 1_000_000 if process else time.time_ns()

    @staticmethod
    def time() -> float:
        """The same in seconds."""
        return PlacesTime.time_ns() / 1e9

    @staticmethod
    def monotonic() -> float:
        """By the clock of the world."""
        process = RUNNING.get()
        return process.world.loop.now_s if process else time.monotonic()

    perf_counter = monotonic


def give_places_their_time() -> None:
    """Every module of the service that asks for the time, or how a source is, asks the place that it runs at.

    Outside of a simulation all of it is as it was: other tests of the same run have the same modules.
    """
    for found in pkgutil.iter_modules(causeway.sync_delta.__path__, "causeway.sync_delta."):
        if found.name.endswith((".app", ".main")):
            continue
        module = importlib.import_module(found.name)
        if getattr(module, "time", None) is time:
            module.time = PlacesTime  # type: ignore[attr-defined]
        if hasattr(module, "source_states"):
            module.source_states = _sources_of_place  # type: ignore[attr-defined]
        logger = getattr(module, "_log", None)
        if isinstance(logger, logging.Logger):
            logger.addFilter(_outside)


async def _sources_of_place(bus: Bus, stream: str) -> Sequence[SourceState]:
    """The sources of the simulation resume by themselves: there is nothing to kick."""
    return [] if RUNNING.get() else await source_states(bus, stream)


def _outside(record: logging.LogRecord) -> bool:
    """What simulated places would log is in the trace, if anybody wants it."""
    return RUNNING.get() is None


give_places_their_time()


async def run(process: Process, folder: Path) -> None:
    """One incarnation, until it is killed."""
    bus = cast(Bus, process.bus())
    state = State(folder, process.place)
    sync = SyncDelta(process.place, bus, bus, state, CHUNK_KEY, LIMITS, Metrics(CollectorRegistry()))
    await sync.start()
    await asyncio.Event().wait()


def items(folder: Path, place: str, origin: str, kb: str) -> Mapping[bytes, bytes]:
    """What the state of a place says that is shared, or held of another origin."""
    state = State(folder, place)
    tables = state._tables  # The state is idle: nothing else reads it.
    found = tables.outbox.items(kb) if place == origin else tables.inbox.items(origin, kb)
    state.close()
    return {item.key: item.digest for item in found}
