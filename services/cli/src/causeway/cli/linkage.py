"""What the two kinds of place differ in: their server's configuration, its secrets, and who declares which streams.

A site has two accounts, of which the link reaches only one; the hub has one, and an account without streams per site.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from causeway.cli.keys import SiteKeys
from causeway.cli.site_config import SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.proto import streams
from causeway.proto.streams import Bucket, Feed, Source, Stream
from causeway.proto.subjects import HUB
from causeway.topology import names
from causeway.topology.bundle import Bundle
from causeway.topology.description import Fleet
from causeway.topology.hub_config import ACCOUNTS_FILE, HubServer, render_accounts, render_hub_config
from causeway.topology.server_config import Store, TlsFiles
from causeway.topology.site_config import Link, SiteServer, render_site_config
from causeway.topology.sources import hub_feeds, hub_source, site_sources


@dataclass(frozen=True, kw_only=True)
class Account:
    """What the operator declares as one user of the server. `sources` None: there is no INBOX in this account."""

    user: str
    password_file: Path
    streams: tuple[Stream, ...]
    buckets: tuple[Bucket, ...] = ()
    sources: tuple[Source, ...] | None = None
    feeds: tuple[Feed, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Linkage:
    """A place's side of its links. `files` are what the server reads, by path; `passwords` the files of those that it
    takes from its environment, by variable; `doors` are the ports that sites come in by."""

    linked: bool
    accounts: tuple[Account, ...]
    passwords: Mapping[str, Path]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    doors: Mapping[str, int] = field(default_factory=dict)
    files: Callable[[SiteConfig], Mapping[Path, str]]


def site_linkage(folder: SiteFolder, keys: SiteKeys, site: str, joined: Bundle | None, rotate: bool) -> Linkage:
    """A site, joined or not: the accounts are the same, so that joining later is a restart."""

    def files(config: SiteConfig) -> dict[Path, str]:
        link = None
        if joined is not None:
            tls = link_tls(folder.link) if joined.tls else None
            link = Link(urls=tuple(joined.urls), compression=joined.compression, tls=tls)
        server = SiteServer(
            site=config.site,
            host=config.ports.host,
            port=config.ports.nats,
            monitor_port=config.ports.monitor,
            store=store_of(config, folder, rotate),
        )
        return {folder.nats_config_file: render_site_config(server, link)}

    return Linkage(
        linked=joined is not None,
        accounts=site_accounts(site, joined.kbs if joined is not None else None, keys.password, keys.link_password),
        passwords={names.PASSWORD_VARIABLE: keys.password, names.LINK_PASSWORD_VARIABLE: keys.link_password},
        secrets={names.LEAF_SEED_VARIABLE: joined.seed} if joined is not None else {},
        files=files,
    )


def hub_linkage(folder: SiteFolder, keys: SiteKeys, fleet: Fleet, rotate: bool) -> Linkage:
    """The hub and the sites of its fleet."""

    def files(config: SiteConfig) -> dict[Path, str]:
        hub = replace(fleet.hub, ports=replace(fleet.hub.ports, client=config.ports.nats, monitor=config.ports.monitor))
        server = HubServer(
            store=store_of(config, folder, rotate),
            client_host=config.ports.host,
            tls=hub_tls(folder.pki) if fleet.hub.tls else None,
        )
        return {
            folder.nats_config_file: render_hub_config(hub, server),
            folder.root / ACCOUNTS_FILE: render_accounts(fleet),
        }

    return Linkage(
        linked=True,
        accounts=(hub_account(fleet, keys.password),),
        passwords={names.PASSWORD_VARIABLE: keys.password},
        doors={
            f"hub.ports.{name}": port
            for name, port in (("leaf", fleet.hub.ports.leaf), ("websocket", fleet.hub.ports.websocket))
            if port
        },
        files=files,
    )


def site_accounts(
    site: str, kbs: Iterable[str] | None, password_file: Path, link_password_file: Path
) -> tuple[Account, ...]:
    """Everything local in one account, and in the other what crosses the link. `kbs` None: it has joined no hub."""
    return (
        Account(
            user=names.APP_USER,
            password_file=password_file,
            streams=streams.ALL_SITE,
            buckets=streams.ALL_SITE_BUCKETS,
        ),
        Account(
            user=names.LINK_USER,
            password_file=link_password_file,
            streams=(streams.CANARY, streams.INBOX, streams.outbox(site)),
            sources=site_sources(site, kbs) if kbs is not None else (),
        ),
    )


def hub_account(fleet: Fleet, password_file: Path) -> Account:
    """The hub's one account with streams: what is declared in it follows the fleet."""
    return Account(
        user=names.APP_USER,
        password_file=password_file,
        streams=(*streams.ALL_SITE, streams.INBOX, streams.outbox(HUB)),
        buckets=streams.ALL_HUB_BUCKETS,
        sources=tuple(hub_source(site.name) for site in fleet.sites),
        feeds=tuple(feed for site in fleet.sites for feed in hub_feeds(site.name, site.kbs)),
    )


def store_of(config: SiteConfig, folder: SiteFolder, rotate: bool) -> Store:
    """The message store as the server is told of it."""
    return Store(
        folder=str(folder.jetstream.resolve()),
        gb=config.limits.store_gb,
        memory_mb=config.limits.memory_mb,
        encryption=config.security.encryption,
        rotate_key=rotate,
    )


def link_tls(folder: Path) -> TlsFiles:
    """What a site shows to the hub, and by whom the hub's certificate must be signed."""
    return _tls(folder, "site")


def hub_tls(folder: Path) -> TlsFiles:
    """What the hub shows to its sites."""
    return _tls(folder, "hub")


def _tls(folder: Path, name: str) -> TlsFiles:
    whole = folder.resolve()
    return TlsFiles(
        certificate=str(whole / f"{name}.pem"), key=str(whole / f"{name}.key"), authority=str(whole / "ca.pem")
    )
