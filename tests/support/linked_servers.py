"""A hub and sites as real nats-server processes, from the rendered configurations, with a link that can be cut.

async with linked(tmp_path, sites=("a", "b"), kbs=("k",)) as fleet:
    async with fleet.bus("a", account="link") as bus: ...
    fleet.cut("a"); fleet.heal("a"); await fleet.kill("hub"); await fleet.restart("hub")
"""

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from causeway.bus import Bus, BusSettings, add_source, declare_feed, end_leaf_links, reload_servers
from causeway.bus.streams import declare
from causeway.cli.link_cut import LinkCut
from causeway.cli.ports import free_port
from causeway.proto import streams
from causeway.proto.subjects import HUB
from causeway.topology import pki
from causeway.topology.description import Fleet, Hub, LinkKind, Ports, Site
from causeway.topology.hub_config import ACCOUNTS_FILE, HubServer, render_accounts, render_hub_config
from causeway.topology.names import site_account
from causeway.topology.server_config import Store, TlsFiles
from causeway.topology.site_config import Link, SiteServer, render_site_config
from causeway.topology.site_keys import new_seed, public_key
from causeway.topology.sources import hub_feeds, hub_source, site_sources
from tests.support.nats_server import server_binary
from tests.support.waiting import until_async

READY_S_MAX = 20.0
STOP_S_MAX = 10.0
PASSWORD = "kPassword"
STORAGE_KEY = "kStorageKeyOfTheseTestsThatHas32Chars"
POLL_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where a server runs: `host` is for its clients, `link_host` for its sites, `prefix` what its command begins with.

    A site with a `Where` of its own reaches the hub's `link_host` by itself, without a `LinkCut`.
    """

    host: str = "127.0.0.1"
    link_host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


@dataclass
class Place:
    """One server: its folder, its ports, and its process while it runs."""

    name: str
    folder: Path
    where: Where = Where()
    port: int = field(default_factory=free_port)
    monitor_port: int = field(default_factory=free_port)
    seed: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def config_path(self) -> Path:
        return self.folder / "nats-server.conf"

    @property
    def log_path(self) -> Path:
        return self.folder / "server.log"

    @property
    def log(self) -> str:
        """All that the server has said."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self) -> None:
        """Start, and return once the server says that it is ready."""
        assert self.process is None, "already running"
        offset = len(self.log)
        command = [*self.where.prefix, server_binary(), "-c", str(self.config_path), "-l", str(self.log_path)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(self.seed)
        )
        self._wait_for("Server is ready", offset)

    def _wait_for(self, words: str, offset: int) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while words not in self.log[offset:]:
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                pytest.fail(f"{self.name}: no {words!r}:\n{self.log[offset:]}")
            time.sleep(POLL_S)

    def reload(self) -> None:
        """SIGHUP: the configuration is read again."""
        assert self.process is not None
        offset = len(self.log)
        self.process.send_signal(signal.SIGHUP)
        self._wait_for("Reloaded server configuration", offset)

    def end(self, number: signal.Signals) -> None:
        """Send a signal that ends the process, and wait."""
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S_MAX)
        self.process = None

    def monitor(self, page: str) -> Any:
        """A page of the server's monitor, such as `leafz`."""
        with urllib.request.urlopen(f"http://{self.where.host}:{self.monitor_port}/{page}", timeout=20) as reply:
            return json.loads(reply.read())


def environment(seed: str) -> dict[str, str]:
    """The secrets of a server, as its operator gives them."""
    secrets = {
        "CAUSEWAY_STORAGE_KEY": STORAGE_KEY,
        "CAUSEWAY_NATS_PASSWORD": PASSWORD,
        "CAUSEWAY_LINK_PASSWORD": f"{PASSWORD}Link",
        "CAUSEWAY_LEAF_SEED": seed,
    }
    return {**os.environ, **secrets}


@dataclass
class LinkedServers:
    """A running fleet. `fleet` says what it is; `add` and `remove` change it while it runs."""

    root: Path
    fleet: Fleet
    tls: bool
    keep: bool
    authority: pki.Credentials | None
    where: Mapping[str, Where] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    links: dict[str, LinkCut] = field(default_factory=dict)

    def url(self, place: str) -> str:
        """Where clients of a place connect."""
        return f"nats://{self.places[place].where.host}:{self.places[place].port}"

    def settings(self, place: str, account: str = "app", service: str = "sync-delta", **more: Any) -> BusSettings:
        """How a service of a place connects. The hub has one account."""
        linked_user = account == "link" and place != HUB
        chosen: dict[str, Any] = {"streams_wait_s": 5.0, "reconnect_wait_s": 0.1, "drain_timeout_s": 5.0} | more
        return BusSettings(
            url=self.url(place),
            site=place,
            service=service,
            user="link" if linked_user else "causeway",
            password=f"{PASSWORD}Link" if linked_user else PASSWORD,
            **chosen,
        )

    def bus(self, place: str, account: str = "app", service: str = "sync-delta", **more: Any) -> Bus:
        """A bus to enter with `async with`. `account` is `app` or `link`."""
        return Bus(self.settings(place, account, service, **more))

    def cut(self, site: str) -> None:
        """Nothing crosses the link of this site any more; neither side is told."""
        self.links[site].cut()

    def heal(self, site: str) -> None:
        """The link is there again."""
        self.links[site].heal()

    async def kill(self, place: str) -> None:
        """SIGKILL."""
        await asyncio.to_thread(self.places[place].end, signal.SIGKILL)

    async def restart(self, place: str) -> None:
        """Kill if it runs, and start on the same store and ports."""
        await self.kill(place)
        await asyncio.to_thread(self.places[place].start)

    async def leaf(self, site: str) -> dict[str, Any] | None:
        """The site's leaf connection as the hub sees it, or None."""
        page = await asyncio.to_thread(self.places[HUB].monitor, "leafz")
        return next((row for row in page.get("leafs") or [] if row["account"] == f"SITE_{site}"), None)

    async def until_linked(self, site: str, bound_s: float = 20.0) -> dict[str, Any]:
        """Return the leaf connection once it is there."""

        async def is_linked() -> bool:
            return await self.leaf(site) is not None

        await until_async(is_linked, bound_s)
        found = await self.leaf(site)
        assert found is not None
        return found

    async def until_unlinked(self, site: str, bound_s: float = 20.0) -> None:
        """Return once the hub has noticed that the link is gone."""

        async def is_gone() -> bool:
            return await self.leaf(site) is None

        await until_async(is_gone, bound_s)

    async def add(self, name: str, kbs: Sequence[str], link: LinkKind = LinkKind.LEAF) -> None:
        """Add a site to the running hub, as `causeway site add` does, and start it."""
        seed = new_seed()
        site = Site(name=name, nkey=public_key(seed), kbs=tuple(kbs), link=link)
        self.fleet = self.fleet.with_site(site)
        await self.reload()
        await self._start_site(site, seed)

    async def remove(self, name: str) -> None:
        """Cut a site off for good: its account goes, its server runs on."""
        self.fleet = self.fleet.without_site(name)
        await self.reload()
        async with self.bus(HUB) as bus:
            await end_leaf_links(bus, site_account(name))

    async def reload(self) -> None:
        """Give the running hub the accounts of `fleet`."""
        self._write_accounts()
        async with self.bus(HUB) as bus:
            await reload_servers(bus)

    def _write_accounts(self) -> None:
        (self.places[HUB].folder / ACCOUNTS_FILE).write_text(render_accounts(self.fleet))

    async def start_hub(self) -> None:
        """The hub's server with all its streams."""
        place = self.places[HUB] = Place(HUB, self.root / HUB, self._where(HUB))
        place.folder.mkdir(parents=True)
        self.fleet = replace(self.fleet, hub=replace(self.fleet.hub, ports=self._hub_ports(place)))
        server = HubServer(
            store=_store(place),
            client_host=place.where.host,
            link_host=place.where.link_host,
            monitor_host=place.where.host,
            tls=self._certificate(HUB),
        )
        place.config_path.write_text(render_hub_config(self.fleet.hub, server))
        self._write_accounts()
        await asyncio.to_thread(place.start)
        async with self.bus(HUB) as bus:
            wanted = (*streams.ALL_SITE, streams.outbox(HUB), streams.INBOX)
            await declare(bus, wanted, fresh=True, buckets=streams.ALL_HUB_BUCKETS)

    def _hub_ports(self, place: Place) -> Ports:
        wss = free_port() if self.fleet.hub.ports.websocket else 0
        return Ports(client=place.port, leaf=free_port(), websocket=wss, monitor=place.monitor_port)

    async def _start_site(self, site: Site, seed: str) -> None:
        place = self.places[site.name] = Place(site.name, self.root / site.name, self._where(site.name), seed=seed)
        place.folder.mkdir(parents=True)
        if site.name not in self.where:
            await self._link(site)
        server = SiteServer(
            site=site.name,
            port=place.port,
            monitor_port=place.monitor_port,
            store=_store(place),
            host=place.where.host,
            monitor_host=place.where.host,
        )
        place.config_path.write_text(render_site_config(server, self._joined(site)))
        await asyncio.to_thread(place.start)
        # A source that is added before there is a link waits for its next try, as long as one that lost it.
        await self.until_linked(site.name)
        async with self.bus(site.name) as app, self.bus(site.name, "link") as link, self.bus(HUB) as hub:
            await declare(app, fresh=True)
            wanted = (streams.CANARY, streams.outbox(site.name), streams.INBOX)
            await declare(link, wanted, fresh=True, buckets=())
            for feed in hub_feeds(site.name, site.kbs):
                await declare_feed(hub, feed)
            for source in site_sources(site.name, site.kbs):
                await add_source(link, streams.INBOX.name, source)
            await add_source(hub, streams.INBOX.name, hub_source(site.name))

    def _where(self, place: str) -> Where:
        return self.where.get(place, Where())

    def _link_port(self, site: Site) -> int:
        ports = self.fleet.hub.ports
        return ports.leaf if site.link is LinkKind.LEAF else ports.websocket

    async def _link(self, site: Site) -> None:
        self.links[site.name] = await LinkCut(self._link_port(site), keep=self.keep).start()

    def _joined(self, site: Site) -> Link:
        secured = {LinkKind.LEAF: "tls", LinkKind.WSS: "wss"}
        plain = {LinkKind.LEAF: "nats-leaf", LinkKind.WSS: "ws"}
        scheme = (secured if self.tls else plain)[site.link]
        proxy = self.links.get(site.name)
        reached = f"127.0.0.1:{proxy.port}" if proxy else f"{self._where(HUB).link_host}:{self._link_port(site)}"
        url = f"{scheme}://{reached}"
        return Link(urls=(url,), compression=self.fleet.hub.compression, tls=self._certificate(site.name))

    def _certificate(self, place: str) -> TlsFiles | None:
        if self.authority is None:
            return None
        now = datetime.now(UTC)
        if place == HUB:
            made = pki.server_certificate(self.authority, ("127.0.0.1", "localhost"), now=now)
        else:
            made = pki.site_certificate(self.authority, place, now=now)
        return write_certificate(self.root / place, self.authority, made)

    async def stop(self) -> None:
        """End every server and every link."""
        for link in self.links.values():
            await link.stop()
        for place in self.places.values():
            await asyncio.to_thread(place.end, signal.SIGKILL)


def write_certificate(folder: Path, authority: pki.Credentials, made: pki.Credentials) -> TlsFiles:
    """Certificate, key and authority as files."""
    files = {"tls.crt": made.certificate, "tls.key": made.key, "ca.crt": authority.certificate}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    paths = [str(folder / name) for name in files]
    return TlsFiles(certificate=paths[0], key=paths[1], authority=paths[2])


def _store(place: Place) -> Store:
    return Store(folder=str(place.folder / "jetstream"), gb=1_000)


@asynccontextmanager
async def linked(
    tmp_path: Path,
    sites: Sequence[str] = ("a", "b"),
    *,
    tls: bool = False,
    websocket: bool = False,
    kbs: Sequence[str] | Mapping[str, Sequence[str]] = ("k",),
    compression: str = "s2_fast",
    keep: bool = False,
    where: Mapping[str, Where] | None = None,
) -> AsyncIterator[LinkedServers]:
    """A hub and these sites, linked and with all their streams. `keep` keeps every byte that crosses a link.

    `kbs` are the knowledge bases of the hub that the sites subscribe: the same for all, or by site. `where` puts the
    servers of places elsewhere than on this host's loopback.
    """
    authority = pki.new_authority("tests", now=datetime.now(UTC)) if tls else None
    seeds = {site: new_seed() for site in sites}
    link = LinkKind.WSS if websocket else LinkKind.LEAF
    described = tuple(
        Site(name=name, nkey=public_key(seed), kbs=tuple(kbs[name] if isinstance(kbs, Mapping) else kbs), link=link)
        for name, seed in seeds.items()
    )
    hub = Hub(ports=Ports(websocket=1 if websocket else 0), tls=tls, compression=compression)
    fleet = LinkedServers(
        root=tmp_path,
        fleet=Fleet(hub=hub, sites=described),
        tls=tls,
        keep=keep,
        authority=authority,
        where=where or {},
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fleet.stop)
        await fleet.start_hub()
        for site in described:
            await fleet._start_site(site, seeds[site.name])
        yield fleet
