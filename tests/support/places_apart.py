"""A hub and a site in two network namespaces with sync-delta as shipped, a bad line between them, and a replica."""

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from causeway.bus import BusError
from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.service import Service
from causeway.edge_inference.settings import Settings
from causeway.proto.link import Verified, VerifyAsked
from causeway.proto.subjects import HUB, LINK_VERIFY
from tests.faults.processes import Processes, processes_of
from tests.support.hashed_encoder import HashedEncoder
from tests.support.knowledge_builders import KEK, open_vault
from tests.support.line import Conditions
from tests.support.linked_servers import PASSWORD, LinkedServers, linked
from tests.support.sync_delta_places import PlaceLog, key_of, writer
from tests.support.wide_link import WideLink, wide_link

SITE = "a"
BOUND_S = 60.0
ATTEMPT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Apart:
    """The two places, and what is written and read at either."""

    link: WideLink
    fleet: LinkedServers
    processes: Processes
    site: PlaceLog
    hub: PlaceLog

    async def cut(self) -> float:
        """Cut, and return once the hub has given the connection up. Returns the moment of the cut."""
        return await cut(self.link, self.fleet)

    async def heal(self) -> float:
        """Heal. Returns the moment."""
        await asyncio.to_thread(self.link.heal)
        return time.monotonic()

    async def shared_bytes(self, place: str) -> float:
        """What the sync-delta of a place has put into its outbox since it was started."""
        page = f"http://127.0.0.1:{self.processes.metrics_ports[f'sync-delta.{place}']}/metrics"
        lines = (await asyncio.to_thread(_read, page)).splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith("causeway_sync_delta_sent_bytes_total "))

    async def until_equal(self, bound_s: float = BOUND_S) -> Verified:
        """Return once a comparison finds no difference and nothing under way."""
        async with asyncio.timeout(bound_s):
            while True:
                try:
                    subject = LINK_VERIFY.at(SITE)
                    found = await self.site.app.request(subject, VerifyAsked(), Verified, timeout_s=ATTEMPT_S)
                except (BusError, TimeoutError):
                    continue
                if found.equal and not found.unsettled:
                    return found


def _read(page: str) -> str:
    with urllib.request.urlopen(page, timeout=10) as reply:
        return str(reply.read().decode())


async def cut(link: WideLink, fleet: LinkedServers) -> float:
    """Cut, and return once the hub has given the connection up. Returns the moment of the cut."""
    cut_s = time.monotonic()
    await asyncio.to_thread(link.cut)
    await fleet.until_unlinked(SITE)
    return cut_s


@asynccontextmanager
async def servers_apart(
    folder: Path, conditions: Conditions, *, compression: str = "s2_fast", keep: bool = False
) -> AsyncIterator[tuple[WideLink, LinkedServers]]:
    """The two servers with their streams and the line between them, and nothing else. `keep` keeps packets."""
    with wide_link(conditions, keep_path=folder / "link.pcap" if keep else None) as link:
        where = link.where(SITE)
        async with linked(folder / "fleet", sites=(SITE,), compression=compression, where=where) as fleet:
            yield link, fleet


@asynccontextmanager
async def apart(
    folder: Path,
    conditions: Conditions,
    *,
    compression: str = "s2_fast",
    keep: bool = False,
) -> AsyncIterator[Apart]:
    """All of it with the settings as shipped, running, with one document that has crossed. `keep` keeps packets."""
    async with AsyncExitStack() as stack:
        servers = servers_apart(folder, conditions, compression=compression, keep=keep)
        link, fleet = await stack.enter_async_context(servers)
        processes = processes_of(fleet, folder, milvus=False)
        for child in processes.children.values():
            stack.callback(child.end)
        for place in (HUB, SITE):
            key = folder / f"{place}.chunk-key"
            key.write_text(key_of(place).hex())
            child = processes.children[f"sync-delta.{place}"]
            child.environment |= {"SYNC_DELTA_CHUNK_KEY_FILE": str(key)}
            child.start()
        await asyncio.gather(*(processes.ready(name) for name in processes.metrics_ports))
        hub, site = [await stack.enter_async_context(writer(fleet, place)) for place in (HUB, SITE)]
        await hub.until_revision(SITE, "first", await site.write("first", ["It begins."]), bound_s=BOUND_S)
        yield Apart(link=link, fleet=fleet, processes=processes, site=site, hub=hub)


@asynccontextmanager
async def replica_at(fleet: LinkedServers, place: str, folder: Path) -> AsyncIterator[Service]:
    """edge-inference of a place, caught up, with an encoder that costs nothing."""
    settings = _replica_settings(fleet, place, folder)
    encoder = HashedEncoder()
    service = Service(
        settings,
        vault=open_vault(folder, clock_ms=None),
        kek=KEK,
        encoder=encoder,
        successor=lambda: ExactIndex(encoder.dims),
        generator=None,
    )
    stop = asyncio.Event()
    async with service:
        upkeep = asyncio.create_task(service.until(stop))
        try:
            async with asyncio.timeout(BOUND_S):
                await service.caught_up.wait()
                await service.serving.ready.wait()
            yield service
        finally:
            stop.set()
            await upkeep


def _replica_settings(fleet: LinkedServers, place: str, folder: Path) -> Settings:
    folder.mkdir()
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    return Settings(
        site=place,
        nats_url=fleet.url(place),
        nats_user="causeway",
        nats_password_file=password,
        vault_dir=folder,
        metrics_port=-1,
        index="exact",
    )
