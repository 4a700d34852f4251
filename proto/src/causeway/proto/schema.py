"""JSON Schema of the messages, as values. Binary fields are msgpack `bin` on the wire and base64 in JSON."""

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from causeway.proto import subjects
from causeway.proto.codec import Message

Json = dict[str, Any]
BYTES_NOTE = "Binary: msgpack `bin` on the wire, base64 in JSON."
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def message_types() -> list[type[Message]]:
    """Every message that the registry carries or replies with, in the order of the registry."""
    kinds = [kind for subject in subjects.ALL for kind in (*subject.carries, *subject.replies)]
    return list(dict.fromkeys(kinds))


def components(kinds: Iterable[type[Message]], ref_template: str) -> dict[str, Json]:
    """The schema of every type and of what it is made of, by class name."""
    _, found = msgspec.json.schema_components(list(kinds), ref_template=ref_template)
    return {name: cast(Json, _noted(found[name])) for name in sorted(found)}


def message_schema(kind: type[Message]) -> Json:
    """One self-contained JSON Schema document for a message type."""
    parts = components([kind], "#/$defs/{name}")
    own = parts.pop(kind.__name__)
    document = {"$schema": DIALECT, "$id": f"urn:{kind.type_name}", **own, "title": kind.type_name}
    return document | ({"$defs": parts} if parts else {})


def as_draft_07(schema: object) -> object:
    """The same schema for readers that know draft 7 only, as AsyncAPI's are: tuples are spelt `items`."""
    if isinstance(schema, list):
        return [as_draft_07(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {("items" if key == "prefixItems" else key): as_draft_07(part) for key, part in schema.items()}
    return dict(renamed)


def _noted(schema: object) -> object:
    """The schema with a note on every binary field."""
    if isinstance(schema, list):
        return [_noted(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    noted = {key: _noted(part) for key, part in schema.items()}
    if noted.get("contentEncoding") == "base64":
        noted.setdefault("description", BYTES_NOTE)
    return noted
