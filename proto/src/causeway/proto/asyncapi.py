"""The AsyncAPI 3 document of a site: channels and operations out of the registry of subjects."""

from typing import Any, cast

from causeway.proto import headers, streams, subjects
from causeway.proto.codec import Message
from causeway.proto.golden import short_name
from causeway.proto.schema import Json, as_draft_07, components, message_types

_PARAMETERS: dict[str, str] = {
    "site": "The site: lower-case letters, digits and -, at most 31 characters.",
    "kb": "The knowledge base: lower-case letters, digits, - and _, at most 63 characters.",
    "key": "The key that a compacted log keeps the last message of, or the service that gave up.",
    "space": "The embedding space of a model: BLAKE2b-32 of its id, in hex.",
}
_HEADER_NOTES: dict[str, str] = {
    headers.MSG_ID: "Deterministic: the same event always has the same id, and the stream stores it once.",
    headers.CE_ID: "The same as Nats-Msg-Id.",
    headers.CE_SOURCE: "The publisher, as causeway://site/service.",
    headers.CE_TIME: "When it was published, RFC 3339. Optional.",
    headers.TRACEPARENT: "W3C Trace Context. Optional.",
}
_REQUIRED = (
    headers.MSG_ID,
    headers.CE_ID,
    headers.CE_TYPE,
    headers.CE_SOURCE,
    headers.CE_SPEC,
    headers.CONTENT_TYPE,
)
_REQUIRED_ON_LINK = (headers.MSG_ID, headers.CE_TYPE)


def document(version: str) -> Json:
    """The whole document. `version` is the contract's, which is the distribution's."""
    kinds = message_types()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Causeway, one site",
            "version": version,
            "description": "What crosses the bus of a site. Bodies are msgpack maps with string keys; unknown keys are "
            "ignored; headers are CloudEvents 1.0 in binary mode. Written by `python -m causeway.proto.export`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": headers.MSGPACK,
        "servers": {"site": {"host": "127.0.0.1:4222", "protocol": "nats", "description": "The site's own server."}},
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": {short_name(kind): _message(kind) for kind in kinds},
            "schemas": cast(Json, as_draft_07(components(kinds, "#/components/schemas/{name}"))),
        },
        "x-streams": {stream.name: _stream(stream) for stream in streams.documented()},
    }


def _message(kind: type[Message]) -> Json:
    kept = {subject.stream for subject in subjects.ALL if kind in subject.carries and subject.stream}
    required = _REQUIRED_ON_LINK if kept == {subjects.OUTBOX} else _REQUIRED if kept else ()
    return {
        "name": kind.type_name,
        "summary": (kind.__doc__ or "").strip(),
        "contentType": headers.MSGPACK,
        "headers": _headers(kind, required),
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def _headers(kind: type[Message], required: tuple[str, ...]) -> Json:
    fixed = {headers.CE_TYPE: kind.type_name, headers.CE_SPEC: "1.0", headers.CONTENT_TYPE: headers.MSGPACK}
    properties: Json = {name: {"type": "string", "const": value} for name, value in fixed.items()}
    properties |= {name: {"type": "string", "description": note} for name, note in _HEADER_NOTES.items()}
    schema: Json = {"type": "object", "properties": properties}
    return schema | ({"required": list(required)} if required else {})


def _refs(kinds: tuple[type[Message], ...]) -> Json:
    return {short_name(kind): {"$ref": f"#/components/messages/{short_name(kind)}"} for kind in kinds}


def _channels() -> Json:
    channels: Json = {}
    for subject in subjects.ALL:
        tokens = [name for name in _PARAMETERS if f"{{{name}}}" in subject.pattern]
        channel: Json = {
            "address": subject.pattern,
            "description": subject.summary,
            "parameters": {name: {"description": _PARAMETERS[name]} for name in tokens},
            "messages": _refs(subject.carries),
        }
        channels[subject.name] = channel | ({"x-stream": subject.stream} if subject.stream else {})
        if subject.replies:
            channels[f"{subject.name}_reply"] = {
                "address": None,
                "description": "The reply subject of the request.",
                "messages": _refs(subject.replies),
            }
    return channels


def _operations() -> Json:
    """One per service and subject, named `<service>.<action>.<subject>`."""
    operations: Json = {}
    for subject in subjects.ALL:
        for action, actors in (("send", subject.producers), ("receive", subject.consumers)):
            for actor in actors:
                operations[f"{actor}.{action}.{subject.name}"] = _operation(subject, action, actor)
    return operations


def _operation(subject: subjects.Subject, action: str, actor: str) -> Json:
    channel = f"#/channels/{subject.name}"
    operation: dict[str, Any] = {
        "action": action,
        "summary": subject.summary,
        "tags": [{"name": actor}],
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{short_name(kind)}"} for kind in subject.carries],
    }
    if subject.replies:
        reply = f"#/channels/{subject.name}_reply"
        operation["reply"] = {
            "channel": {"$ref": reply},
            "messages": [{"$ref": f"{reply}/messages/{short_name(kind)}"} for kind in subject.replies],
        }
    return operation


def _stream(stream: streams.Stream) -> Json:
    return {
        "subjects": list(stream.subjects),
        "retention": stream.retention.value,
        "per_subject_max": stream.per_subject_max,
        "bytes_max": stream.bytes_max,
        "age_max_s": stream.age_max_s,
        "summary": stream.summary,
    }
