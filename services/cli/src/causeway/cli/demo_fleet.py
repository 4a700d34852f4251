"""A hub and two sites for the demo, on one machine, each link through a proxy that can be cut."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from causeway.cli.connection import find_site
from causeway.cli.console import STDERR
from causeway.cli.engine_config import EngineConfig
from causeway.cli.hub_folder import init_hub, new_site, read_fleet, write_fleet
from causeway.cli.link_cut import LinkCut
from causeway.cli.place import Start, running_place
from causeway.cli.ports import free_port
from causeway.cli.sessions import session
from causeway.cli.site_config import PortsConfig, SiteConfig
from causeway.cli.site_console import SiteConsole
from causeway.cli.site_folder import SiteFolder
from causeway.client import Client
from causeway.proto.subjects import HUB
from causeway.topology.description import Hub, Ports, Site

SITES = ("plant-1", "branch-1")
SHARED_KB = "handbook"
EDGE = "edge-inference"


@dataclass(frozen=True, kw_only=True)
class DemoFleet:
    """The running places: a client of each, and the links of the sites."""

    clients: dict[str, Client]
    links: dict[str, LinkCut]

    @property
    def crossed_bytes(self) -> int:
        """What has crossed all links so far, both ways, as it stood on the wire."""
        return sum(link.bytes_up + link.bytes_down for link in self.links.values())

    def cut(self) -> None:
        """Nothing crosses any link from now on."""
        for link in self.links.values():
            link.cut()

    def heal(self) -> None:
        """The links are there again."""
        for link in self.links.values():
            link.heal()


@asynccontextmanager
async def running_fleet(root: Path, engine: EngineConfig, asking: Mapping[str, str]) -> AsyncIterator[DemoFleet]:
    """Start a hub and two sites that have joined it, over TLS, in folders below `root`; stop all of it at the end.

    `engine` is the hub's; `asking` are settings of the sites' edge-inference."""
    hub = SiteFolder(root / HUB)
    leaf_port = free_port()
    init_hub(hub, Hub(ports=Ports(client=free_port(), leaf=leaf_port, websocket=0, monitor=free_port())))
    async with AsyncExitStack() as stack:
        links = {site: await _link(stack, leaf_port) for site in SITES}
        joins = {site: _add(hub, site, links[site].port, root / f"{site}.join") for site in SITES}
        hub_config = replace(_config(HUB, read_fleet(hub).hub.ports), engine=engine)
        await _place(stack, hub_config, hub, None)
        for site in SITES:
            await _place(stack, _asking(_config(site), asking), SiteFolder(root / site), joins[site])
        clients = {
            place: await stack.enter_async_context(session(find_site("", root / place))) for place in (HUB, *SITES)
        }
        yield DemoFleet(clients=clients, links=links)


async def _link(stack: AsyncExitStack, leaf_port: int) -> LinkCut:
    link = await LinkCut(leaf_port).start()
    stack.push_async_callback(link.stop)
    return link


def _add(hub: SiteFolder, name: str, port: int, join: Path) -> Path:
    """As `causeway site add`, with the proxy in the place of the hub's own port."""
    fleet, bundle = new_site(hub, read_fleet(hub), Site(name=name, nkey="", kbs=(SHARED_KB,)))
    write_fleet(hub, fleet)
    scheme = bundle.urls[0].partition("://")[0]
    msgspec.structs.replace(bundle, urls=[f"{scheme}://127.0.0.1:{port}"]).write(join)
    return join


def _config(name: str, ports: Ports | None = None) -> SiteConfig:
    chosen = PortsConfig(nats=0, monitor=0, metrics=0)
    if ports is not None:
        chosen = PortsConfig(nats=ports.client, monitor=ports.monitor, metrics=0, milvus=0, engine=0)
    return SiteConfig(site=name, ports=chosen)


def _asking(config: SiteConfig, settings: Mapping[str, str]) -> SiteConfig:
    edge = config.services[EDGE]
    changed = replace(edge, settings={**edge.settings, **settings})
    return replace(config, services=config.services | {EDGE: changed})


async def _place(stack: AsyncExitStack, config: SiteConfig, folder: SiteFolder, join: Path | None) -> None:
    console = SiteConsole(STDERR, quiet=True)
    await stack.enter_async_context(running_place(config, folder, console, lambda *_: None, Start(join=join)))
