"""Requests over the link: lost on their way there or back, or unanswered because the other side has died."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from causeway.bus import BusError, Caller, Endpoint, RequestTimeout
from causeway.proto import Message
from causeway.proto.subjects import HUB
from tests.simulation.simulated_bus import matches
from tests.simulation.virtual_loop import pause

if TYPE_CHECKING:
    from tests.simulation.world import Process, World

TIMEOUT_S = 2.0
LOSS = 0.1


@dataclass
class Wire:
    """All request-reply of a world: sites ask the hub."""

    world: "World"
    loss: float = LOSS

    async def ask(self, place: str, subject: str, message: Message) -> Message:
        """The hub's reply.

        Raises:
            RequestTimeout: none came in time.
        """
        endpoint = self._endpoint(subject)
        if endpoint is None or not self._carries(place):
            await pause(TIMEOUT_S)
            raise RequestTimeout(subject)
        task = self._answer(endpoint, subject, message)
        done, _ = await asyncio.wait({task}, timeout=TIMEOUT_S)
        reply = task.result() if done and not task.cancelled() else None
        if reply is None or not self._carries(place):
            raise RequestTimeout(subject)
        return reply

    def forget(self, process: "Process") -> None:
        """A process that was killed answers no more."""
        if process.name.startswith("sync-delta"):
            self.world.servers[process.place].endpoints.clear()

    def _answer(self, endpoint: Endpoint, subject: str, message: Message) -> asyncio.Task[Message | None]:
        caller = Caller(subject=subject, headers={}, received_monotonic_s=self.world.loop.now_s)
        server = next(each for each in self.world.processes if each.name == f"sync-delta of {HUB}")

        async def answer() -> Message | None:
            handled: Any = endpoint.handler(caller, message)
            try:
                reply: Message = await handled
            except BusError:
                return None
            return reply

        return self.world.loop.create_task(answer(), context=server.context)

    def _endpoint(self, subject: str) -> Endpoint | None:
        served = self.world.servers[HUB].endpoints.values()
        return next((each for each in served if matches([each.subject], subject)), None)

    def _carries(self, place: str) -> bool:
        links = [source for source in self.world.sources if place in (source.origin.place, source.target.place)]
        return all(source.up for source in links) and self.world.random.random() >= self.loss
