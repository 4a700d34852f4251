"""The configuration of the hub's nats-server, and its accounts: one for each site, so that no site meets another. Pure.

The accounts are a file of their own, the only one that changes when a site comes or goes: the server reads it again on
SIGHUP, and no connection of another site notices.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from causeway.proto import streams
from causeway.proto.streams import Feed
from causeway.proto.subjects import HUB as HUB_PLACE
from causeway.topology import names
from causeway.topology.description import Fleet, Hub, Site
from causeway.topology.server_config import Store, TlsFiles, head, jetstream, text, tls
from causeway.topology.sources import feed_api, hub_feeds, hub_source

ACCOUNTS_FILE = "accounts.conf"
OPERATIONS = ("$SYS.REQ.SERVER.PING.LEAFZ", "$SYS.REQ.SERVER.*.KICK", "$SYS.REQ.SERVER.*.RELOAD")
SERVICES = ("sync", "cloud")
"""What a site asks the hub: that both sides hold the same, and an answer of the larger model."""
_OWNER = "# Written by `causeway`, from fleet.yaml: edit that instead."


@dataclass(frozen=True, kw_only=True)
class HubServer:
    """Where one server of the hub runs. `websocket_tls` is off behind a proxy that ends TLS itself."""

    store: Store
    client_host: str = "127.0.0.1"
    link_host: str = "0.0.0.0"  # noqa: S104 - sites come from elsewhere, with keys and certificates.
    monitor_host: str = "127.0.0.1"
    tls: TlsFiles | None = None
    websocket_tls: bool = True
    accounts_file: str = ACCOUNTS_FILE


def render_hub_config(hub: Hub, server: HubServer) -> str:
    """nats-server.conf of the hub. `include` is relative to this file."""
    lines = [
        "# nats-server of the Causeway hub.",
        _OWNER,
        *head(HUB_PLACE, f"{server.client_host}:{hub.ports.client}", f"{server.monitor_host}:{hub.ports.monitor}"),
        *jetstream(HUB_PLACE, server.store),
        *_leafnodes(hub, server),
        *_websocket(hub, server),
        f"system_account: {names.SYS}",
        f"include {text(server.accounts_file)}",
        "",
    ]
    return "\n".join(lines)


def _leafnodes(hub: Hub, server: HubServer) -> list[str]:
    return [
        "leafnodes {",
        f"  listen: {text(f'{server.link_host}:{hub.ports.leaf}')}",
        "  # Else sites learn the hub's inner addresses and come back around whatever stands before it.",
        "  no_advertise: true",
        "  # Always: s2_auto judges by round-trip time and sends a near but metered link uncompressed.",
        f"  compression: {hub.compression}",
        *(tls(server.tls, "verify: true", "handshake_first: true") if server.tls else []),
        "}",
        "",
    ]


def _websocket(hub: Hub, server: HubServer) -> list[str]:
    if not hub.ports.websocket:
        return []
    secured = server.tls is not None and server.websocket_tls
    return [
        "# For sites that can reach nothing but port 443.",
        "websocket {",
        f"  listen: {text(f'{server.link_host}:{hub.ports.websocket}')}",
        *(tls(server.tls, "verify: true") if secured and server.tls else ["  no_tls: true"]),
        "}",
        "",
    ]


def render_accounts(fleet: Fleet) -> str:
    """accounts.conf: who may do what at the hub."""
    feeds = {site.name: hub_feeds(site.name, site.kbs) for site in fleet.sites}
    lines = [_OWNER, "accounts {", *_system_account(), *_hub_account(feeds)]
    for site in fleet.sites:
        lines += _site_account(site, feeds[site.name])
    return "\n".join([*lines, "}", ""])


def _system_account() -> list[str]:
    """Nobody logs in here. The hub may see its links, end one, and have this configuration read again."""
    rows = [_export("service", subject, names.HUB, "response_type: stream") for subject in OPERATIONS]
    return [f"  {names.SYS} {{", *_listed("exports", rows), "  }"]


def _hub_account(feeds: dict[str, tuple[Feed, ...]]) -> list[str]:
    exports = [line for site, own in feeds.items() for line in _hub_exports(site, own)]
    imports = [_import("service", subject, names.SYS) for subject in OPERATIONS]
    imports += [line for site, own in feeds.items() for line in _hub_imports(site, own)]
    # Only over the client port: nobody tries passwords over a port that is open to the world.
    user = f"user: {names.APP_USER}, password: ${names.PASSWORD_VARIABLE}, allowed_connection_types: [STANDARD]"
    return [
        f"  {names.HUB} {{",
        "    jetstream: enabled",
        f"    users: [ {{ {user} }} ]",
        *_listed("exports", exports),
        *_listed("imports", imports),
        "  }",
    ]


def _hub_exports(site: str, feeds: Iterable[Feed]) -> list[str]:
    account = names.site_account(site)
    return [
        *(_export("service", subject, account, "response_type: stream") for subject in _services(site)),
        *(_export("service", _reset(feed), account) for feed in feeds),
        *(_export("stream", feed.deliver_subject, account) for feed in feeds),
        _export("stream", _flow(streams.outbox(site).name), account),
    ]


def _hub_imports(site: str, feeds: Iterable[Feed]) -> list[str]:
    account = names.site_account(site)
    return [
        _import("service", _create(site), account),
        _import("stream", f"{hub_source(site).deliver_subject}.>", account),
        *(_import("stream", _flow(feed.stream, feed.consumer), account) for feed in feeds),
    ]


def _site_account(site: Site, feeds: Iterable[Feed]) -> list[str]:
    hub, outbox = names.HUB, streams.outbox(site.name).name
    resets = [_import("service", _reset(feed), hub, f"to: {text(_reset(feed, feed_api(feed)))}") for feed in feeds]
    exports = [
        _export("service", _create(site.name), hub),
        _export("stream", f"{hub_source(site.name).deliver_subject}.>", hub),
        *(_export("stream", _flow(feed.stream, feed.consumer), hub) for feed in feeds),
    ]
    imports = [
        *(_import("service", subject, hub) for subject in _services(site.name)),
        *resets,
        *(_import("stream", feed.deliver_subject, hub) for feed in feeds),
        _import("stream", _flow(outbox), hub),
    ]
    return [
        f"  {names.site_account(site.name)} {{",
        f"    users: [ {{ nkey: {site.nkey}, allowed_connection_types: [LEAFNODE, LEAFNODE_WS] }} ]",
        *_listed("exports", exports),
        *_listed("imports", imports),
        "  }",
    ]


def _services(site: str) -> tuple[str, ...]:
    """What a site may ask of the hub, each under its own name alone: a reply may come in many messages."""
    return tuple(f"site.{site}.{service}.>" for service in SERVICES)


def _create(site: str) -> str:
    """The only request that the hub may make of a site's JetStream: a consumer of what the site shares."""
    source = hub_source(site)
    return f"{source.api_prefix}.CONSUMER.CREATE.{source.stream}.>"


def _reset(feed: Feed, api_prefix: str = "$JS.API") -> str:
    """The only request that a site may make of the hub's JetStream: its own feed, from a sequence on."""
    return f"{api_prefix}.CONSUMER.RESET.{feed.stream}.{feed.consumer}"


def _flow(stream: str, consumer: str = "") -> str:
    """Flow control of a stream's consumers; streams, because two services of one subject would form a cycle."""
    return ".".join(part for part in ("$JS.FC", stream, consumer, ">") if part)


def _export(kind: str, subject: str, account: str, *more: str) -> str:
    return "{ " + ", ".join([f"{kind}: {text(subject)}", f"accounts: [{account}]", *more]) + " }"


def _import(kind: str, subject: str, account: str, *more: str) -> str:
    return "{ " + ", ".join([f"{kind}: {{ account: {account}, subject: {text(subject)} }}", *more]) + " }"


def _listed(name: str, rows: list[str]) -> list[str]:
    return [f"    {name}: [", *(f"      {row}" for row in rows), "    ]"] if rows else []
