"""A hub and a site with sync-delta as shipped, and the moments at which what was written has arrived."""

import asyncio
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from causeway.bus import Bus, BusError
from causeway.cli.link_cut import LinkCut
from causeway.proto import streams, subjects
from causeway.proto.knowledge import Watermark
from causeway.proto.link import Verified, VerifyAsked
from causeway.proto.subjects import HUB
from tests.bench.link_documents import KB, Written
from tests.faults.processes import CHUNK_KEYS, Processes, processes_of
from tests.support.linked_servers import LinkedServers, linked
from tests.support.waiting import pause, until_async

SITE = "a"
KEY = CHUNK_KEYS[SITE]
OUTBOX = streams.outbox(SITE).name
KNOWLEDGE = subjects.WATERMARK.stream
BOUND_S = 1_800.0
ATTEMPT_S = 60.0
HUB_SYNC = f"sync-delta.{HUB}"
MILVUS_URI = "SYNC_DELTA_MILVUS_URI"


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """Bytes on the wire in both directions, and how long it took."""

    up: int
    down: int
    seconds: float

    @property
    def bytes(self) -> int:
        """Of both directions."""
        return self.up + self.down


@dataclass(kw_only=True)
class BenchLink:
    """`site` and `hub` are buses of the places' own accounts, `link` is the site's side of the link."""

    fleet: LinkedServers
    processes: Processes
    site: Bus
    link: Bus
    hub: Bus
    milvus_uri: str

    @property
    def wire(self) -> LinkCut:
        """What counts and cuts."""
        return self.fleet.links[SITE]

    async def write(self, written: Written) -> None:
        """Chunks, then documents."""
        await self.site.publish_many(written.chunks, timeout_s=ATTEMPT_S)
        await self.site.publish_many(written.documents, timeout_s=ATTEMPT_S)

    async def outbox_seq(self) -> int:
        """The last message that the site shares."""
        return await self.link.last_seq(OUTBOX)

    async def applied_seq(self) -> int:
        """How far the hub's KNOWLEDGE has it."""
        stored = await self.hub.last(KNOWLEDGE, subjects.WATERMARK.at(SITE))
        return stored.message.outbox_seq if stored and isinstance(stored.message, Watermark) else 0

    async def until_applied(self, outbox_seq: int) -> None:
        """Return once the hub has applied the outbox up to there."""

        async def is_applied() -> bool:
            return await self.applied_seq() >= outbox_seq

        await until_async(is_applied, BOUND_S)

    async def until_counted(self, place: str, name: str, count: int) -> None:
        """Return once a counter of a sync-delta has come so far since its start."""

        async def is_reached() -> bool:
            return await self.metric(place, name) >= count

        await until_async(is_reached, BOUND_S)

    async def metric(self, place: str, name: str) -> float:
        """The sum over the labels of a metric of a sync-delta."""
        port = self.processes.metrics_ports[f"sync-delta.{place}"]
        lines = await asyncio.to_thread(_metrics, port)
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    async def cut(self) -> None:
        """Return when the hub has noticed."""
        self.fleet.cut(SITE)
        await self.fleet.until_unlinked(SITE)

    async def heal(self) -> float:
        """Return the moment of the cure, once there is a connection."""
        healed_s = time.monotonic()
        self.fleet.heal(SITE)
        await self.fleet.until_linked(SITE)
        return healed_s

    async def until_equal(self) -> Verified:
        """Return once a comparison says that both sides hold the same and nothing is under way."""
        deadline = time.monotonic() + BOUND_S
        while time.monotonic() < deadline:
            try:
                subject = subjects.LINK_VERIFY.at(SITE)
                found = await self.site.request(subject, VerifyAsked(), Verified, timeout_s=ATTEMPT_S)
            except (BusError, TimeoutError):
                continue
            if found.equal and not found.unsettled:
                return found
        raise TimeoutError("no comparison said that both sides hold the same")

    async def crossing(self, work: Awaitable[None], seconds_min: float = 0.0) -> Crossed:
        """What crosses while this is done, and for at least so long."""
        self.wire.reset()
        began = time.monotonic()
        await work
        await pause(max(0.0, began + seconds_min - time.monotonic()))
        return Crossed(up=self.wire.bytes_up, down=self.wire.bytes_down, seconds=time.monotonic() - began)

    async def add_milvus(self) -> None:
        """Start Milvus, and sync-delta of the hub again so that it fills it."""
        self.processes.children["milvus"].start()
        hub = self.processes.children[HUB_SYNC]
        hub.end(signal.SIGTERM)
        hub.environment[MILVUS_URI] = self.milvus_uri
        hub.start()
        await self.processes.ready(HUB_SYNC)


def _metrics(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        return str(reply.read().decode()).splitlines()


@asynccontextmanager
async def bench_link(
    folder: Path, *, tls: bool = False, settings: Mapping[str, str] | None = None
) -> AsyncIterator[BenchLink]:
    """Servers and sync-delta of a hub and one site; without `settings` with those that they are shipped with."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(linked(folder / "fleet", sites=(SITE,), kbs=(KB,), tls=tls))
        processes = processes_of(fleet, folder, milvus=True)
        stack.callback(processes.stop)
        milvus_uri = processes.children[HUB_SYNC].environment.pop(MILVUS_URI)
        for name in processes.metrics_ports:
            processes.children[name].environment |= settings or {}
            processes.children[name].start()
        await asyncio.gather(*(processes.ready(name) for name in processes.metrics_ports))
        site, link, hub = [
            await stack.enter_async_context(fleet.bus(place, account, service="bench", streams_wait_s=None))
            for place, account in ((SITE, "app"), (SITE, "link"), (HUB, "app"))
        ]
        yield BenchLink(fleet=fleet, processes=processes, site=site, link=link, hub=hub, milvus_uri=milvus_uri)
