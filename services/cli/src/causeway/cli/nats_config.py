"""The configuration file of a site's nats-server: readable, complete, and without a secret in it. Pure."""

import json
from dataclasses import dataclass

MESSAGE_BYTES_MAX = 8 * 1024 * 1024
STORAGE_KEY_VARIABLE = "CAUSEWAY_STORAGE_KEY"
PREVIOUS_KEY_VARIABLE = "CAUSEWAY_STORAGE_KEY_PREVIOUS"
PASSWORD_VARIABLE = "CAUSEWAY_NATS_PASSWORD"  # noqa: S105 - the name of a variable, not a password.
USER = "causeway"


@dataclass(frozen=True, kw_only=True)
class NatsServer:
    """What differs from site to site."""

    site: str
    host: str
    port: int
    monitor_port: int
    store_dir: str
    store_gb: int
    memory_mb: int
    encryption: bool
    rotate_key: bool = False


def render_nats_config(server: NatsServer) -> str:
    """The file's text. Secrets are read from the environment by the server itself (`$NAME`)."""
    return "\n".join([*_head(server), *_jetstream(server), *_users(), ""])


def _head(server: NatsServer) -> list[str]:
    return [
        f"# nats-server of the Causeway site {server.site}.",
        "# Written by `causeway up site` at every start: edit site.yaml instead.",
        f"server_name: {_text(server.site)}",
        f"listen: {_text(f'{server.host}:{server.port}')}",
        f"http: {_text(f'127.0.0.1:{server.monitor_port}')}",
        f"max_payload: {MESSAGE_BYTES_MAX}",
        "# A dead peer is noticed within seconds, so that a link or a client comes back soon.",
        'ping_interval: "5s"',
        "ping_max: 2",
        'write_deadline: "10s"',
        'lame_duck_duration: "30s"',
        "",
    ]


def _jetstream(server: NatsServer) -> list[str]:
    lines = [
        "jetstream {",
        f"  store_dir: {_text(server.store_dir)}",
        f"  domain: {_text(server.site)}",
        f"  max_file_store: {server.store_gb}GB",
        f"  max_memory_store: {server.memory_mb}MB",
    ]
    if server.encryption:
        lines += ["  cipher: aes", f"  key: ${STORAGE_KEY_VARIABLE}"]
    if server.encryption and server.rotate_key:
        lines.append(f"  prev_encryption_key: ${PREVIOUS_KEY_VARIABLE}")
    return [*lines, "}", ""]


def _users() -> list[str]:
    return [
        "authorization {",
        f"  users: [ {{ user: {_text(USER)}, password: ${PASSWORD_VARIABLE} }} ]",
        "  timeout: 5",
        "}",
    ]


def _text(value: str) -> str:
    """A quoted string of the server's format, whose escapes are JSON's."""
    return json.dumps(value, ensure_ascii=False)
