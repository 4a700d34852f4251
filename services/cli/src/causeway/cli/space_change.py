"""Changes the embedding model of a running place: vectors of the new space beside the old, the switch, the rest.

Every step is written to `space.json` before the next begins, and a supervisor that starts again goes on from there.
Until the switch nothing that answers is touched. At the switch the new replicas serve before the old ones stop; after
it documents wait in their streams while ingestor and embedder are started again with the new model, and at a hub
cloud-inference follows them as the replicas did.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from causeway.bus import Bus, BusError, Caller, Endpoint, ProblemReply
from causeway.cli.errors import StartFailedError
from causeway.cli.ports import free_port
from causeway.cli.process_spec import ProcessSpec, Surroundings, replicated, service_spec
from causeway.cli.site_config import CLOUD, SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.cli.space_progress import (
    VECTORS,
    Pace,
    count_elsewhere,
    forget_space,
    read_progress,
)
from causeway.cli.space_record import (
    SpaceRecord,
    read_space,
    spent_vaults,
    to_come,
    vault_of,
    write_space,
)
from causeway.cli.space_specs import REEMBEDDER, REPLICA, reembedder_spec, replica_specs, successor_spec
from causeway.cli.supervisor import Supervisor
from causeway.models import ModelError
from causeway.models.chosen import embedding_space
from causeway.proto import subjects
from causeway.proto.answers import Problem
from causeway.proto.space import SpaceAction, SpaceAsked, SpacePhase, SpaceStatus

COMPLETE_TIMEOUT_S = 1_800.0
DRAIN_TIMEOUT_S = 60.0
POLL_S = 0.5
_log = logging.getLogger(__name__)


class SpaceChange:
    """Answers `causeway kb reembed` for one running place. One step at a time."""

    def __init__(
        self, config: SiteConfig, around: Surroundings, folder: SiteFolder, supervisor: Supervisor, bus: Bus
    ) -> None:
        """`config` has the model in force; `around.vault` is the folder of all generations of vaults."""
        self._config = config
        self._around = around
        self._folder = folder
        self._supervisor = supervisor
        self._bus = bus
        self._record = read_space(folder, config)
        self._task: asyncio.Task[None] | None = None
        self._switching = False
        self._reason = ""
        self._pace = Pace()

    def endpoint(self) -> Endpoint:
        """Where it is asked."""
        subject = subjects.SPACE.at(self._config.site)
        return Endpoint(name="space", subject=subject, handler=self.asked, request_type=SpaceAsked, concurrency_max=1)

    async def resume(self) -> None:
        """Go on where the last supervisor of this place stood."""
        if self._record.next_model:
            await self._start_reembedder(to_come(self._config, self._record))
        elif self._record.left or self._record.translates:
            await self._start_reembedder(self._config)
        if self._record.left:
            self._in_background(self._settle)

    async def close(self) -> None:
        """Break off what runs: the next supervisor goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def asked(self, caller: Caller, asked: SpaceAsked) -> SpaceStatus:
        """Do what is asked, as far as it can be done at once, and say how it stands."""
        if asked.action is SpaceAction.START:
            await self._begin(asked)
        elif asked.action is SpaceAction.SWITCH:
            await self._request_switch()
        elif asked.action is SpaceAction.ABORT:
            await self._abort()
        return await self.status()

    async def status(self) -> SpaceStatus:
        """How it stands, both spaces side by side."""
        record = self._record
        status = SpaceStatus(
            phase=SpacePhase.SWITCHING if self._switching else record.phase,
            model=record.model,
            precision=record.precision,
            next_model=record.next_model,
            next_precision=record.next_precision,
            reason=self._reason,
        )
        return await self._counted(status) if record.phase is not SpacePhase.STEADY else status

    async def _counted(self, status: SpaceStatus) -> SpaceStatus:
        space = self._next_space() if self._record.next_model else self._space()
        progress = await read_progress(self._bus, space)
        done = progress.documents_done
        if self._record.left:
            done = progress.documents_total - await count_elsewhere(self._bus, self._config.site, space)
        return msgspec.structs.replace(
            status,
            chunks_total=progress.chunks_total,
            chunks_done=progress.chunks_done,
            documents_total=progress.documents_total,
            documents_done=done,
            lag=progress.lag,
            eta_s=self._pace.eta_s(progress),
        )

    async def _begin(self, asked: SpaceAsked) -> None:
        self._require(SpacePhase.STEADY, "another change of the embedding model is under way")
        model, precision = asked.model or self._record.model, asked.precision or self._record.precision
        try:
            space = embedding_space(model, precision)  # type: ignore[arg-type]
        except ModelError as error:
            raise _refusal(str(error), "Install it first: causeway model fetch.") from error
        if space == self._space():
            raise _refusal(f"the place answers with {space} already", "Name another --model or --precision.")
        if self._record.translates:
            await self._supervisor.retire(REEMBEDDER, self._stop_timeout_s)
        self._remember(msgspec.structs.replace(self._record, next_model=model, next_precision=precision))
        self._reason, self._pace = "", Pace()
        await self._start_reembedder(to_come(self._config, self._record))

    async def _request_switch(self) -> None:
        self._require(SpacePhase.EMBEDDING, "no change of the embedding model is under way")
        progress = await read_progress(self._bus, self._next_space())
        if progress.lag:
            raise _refusal(
                f"{progress.lag} of {progress.chunks_total} chunks have no vector of the new model yet",
                "Ask again when `causeway kb reembed status` says 0 to go.",
            )
        self._switching, self._reason = True, ""
        self._in_background(self._switch)

    async def _abort(self) -> None:
        self._require(SpacePhase.EMBEDDING, "no change of the embedding model can be aborted now")
        await self._supervisor.retire(REEMBEDDER, self._stop_timeout_s)
        await forget_space(self._bus, self._next_space())
        await asyncio.to_thread(_remove, vault_of(self._around.vault, self._record.generation + 1))
        self._remember(msgspec.structs.replace(self._record, next_model="", next_precision=""))
        if self._record.translates:
            await self._start_reembedder(self._config)

    async def _switch(self) -> None:
        """Replicas of the new space join, those of the old one leave; then what feeds them changes over."""
        try:
            config, generation = to_come(self._config, self._record), self._record.generation
            seeds, vaults = vault_of(self._around.vault, generation), vault_of(self._around.vault, generation + 1)
            await asyncio.to_thread(_remove, vaults)
            ports = [free_port() for _ in range(config.services[REPLICA].replicas)]
            specs = replica_specs(config, replace(self._around, vault=vaults), ports)
            successors = [successor_spec(spec, seeds / str(index)) for index, spec in enumerate(specs, start=1)]
            if not await self._join(successors):
                return
            self._remember(self._record.switched(left=self._space()))
            self._config = config
            for successor, spec in zip(successors, specs, strict=True):
                await self._supervisor.take_over(successor.name, spec, self._stop_timeout_s)
            await self._change_over()
        finally:
            self._switching = False
        await self._settle()

    async def _join(self, specs: list[ProcessSpec]) -> bool:
        """Whether all of them are complete and serve; if not, none is left."""
        for spec in specs:
            await self._supervisor.start(spec)
        try:
            await asyncio.gather(*(self._supervisor.ready(spec, COMPLETE_TIMEOUT_S) for spec in specs))
            return True
        except StartFailedError as error:
            self._reason = error.message
        await self._retire(specs)
        return False

    async def _change_over(self) -> None:
        """Ingestor and embedder with the new model. What the ingestor has sent is worked off first, for a while; what
        is left then is embedded by the new model under its old names, and renamed."""
        ingestors, embedders = self._fresh("ingestor"), self._fresh("embedder")
        await self._retire(ingestors)
        await self._drained()
        await self._retire(embedders)
        for spec in (*embedders, *ingestors):
            await self._supervisor.start(spec)
        await asyncio.gather(*(self._supervisor.ready(spec) for spec in (*embedders, *ingestors)))
        if CLOUD in replicated(self._config):
            await self._change_over_cloud()

    async def _change_over_cloud(self) -> None:
        """What answers sites encodes with the new model, and searches the space that documents now move to."""
        specs = self._fresh(CLOUD)
        successors = [replace(spec, name=f"{spec.name}-next") for spec in specs]
        if not await self._join(successors):
            self._reason += ": start the place again, until then sites are answered from the old space"
            return
        for successor, spec in zip(successors, specs, strict=True):
            await self._supervisor.take_over(successor.name, spec, self._stop_timeout_s)

    def _fresh(self, service: str) -> list[ProcessSpec]:
        count = self._config.services[service].replicas
        return [service_spec(service, index, self._config, self._around, free_port()) for index in range(count)]

    async def _retire(self, specs: list[ProcessSpec]) -> None:
        await asyncio.gather(*(self._supervisor.retire(spec.name, self._stop_timeout_s) for spec in specs))

    async def _drained(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while await self._bus.count(subjects.CHUNK.stream):  # noqa: ASYNC110 - it is on the server.
                    await asyncio.sleep(POLL_S)

    async def _settle(self) -> None:
        """Wait until the ingestor has renamed all documents, then drop what is left of the old space."""
        space, pause_s = self._space(), POLL_S
        while not await self._moved(space):
            await asyncio.sleep(pause_s)
            pause_s = min(10.0, 2 * pause_s)
        await self._bus.purge(VECTORS, subjects.VECTOR.at(self._config.site))
        await forget_space(self._bus, self._record.left)
        translates = await self._bus.count(VECTORS) > 0
        if not translates:
            await self._supervisor.retire(REEMBEDDER, self._stop_timeout_s)
            await forget_space(self._bus, space)
        for path in spent_vaults(self._around.vault, self._record.generation):
            await asyncio.to_thread(_remove, path)
        self._remember(msgspec.structs.replace(self._record, left="", translates=translates))

    async def _moved(self, space: str) -> bool:
        try:
            waiting = await self._bus.count(subjects.CHUNK.stream)
            return not waiting and await count_elsewhere(self._bus, self._config.site, space) == 0
        except (BusError, TimeoutError) as error:
            _log.warning("can not be counted now", extra={"reason": str(error)})
            return False

    async def _start_reembedder(self, config: SiteConfig) -> None:
        await self._supervisor.start(reembedder_spec(config, self._around, free_port()))

    def _in_background(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._task = asyncio.create_task(self._guarded(work), name="change of the embedding model")

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001  # The outermost loop of a change: the place goes on as it is.
            _log.exception("a change of the embedding model stopped")
            self._reason = f"{error}: start the place again, it goes on from here"

    def _require(self, phase: SpacePhase, otherwise: str) -> None:
        if self._record.phase is not phase or self._switching:
            raise _refusal(otherwise, "Look at `causeway kb reembed status`.")

    def _remember(self, record: SpaceRecord) -> None:
        write_space(self._folder, record)
        self._record = record

    def _space(self) -> str:
        return embedding_space(self._record.model, self._record.precision)  # type: ignore[arg-type]

    def _next_space(self) -> str:
        return embedding_space(self._record.next_model, self._record.next_precision)  # type: ignore[arg-type]

    @property
    def _stop_timeout_s(self) -> float:
        return float(self._config.supervision.stop_timeout_s)


def _refusal(message: str, mend: str) -> ProblemReply:
    return ProblemReply(Problem(code="refused", message=message, mend=mend))


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
