"""JSON for other programs on stdout, one document, bytes as hex."""

import sys
from typing import Any

import msgspec


def print_json(value: object) -> None:
    """Write a message, a list or a dict as one indented JSON document."""
    plain = msgspec.to_builtins(value, builtin_types=(bytes,))
    text = msgspec.json.format(msgspec.json.encode(_with_hex(plain)), indent=2).decode()
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _with_hex(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: _with_hex(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_hex(inner) for inner in value]
    return value
