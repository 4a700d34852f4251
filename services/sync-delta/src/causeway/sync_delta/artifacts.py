"""Artifacts from the hub: followed in the inbox, fetched piece by piece, tried, put in force, taken back on failure.

At least once: an offer is looked at again after every start. A download goes on where it stopped; a version that is
complete is not fetched again; one that failed is not tried again until another is offered or this process starts anew.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from causeway.bus import Bus, BusError, Delivery, Position, ProblemReply
from causeway.proto import subjects
from causeway.proto.link import ArtifactBytes, FetchArtifact, OffersAsked
from causeway.proto.outbox import ArtifactOffered
from causeway.sync_delta.artifact_metrics import ArtifactMetrics
from causeway.sync_delta.artifact_store import ArtifactDamaged, ArtifactRefused, ArtifactStore
from causeway.sync_delta.artifact_trials import try_out

log = logging.getLogger(__name__)
PIECE_BYTES = 256 * 1024
PIECE_TIMEOUT_S = 30.0
TRIES_MAX = 5
WAIT_S = (1.0, 5.0, 30.0, 120.0)
OFFERS_EVERY_S = 60.0
"""An offer that was lost with a link is asked for no later than this after the link is back."""
COMMAND_TIMEOUT_S = 120.0


@dataclass(kw_only=True)
class Artifacts:
    """The receiving side. `bytes_per_s_max` 0 means: as fast as the link gives, one piece after the other."""

    link: Bus
    site: str
    store: ArtifactStore
    metrics: ArtifactMetrics
    command: Sequence[str] = ()
    bytes_per_s_max: int = 0
    stream: str = "INBOX"
    offers_every_s: float = OFFERS_EVERY_S
    failed: dict[str, str] = field(default_factory=dict)
    _offers: dict[str, ArtifactOffered] = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _tried: set[ArtifactOffered] = field(default_factory=set)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Follow the offers; fetch beside it, so that a large model holds up nothing."""
        self.link.follow(
            self.stream,
            [subjects.ARTIFACT.at(subjects.HUB)],
            self._from_the_beginning,
            self._take,
            message_types=subjects.ARTIFACT.carries,
        )
        self._tasks = [
            asyncio.create_task(self._work(), name="artifacts"),
            asyncio.create_task(self._ask_now_and_then(), name="artifact-offers"),
        ]

    async def stop(self) -> None:
        """End; a download goes on at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @staticmethod
    async def _from_the_beginning() -> Position:
        return Position()

    async def _take(self, deliveries: list[Delivery]) -> None:
        self._consider(each.message for each in deliveries if isinstance(each.message, ArtifactOffered))

    def _consider(self, offers: Iterable[ArtifactOffered]) -> None:
        """An offer that was tried is not tried again, whichever way it comes."""
        for offer in offers:
            if offer not in self._tried:
                self._tried.add(offer)
                self._offers[f"{offer.kind.value}/{offer.name}"] = offer
        self._woken.set()

    async def _ask_now_and_then(self) -> None:
        while True:
            with suppress(BusError, TimeoutError):
                asked = self.link.request_stream(subjects.SYNC_OFFERS.at(self.site), OffersAsked(), ArtifactOffered)
                self._consider([offer async for offer in asked])
            await asyncio.sleep(self.offers_every_s)

    async def _work(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._offers:
                key = next(iter(self._offers))
                await self.settle(self._offers.pop(key))

    async def settle(self, offer: ArtifactOffered) -> None:
        """Make the site hold what the offer says, or say why not."""
        key = f"{offer.kind.value}/{offer.name}"
        try:
            if offer.withdrawn:
                await self._withdraw(offer)
            elif self.store.current(offer.kind, offer.name) != offer.version:
                await self._install(offer)
            self.failed.pop(key, None)
        except (ArtifactRefused, ArtifactDamaged, BusError, OSError) as error:
            self.failed[key] = f"{offer.version}: {error}"
            if isinstance(error, BusError):
                # The link went away: asked for again, it is tried again.
                self._tried.discard(offer)
            self.metrics.outcomes.labels("failed").inc()
            log.warning("an artifact was not put in force", extra={"artifact": key, "reason": str(error)})

    async def _withdraw(self, offer: ArtifactOffered) -> None:
        if self.store.current(offer.kind, offer.name) != offer.version:
            return
        self.store.roll_back(offer)
        await self._run_command(offer)
        self.store.discard(offer)
        self.metrics.outcomes.labels("withdrawn").inc()

    async def _install(self, offer: ArtifactOffered) -> None:
        if not self.store.holds(offer):
            await self._fetch(offer)
        folder = self.store.version_folder(offer)
        try:
            await asyncio.to_thread(try_out, offer.kind, folder)
        except ArtifactRefused:
            self.store.discard(offer)
            raise
        before = self.store.activate(offer)
        try:
            await self._run_command(offer)
        except ArtifactRefused:
            self.store.roll_back(offer, before)
            self.store.discard(offer)
            raise
        self.store.prune(offer)
        self.metrics.outcomes.labels("activated").inc()

    async def _fetch(self, offer: ArtifactOffered) -> None:
        for tried in range(TRIES_MAX):
            try:
                await self._download(offer)
                await asyncio.to_thread(self.store.unpack, offer)
                return
            except (ArtifactDamaged, BusError) as error:
                final = isinstance(error, ProblemReply) and not error.problem.retryable
                if final or tried == TRIES_MAX - 1:
                    raise
                log.info("an artifact is fetched again", extra={"object": offer.object_name, "reason": str(error)})
                await asyncio.sleep(WAIT_S[min(tried, len(WAIT_S) - 1)])

    async def _download(self, offer: ArtifactOffered) -> None:
        part = self.store.part_of(offer)
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        while (offset := part.stat().st_size) < offer.size_bytes:
            piece = await self.link.request(
                subjects.SYNC_ARTIFACT.at(self.site),
                FetchArtifact(object_name=offer.object_name, offset=offset, bytes_max=PIECE_BYTES),
                ArtifactBytes,
                PIECE_TIMEOUT_S,
            )
            if piece.offset != offset or not piece.data or piece.total != offer.size_bytes:
                raise ArtifactDamaged(f"{offer.object_name}: the hub sent another piece than was asked for")
            await asyncio.to_thread(_append, part, piece.data)
            self.metrics.bytes.inc(len(piece.data))
            if self.bytes_per_s_max:
                await asyncio.sleep(len(piece.data) / self.bytes_per_s_max)

    async def _run_command(self, offer: ArtifactOffered) -> None:
        """The operator's own command, told what is in force now. Its failure takes the version back."""
        if not self.command:
            return
        folder = self.store.version_folder(offer).parent / "current"
        process = await asyncio.create_subprocess_exec(
            *self.command,
            offer.kind.value,
            offer.name,
            str(folder),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                _, said = await process.communicate()
        except TimeoutError as error:
            process.kill()
            raise ArtifactRefused(f"{self.command[0]} took more than {COMMAND_TIMEOUT_S:.0f} s") from error
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            raise ArtifactRefused(f"{self.command[0]} ended with {process.returncode}: {lines[-1] if lines else ''}")


def _append(part: Path, data: bytes) -> None:
    with part.open("ab") as file:
        file.write(data)


def reported(artifacts: Artifacts) -> Callable[[], dict[str, str]]:
    """What a site tells the hub: the version in force of everything, and what failed."""

    def now() -> dict[str, str]:
        failures = {key: f"failed {reason}" for key, reason in artifacts.failed.items()}
        return artifacts.store.all_current() | failures

    return now
