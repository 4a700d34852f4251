"""One running replica: its threads, its vault and indexes, its place in the log, its endpoints."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version
from types import TracebackType
from typing import Self, TypeVar

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings
from causeway.edge_inference.answering import Answering
from causeway.edge_inference.asking import Asking
from causeway.edge_inference.finding import Finder
from causeway.edge_inference.handlers import SERVICE, Following
from causeway.edge_inference.knowledge_index import KnowledgeIndexes
from causeway.edge_inference.metrics import Metrics
from causeway.edge_inference.ports import Encoder, Generator, VectorIndex
from causeway.edge_inference.recalling import Recalling
from causeway.edge_inference.replica import Replica, SweepRule
from causeway.edge_inference.rewording import LocalModel
from causeway.edge_inference.rotation import Resealing, renew_spent_key
from causeway.edge_inference.settings import Settings
from causeway.edge_inference.snapshots import SnapshotRule
from causeway.edge_inference.snapshotting import Snapshotting
from causeway.edge_inference.surroundings import SiteSurroundings
from causeway.edge_inference.upkeep import Upkeep
from causeway.edge_inference.vault import Vault, wall_clock_ms
from causeway.edge_inference.vectors import VectorFollowing
from causeway.proto import subjects
from causeway.runtime.exposition import Exposition
from causeway.runtime.tracing import tracer_provider

# Of every place: the log of this one holds what others share, too.
FOLLOWED = (
    subjects.KNOWLEDGE_CHUNK,
    subjects.KNOWLEDGE_DOCUMENT,
    subjects.KNOWLEDGE_SHADOW,
    subjects.WATERMARK,
)
DESCRIPTION = "Answers questions from this site's own documents, with citations."
T = TypeVar("T")
_COMPLETE_POLL_S = 0.2
_JOIN_S_MAX = 10.0
"""How long what became searchable waits to be told until it can be asked for; longer, the bus is away."""


class Service:
    """`async with Service(...)`: loads, connects, follows; asks are taken from the moment the log's end is reached.

    The vault is closed with it. Raises VaultTamperedError on entering when the vault is not what was sealed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        vault: Vault,
        kek: bytes,
        encoder: Encoder,
        successor: Callable[[], VectorIndex],
        generator: Generator | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.bus = Bus(BusSettings.of(settings, SERVICE, self.registry, tracer_provider(SERVICE, settings.site)))
        self._settings = settings
        self._vault = vault
        vault.space = encoder.model_id
        self._kek = kek
        self._encoder = encoder
        self._generator = generator
        self._indexes = KnowledgeIndexes(encoder.model_id, encoder.dims, successor)
        self._stack = AsyncExitStack()
        # One thread changes the vault and the indexes; asks have their own, so neither waits in the other's queue.
        self._storage = ThreadPoolExecutor(1, "storage")
        self._asks = ThreadPoolExecutor(settings.ask_threads, "ask")
        self.caught_up = asyncio.Event()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def until(self, stop: asyncio.Event) -> None:
        """Sweep, seal again, measure and copy terms by the side, until told to stop."""
        upkeep = Upkeep(
            self.following,
            self.replica,
            self._storage,
            self.metrics,
            Resealing(self._vault, self._kek),
            quiet=lambda: self.follower.lag == 0,
            interval_s=self._settings.sweep_interval_s,
        )
        rule = SnapshotRule(
            after_chunks=self._settings.snapshot_after_chunks, age_max_s=self._settings.snapshot_age_max_s
        )
        snapshotting = Snapshotting(self.replica, self.metrics, rule, quiet=lambda: self.follower.lag == 0)
        async with asyncio.TaskGroup() as group:
            group.create_task(upkeep.until(stop))
            group.create_task(snapshotting.until(stop))
            group.create_task(self._serve_when_complete(stop))

    def run_on_storage(self, act: Callable[[], T]) -> asyncio.Future[T]:
        """Do something on the thread that changes the vault and the indexes, after what waits there."""
        return asyncio.get_running_loop().run_in_executor(self._storage, act)

    def not_ready(self) -> str:
        """Why this replica can not answer, or an empty string when it can."""
        if not self.following.caught_up:
            return f"catching up with KNOWLEDGE, {self.follower.lag} entries to go"
        if not self.caught_up.is_set():
            return f"{self.replica.indexes.lacking} chunks have no vector of {self._encoder.model_id} yet"
        if not self.serving.ready.is_set():
            return "joining the queue group"
        return "" if self.bus.connected else "not connected to nats-server, trying again"

    async def _start(self) -> None:
        self._stack.callback(self._storage.shutdown)
        self._stack.callback(self._asks.shutdown)
        renew_spent_key(self._vault, self._kek)
        rule = SweepRule(
            dropped_after_s=self._settings.sweep_dropped_after_s,
            waiting_after_s=self._settings.sweep_waiting_after_s,
        )
        self.replica = Replica(self._vault, self._indexes, rule, wall_clock_ms)
        self._stack.push_async_callback(_on, self._storage, self.replica.close)
        await _on(self._storage, self.replica.load)
        await self._connect()

    async def _connect(self) -> None:
        finder = Finder(self._encoder, self._settings.ask_threads)
        await _on(self._asks, finder.warm)
        answering = Answering(self._settings.site, self._vault, self._indexes, finder)
        self._recalling = Recalling(self._settings.site, self._vault)
        self._stack.push_async_callback(self._recalling.close)
        count = self.metrics.reworded
        self.around = SiteSurroundings(
            self._settings,
            self.bus,
            self.registry,
            LocalModel(self._generator, lambda author: count.labels(written_by=author).inc()),
            model_id=self._encoder.model_id,
            dims=self._encoder.dims,
            asks_running=lambda: self.asking.running,
            carried=self._recalling.carried,
        )
        self.asking = Asking(answering, self._asks, self.metrics, self.around.scheduling)
        self._follow()
        self._stack.enter_context(Exposition(self.registry, self.not_ready, self._settings.metrics_port))
        await self._stack.enter_async_context(self.bus)
        await self._stack.enter_async_context(self.around)
        # The last asks are answered before what they are told to goes.
        self._stack.push_async_callback(self._leave)

    async def _leave(self) -> None:
        if self.caught_up.is_set():
            await self.bus.release(self.serving)

    def _follow(self) -> None:
        self.following = Following(
            self._settings.site,
            self.bus,
            self.replica,
            self._storage,
            self.metrics,
            clock_ms=wall_clock_ms,
            on_caught_up=self._caught_up,
        )
        self.follower = self.bus.follow(
            subjects.KNOWLEDGE_CHUNK.stream,
            [row.at("*") for row in FOLLOWED],
            self.following.position,
            self.following.handle,
            message_types=tuple(kind for row in FOLLOWED for kind in row.carries),
            batch_max=self._settings.batch_messages_max,
            on_caught_up=self.following.at_end,
            on_reset=self.following.reset,
        )
        self.following.followed = lambda: self.follower.position
        self.vectors = VectorFollowing(self.bus, self.replica, self._storage, self._encoder.model_id)

    async def _caught_up(self) -> None:
        if self._settings.serve_when == "caught-up":
            await self._serve()

    async def _serve_when_complete(self, stop: asyncio.Event) -> None:
        """Join the queue group once every chunk has a vector of this space and its terms, if not sooner."""
        while not stop.is_set() and not self.caught_up.is_set():
            if self.following.caught_up and self.vectors.at_end and not self._incomplete():
                await self._serve()
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _COMPLETE_POLL_S)

    def _incomplete(self) -> int:
        return self.replica.indexes.lacking + self.replica.indexes.behind

    async def _serve(self) -> None:
        """Join the queue group: not before, because a replica that lags would say that nothing is known."""
        about = {"site": self._settings.site, "model": self._encoder.model_id, "index": self._settings.index}
        endpoints = [
            *self.asking.endpoints(self._settings.site, self._settings.ask_concurrency_max),
            *self._recalling.endpoints(),
        ]
        self.serving = self.bus.serve(SERVICE, version("causeway-edge-inference"), DESCRIPTION, endpoints, about)
        self.caught_up.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.serving.ready.wait(), _JOIN_S_MAX)


async def _on(executor: ThreadPoolExecutor, act: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, act)
