"""A fleet as one value: the hub, its sites, and which knowledge bases of the hub each site subscribes. No secrets."""

import enum
import re
from dataclasses import dataclass, replace

import yaml

from causeway.proto.documents import KB_NAME
from causeway.proto.streams import hub_reserved_gb
from causeway.proto.subjects import HUB, SITE_NAME
from causeway.topology.errors import BadFleetError
from causeway.topology.site_keys import is_public_key
from causeway.topology.yaml_lines import Node, read_yaml

COMPRESSIONS = ("s2_fast", "s2_better", "s2_best", "s2_auto", "off")
# The streams reserve this much between them, and nats-server refuses to declare what it can not reserve.
STORE_GB_MIN = hub_reserved_gb()
_NAME_FORM = "lower-case letters, digits and -, at most 31, beginning with a letter or digit"
_KB_FORM = "lower-case letters, digits, - and _, beginning with a letter or digit"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+")
_ANY = re.compile(r".+")
_HEAD = """\
# The fleet of a Causeway hub. Names and public keys only: the secrets are in files of their own.
# `causeway site add` and `causeway site remove` write it; a hub that runs takes changes without a restart.
"""


class LinkKind(enum.StrEnum):
    """How a site reaches the hub: a leaf node connection, or the same inside of WebSocket (port 443)."""

    LEAF = "leaf"
    WSS = "wss"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where the hub listens. `websocket` 0: it does not."""

    client: int = 4222
    leaf: int = 7422
    websocket: int = 0
    monitor: int = 8222


@dataclass(frozen=True, kw_only=True)
class StoreLimits:
    """What the hub's message store may take."""

    gb: int = 128
    memory_mb: int = 256


@dataclass(frozen=True, kw_only=True)
class Hub:
    """The hub as its sites see it. `hosts` are the names that they reach it by, and that its certificate has."""

    hosts: tuple[str, ...] = ("127.0.0.1",)
    ports: Ports = Ports()
    store: StoreLimits = StoreLimits()
    tls: bool = True
    compression: str = "s2_fast"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site: its public key, the knowledge bases of the hub that it takes, and how it connects."""

    name: str
    nkey: str
    kbs: tuple[str, ...] = ()
    link: LinkKind = LinkKind.LEAF


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The hub and its sites, in the order in which they came."""

    hub: Hub = Hub()
    sites: tuple[Site, ...] = ()

    def site(self, name: str) -> Site | None:
        """The site of that name."""
        return next((site for site in self.sites if site.name == name), None)

    def with_site(self, site: Site) -> "Fleet":
        """The fleet with this site, in the place of an earlier one of the name."""
        if self.site(site.name) is None:
            return replace(self, sites=(*self.sites, site))
        return replace(self, sites=tuple(site if old.name == site.name else old for old in self.sites))

    def without_site(self, name: str) -> "Fleet":
        """The fleet without the site."""
        return replace(self, sites=tuple(site for site in self.sites if site.name != name))


def checked_site_name(name: str) -> str:
    """A name that a new site may have.

    Raises:
        BadFleetError: not a name, or the hub's.
    """
    if not SITE_NAME.fullmatch(name):
        raise BadFleetError(f"site {name!r} can not be a name", f"Use {_NAME_FORM}.")
    if name == HUB:
        raise BadFleetError(f"site {name!r} is the name of the hub itself", "Choose another name.")
    return name


def hub_urls(hub: Hub, link: LinkKind) -> tuple[str, ...]:
    """The addresses that a site connects to.

    Raises:
        BadFleetError: the hub does not listen for that kind of link.
    """
    if link is LinkKind.LEAF:
        return tuple(f"{'tls' if hub.tls else 'nats-leaf'}://{_in_url(host)}:{hub.ports.leaf}" for host in hub.hosts)
    if not hub.ports.websocket:
        raise BadFleetError("the hub has no WebSocket port", "Set hub.ports.websocket in fleet.yaml, 443 for instance.")
    return tuple(f"{'wss' if hub.tls else 'ws'}://{_in_url(host)}:{hub.ports.websocket}" for host in hub.hosts)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def parse_fleet(text: str, source: str = "fleet.yaml") -> Fleet:
    """The fleet in `text`; `source` names it in errors.

    Raises:
        BadFleetError: not YAML, an unknown key, or a value that the key can not have: with the line.
    """
    root = read_yaml(text, source)
    if root is None:
        return Fleet()
    found = root.keys("hub", "sites")
    fleet = Fleet(hub=_hub(found["hub"]) if "hub" in found else Hub())
    for node in found["sites"].items() if "sites" in found else []:
        site = _site(node, fleet.hub)
        if fleet.site(site.name) is not None:
            raise node.refuse(f"site {site.name} is there twice", "Keep one of the two.")
        if (same := next((old for old in fleet.sites if old.nkey == site.nkey), None)) is not None:
            raise node.refuse(f"has the key of site {same.name}", "Each site has a key of its own: add it again.")
        fleet = fleet.with_site(site)
    return fleet


def _hub(node: Node) -> Hub:
    found = node.keys("hosts", "ports", "store", "tls", "compression")
    hub = Hub()
    if "hosts" in found:
        hosts = tuple(host.text(_HOST, "a host name or an address") for host in found["hosts"].items())
        if not hosts:
            raise found["hosts"].refuse("is empty", "Name at least one host that sites reach the hub by.")
        hub = replace(hub, hosts=hosts)
    if "ports" in found:
        hub = replace(hub, ports=_ports(found["ports"]))
    if "store" in found:
        hub = replace(hub, store=_store(found["store"]))
    if "tls" in found:
        hub = replace(hub, tls=found["tls"].flag())
    if "compression" in found:
        hub = replace(hub, compression=found["compression"].choice(COMPRESSIONS))
    return hub


def _ports(node: Node) -> Ports:
    found = node.keys("client", "leaf", "websocket", "monitor")
    ports = Ports(**{name: port.number(0 if name == "websocket" else 1, 65_535) for name, port in found.items()})
    chosen = [port for port in (ports.client, ports.leaf, ports.websocket, ports.monitor) if port]
    if len(set(chosen)) < len(chosen):
        raise node.refuse("has one port twice", "Give each listener a port of its own.")
    return ports


def _store(node: Node) -> StoreLimits:
    found = node.keys("gb", "memory_mb")
    limits = {"gb": (STORE_GB_MIN, 100_000), "memory_mb": (16, 1_000_000)}
    return StoreLimits(**{name: value.number(*limits[name]) for name, value in found.items()})


def _site(node: Node, hub: Hub) -> Site:
    found = node.keys("name", "nkey", "kbs", "link")
    for name in ("name", "nkey"):
        if name not in found:
            raise node.refuse(f"has no {name}", "Add sites with `causeway site add`, which makes their keys.")
    name = found["name"].text(SITE_NAME, _NAME_FORM)
    if name == HUB:
        raise found["name"].refuse("is the name of the hub itself", "Choose another name.")
    nkey = found["nkey"].text(_ANY, "a public key of a user")
    if not is_public_key(nkey):
        raise found["nkey"].refuse(f"is {nkey!r}", "It takes the public key of a user: 56 characters from U on.")
    kbs = [kb.text(re.compile(KB_NAME), _KB_FORM) for kb in found["kbs"].items()] if "kbs" in found else []
    link = LinkKind(found["link"].choice([kind.value for kind in LinkKind])) if "link" in found else LinkKind.LEAF
    if link is LinkKind.WSS and not hub.ports.websocket:
        raise found["link"].refuse("is wss, and the hub has no WebSocket port", "Set hub.ports.websocket, or use leaf.")
    return Site(name=name, nkey=nkey, kbs=tuple(dict.fromkeys(kbs)), link=link)


def render_fleet(fleet: Fleet) -> str:
    """fleet.yaml. What is read from it is the same fleet."""
    hub = fleet.hub
    content = {
        "hub": {
            "hosts": list(hub.hosts),
            "ports": {
                "client": hub.ports.client,
                "leaf": hub.ports.leaf,
                "websocket": hub.ports.websocket,
                "monitor": hub.ports.monitor,
            },
            "store": {"gb": hub.store.gb, "memory_mb": hub.store.memory_mb},
            "tls": hub.tls,
            "compression": hub.compression,
        },
        "sites": [
            {"name": site.name, "nkey": site.nkey, "kbs": list(site.kbs), "link": site.link.value}
            for site in fleet.sites
        ],
    }
    return _HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
