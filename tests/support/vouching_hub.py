"""A hub that says how citations stand, and a site that asks it: real servers and link, sync-delta's shelf on Milvus."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, Caller, Endpoint, Serving
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.vouching import Vouching
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_cache import AnswerCache
from causeway.edge_inference.answer_cache_metrics import AnswerCacheMetrics
from causeway.edge_inference.answer_index import AnswerIndex, DocumentName
from causeway.edge_inference.answers_following import AnswersFollowing
from causeway.edge_inference.foreign_watching import ForeignWatching
from causeway.edge_inference.invalidating import Invalidating
from causeway.milvus.shelf import MilvusShelf
from causeway.milvus.values import ShelfPosition
from causeway.proto import streams, subjects
from causeway.proto.answers import Answer, Route
from causeway.proto.cloud import CitationsAsked, CitationsStanding
from causeway.proto.feedback import AnswerInvalidated, CitedChunk
from causeway.sync_delta.shelving import Shelving
from tests.support.answers_given import answer_of, ask_of
from tests.support.knowledge_builders import DIMS, unit_vector
from tests.support.knowledge_log import Entry, publish
from tests.support.linked_servers import LinkedServers, linked
from tests.support.replica_site import BOUND_S, QUESTION, SITE
from tests.support.waiting import until, until_async

MODEL = "hashed/test@1"
EVERY_S = 0.2


def cloud_answer(answer_id: str = "a1", hub_seq: int = 0, since: int = 0) -> Answer:
    """An answer of the hub, made at a position of its log."""
    return answer_of(answer_id, route=Route.CLOUD, epoch={SITE: since}, hub_seq=hub_seq)


@dataclass(kw_only=True)
class VouchingHub:
    """The hub's side. `asked` are the requests that came."""

    bus: Bus
    shelf: MilvusShelf
    shelving: Shelving | None = None
    serving: Serving | None = None
    asked: list[CitationsAsked] = field(default_factory=list)

    async def shelve(self) -> None:
        """sync-delta's part, running."""
        self.shelving = Shelving(self.bus, self.shelf, registry=CollectorRegistry())

    async def stop_shelving(self) -> None:
        """Nothing comes onto the shelf any more."""
        if self.shelving is not None:
            await self.shelving.stop()
            self.shelving = None

    async def serve(self) -> None:
        """cloud-inference's part, running."""
        vouching = Vouching(self.shelf, Metrics(CollectorRegistry()))

        async def standing(_: Caller, asked: CitationsAsked) -> CitationsStanding:
            self.asked.append(asked)
            return await vouching.standing(asked)

        endpoint = Endpoint(
            name="standing",
            subject=subjects.CLOUD_STANDING.at("*"),
            handler=standing,
            request_type=CitationsAsked,
        )
        self.serving = self.bus.serve("cloud-inference", "1.0.0", "A part of it.", [endpoint])
        await asyncio.wait_for(self.serving.ready.wait(), BOUND_S)

    async def stop_serving(self) -> None:
        """Nobody says how citations stand."""
        if self.serving is not None:
            await self.bus.release(self.serving)
            self.serving = None

    async def change(self, *entries: Entry) -> int:
        """Write to the hub's log, and wait until it is on the shelf. Returns the position."""
        await publish(self.bus, *entries)
        return await self.shelved()

    async def shelved(self) -> int:
        """Wait until the shelf has come to the end of the log, and return that."""
        last = await self.bus.last_seq(streams.KNOWLEDGE.name)

        async def there() -> bool:
            return (await self.shelf.position()).seq >= last

        await until_async(there)
        return last

    async def close(self) -> None:
        """Let go of all."""
        await self.stop_serving()
        await self.stop_shelving()
        await self.shelf.close()


@dataclass(kw_only=True)
class AskingSite:
    """One replica's part at the site that follows what is cited of other places."""

    bus: Bus
    link: Bus
    cache: AnswerCache
    invalidating: Invalidating
    watching: ForeignWatching
    registry: CollectorRegistry

    async def keep(self, answer: Answer, *chunks: CitedChunk) -> None:
        """Offer an answer to the cache, and wait until it is there."""
        await self.cache.keep(ask_of(), "en", unit_vector(QUESTION), answer, list(chunks))
        await until(lambda: self.cache.held("handbook") > 0)

    def given(self) -> bool:
        """Whether the cache has an answer to QUESTION now."""
        return self.cache.look(ask_of(), "en", unit_vector(QUESTION)).answer is not None

    def count(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.registry.get_sample_value(f"causeway_edge_inference_{name}", labels) or 0.0

    def looks(self, outcome: str) -> float:
        """How many looks came to this."""
        return self.count("foreign_rounds_total", outcome=outcome)

    async def another_look(self, outcome: str, more: int = 2) -> None:
        """Wait for so many more looks that come to this: the last of them began after now."""
        before = self.looks(outcome)
        await until(lambda: self.looks(outcome) >= before + more)


@dataclass(kw_only=True)
class VouchingFleet:
    """The servers, the hub, and the site's own bus."""

    servers: LinkedServers
    hub: VouchingHub
    bus: Bus

    @asynccontextmanager
    async def site(
        self, carried: Collection[DocumentName] = (), *, linked_first: bool = True, timeout_s: float = 10.0
    ) -> AsyncIterator[AskingSite]:
        """A replica that has caught up; `carried` is what the site's own log carries. Its `link` is started, or not.
        A hub that says nothing for `timeout_s` is taken for one that is away."""
        registry = CollectorRegistry()
        own, link = self.servers.bus(SITE, service="edge-inference"), self.servers.bus(SITE, "link", "edge-link")
        metrics = AftermathMetrics(registry)
        cache = AnswerCache(own, SITE, MODEL, DIMS, AnswerCacheMetrics(registry))
        answers = AnswersFollowing(own, SITE, AnswerIndex(1_000), metrics)
        invalidating = Invalidating(own, SITE, answers, metrics, on_changed=[cache.on_changed])

        async def carries(documents: Collection[DocumentName]) -> set[DocumentName]:
            return set(documents) & set(carried)

        watching = ForeignWatching(
            link, SITE, invalidating, cache, carries, metrics, every_s=EVERY_S, timeout_s=timeout_s
        )
        asking = AskingSite(
            bus=own, link=link, cache=cache, invalidating=invalidating, watching=watching, registry=registry
        )
        async with own, AsyncExitStack() as stack:
            await asyncio.wait_for(cache.follower.caught_up.wait(), BOUND_S)
            await asyncio.wait_for(invalidating.follower.caught_up.wait(), BOUND_S)
            if linked_first:
                await stack.enter_async_context(link)
            else:
                stack.push_async_callback(link.stop)
            await stack.enter_async_context(watching)
            yield asking

    async def told(self) -> list[AnswerInvalidated]:
        """All that was told at the site."""
        found = [delivery.message async for delivery in self.bus.scan(streams.INVALIDATIONS.name, [])]
        return [message for message in found if isinstance(message, AnswerInvalidated)]

    async def told_of(self, many: int, bound_s: float = BOUND_S) -> list[AnswerInvalidated]:
        """Wait until so many were told, and return them."""

        async def there() -> bool:
            return len(await self.told()) >= many

        await until_async(there, bound_s)
        return await self.told()


@asynccontextmanager
async def vouching_fleet(root: Path, milvus_uri: str) -> AsyncIterator[VouchingFleet]:
    """A hub whose log is shelved and which says how citations stand, and a linked site."""
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(linked(root, sites=(SITE,)))
        at_hub = await stack.enter_async_context(servers.bus("hub", service="cloud-inference"))
        hub = VouchingHub(bus=at_hub, shelf=MilvusShelf(milvus_uri, timeout_s=20.0))
        stack.push_async_callback(hub.close)
        # Another test may have left its log's position, and its documents.
        await hub.shelf.start()
        await hub.shelf.clear()
        await hub.shelf.put_position(ShelfPosition())
        await hub.shelve()
        await hub.serve()
        bus = await stack.enter_async_context(servers.bus(SITE))
        yield VouchingFleet(servers=servers, hub=hub, bus=bus)
