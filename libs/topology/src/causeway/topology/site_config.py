"""The configuration of a site's nats-server: an account for everything local and one that a link may be bound to. Pure.

Both accounts are there from the start, joined or not: an encrypted store can not be moved into an account later.
"""

from dataclasses import dataclass

from causeway.topology import names
from causeway.topology.server_config import Store, TlsFiles, head, jetstream, text, tls


@dataclass(frozen=True, kw_only=True)
class SiteServer:
    """Where a site's server runs."""

    site: str
    port: int
    monitor_port: int
    store: Store
    host: str = "127.0.0.1"
    monitor_host: str = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Link:
    """The hub as this site reaches it. The server shuffles the addresses and tries them in turn."""

    urls: tuple[str, ...]
    compression: str = "s2_fast"
    tls: TlsFiles | None = None


def render_site_config(server: SiteServer, link: Link | None = None) -> str:
    """The file's text. Secrets are read from the environment by the server itself (`$NAME`)."""
    lines = [
        f"# nats-server of the Causeway site {server.site}.",
        "# Written by `causeway up site` at every start: edit site.yaml instead.",
        *head(server.site, f"{server.host}:{server.port}", f"{server.monitor_host}:{server.monitor_port}"),
        *jetstream(server.site, server.store),
        *(_leafnodes(link) if link else []),
        *_accounts(),
    ]
    return "\n".join([*lines, ""])


def _leafnodes(link: Link) -> list[str]:
    urls = ", ".join(text(url) for url in link.urls)
    # Over WebSocket the listener has no such mode: there TLS always comes first.
    first = [] if all(url.startswith("wss:") for url in link.urls) else ["handshake_first: true"]
    return [
        "leafnodes {",
        '  reconnect: "1s"',
        "  remotes: [ {",
        f"  urls: [ {urls} ]",
        f"  account: {names.LINK}",
        f"  nkey: ${names.LEAF_SEED_VARIABLE}",
        "  # Always: s2_auto judges by round-trip time and sends a near but metered link uncompressed.",
        f"  compression: {link.compression}",
        *(tls(link.tls, *first) if link.tls else []),
        "  } ]",
        "}",
        "",
    ]


def _accounts() -> list[str]:
    return [
        "# Nothing of APP can be reached from LINK, so that what may not leave can not leave.",
        "accounts {",
        *_account(names.APP, names.APP_USER, names.PASSWORD_VARIABLE),
        *_account(names.LINK, names.LINK_USER, names.LINK_PASSWORD_VARIABLE),
        "}",
    ]


def _account(name: str, user: str, variable: str) -> list[str]:
    return [
        f"  {name} {{",
        "    jetstream: enabled",
        f"    users: [ {{ user: {text(user)}, password: ${variable} }} ]",
        "  }",
    ]
