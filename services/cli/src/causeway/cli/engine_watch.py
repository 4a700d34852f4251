"""Starts the hub's engine and sees to it that it becomes ready, while everything else of the hub works already; says
what is wrong with one that somebody else runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from causeway.bus import Bus
from causeway.cli.errors import StartFailedError
from causeway.cli.process_spec import ProcessSpec
from causeway.proto import subjects
from causeway.proto.cloud import CloudStatus, CloudStatusAsked
from causeway.proto.subjects import HUB

STATUS_S = 4.0


class Keeper(Protocol):
    """The supervisor, as far as it is needed here."""

    @property
    def lost(self) -> dict[str, str]: ...

    async def start(self, spec: ProcessSpec) -> None: ...

    async def ready(self, spec: ProcessSpec, timeout_s: float = ...) -> None: ...

    def end(self, name: str) -> None: ...


@asynccontextmanager
async def engine_started(supervisor: Keeper, spec: ProcessSpec | None, timeout_s: float) -> AsyncIterator[None]:
    """Start the engine, if there is one, and watch over its start within the block. The supervisor stops it."""
    if spec is None:
        yield
        return
    await supervisor.start(spec)
    task = asyncio.create_task(until_ready(supervisor, spec, timeout_s), name="engine's start")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_ready(supervisor: Keeper, spec: ProcessSpec, timeout_s: float) -> None:
    """Return when the engine is ready or given up. One that hangs is killed, so that the supervisor starts it again."""
    while True:
        try:
            await supervisor.ready(spec, timeout_s)
            return
        except StartFailedError:
            if spec.name in supervisor.lost:
                return
            supervisor.end(spec.name)


async def engine_trouble(bus: Bus) -> str:
    """What cloud-inference finds wrong with the engine; empty where nothing is.

    Raises:
        BusError: nobody says.
    """
    status = await bus.request(subjects.CLOUD_STATUS.at(HUB), CloudStatusAsked(), CloudStatus, STATUS_S)
    if status.healthy:
        return ""
    mend = "Look at --engine-url, --engine-model and --engine-key, or at engine in hub.yaml."
    return f"The engine is not well ({status.reason}): until it is, what sites ask is refused. {mend}"
