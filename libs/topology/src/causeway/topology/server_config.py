"""What the configuration files of all servers have in common: limits, pings, the store, TLS. Pure."""

import json
from dataclasses import dataclass

from causeway.topology import names

MESSAGE_BYTES_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Store:
    """The message store of a server. With `rotate_key` the previous key is read beside the key, once."""

    folder: str
    gb: int = 128
    memory_mb: int = 256
    encryption: bool = True
    rotate_key: bool = False


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """Paths as the server sees them."""

    certificate: str
    key: str
    authority: str


def head(name: str, listen: str, monitor: str) -> list[str]:
    """Name, listeners and limits."""
    return [
        f"server_name: {text(name)}",
        f"listen: {text(listen)}",
        f"http: {text(monitor)}",
        f"max_payload: {MESSAGE_BYTES_MAX}",
        "# A dead peer is noticed within seconds on both sides, so that a link or a client comes back soon.",
        'ping_interval: "2s"',
        "ping_max: 2",
        'write_deadline: "10s"',
        'lame_duck_duration: "30s"',
        "",
    ]


def jetstream(domain: str, store: Store) -> list[str]:
    """The store. Its key is read from the environment."""
    lines = [
        "jetstream {",
        f"  store_dir: {text(store.folder)}",
        f"  domain: {text(domain)}",
        f"  max_file_store: {store.gb}GB",
        f"  max_memory_store: {store.memory_mb}MB",
    ]
    if store.encryption:
        lines += ["  cipher: aes", f"  key: ${names.STORAGE_KEY_VARIABLE}"]
    if store.encryption and store.rotate_key:
        lines.append(f"  prev_encryption_key: ${names.PREVIOUS_KEY_VARIABLE}")
    return [*lines, "}", ""]


def tls(files: TlsFiles, *options: str) -> list[str]:
    """A tls block, indented by two."""
    return [
        "  tls {",
        f"    cert_file: {text(files.certificate)}",
        f"    key_file: {text(files.key)}",
        f"    ca_file: {text(files.authority)}",
        *(f"    {option}" for option in options),
        "  }",
    ]


def text(value: str) -> str:
    """A quoted string of the server's format, whose escapes are JSON's."""
    return json.dumps(value, ensure_ascii=False)
