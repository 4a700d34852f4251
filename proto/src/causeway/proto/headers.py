"""Header names and the CloudEvents binary mode: `Nats-Msg-Id` equals `ce-id`, `traceparent` is W3C's.

What crosses the link has two of them.
"""

from collections.abc import Mapping

from causeway.proto.codec import Message

MSG_ID = "Nats-Msg-Id"
CE_ID = "ce-id"
CE_TYPE = "ce-type"
CE_SOURCE = "ce-source"
CE_TIME = "ce-time"
CE_SPEC = "ce-specversion"
CONTENT_TYPE = "content-type"
TRACEPARENT = "traceparent"
EXPECTED_LAST_SUBJECT_SEQ = "Nats-Expected-Last-Subject-Sequence"
FINAL = "Causeway-Final"
REPLAY_OF = "Causeway-Replay-Of"
SERVICE_ERROR = "Nats-Service-Error"
SERVICE_ERROR_CODE = "Nats-Service-Error-Code"
MSGPACK = "application/msgpack"


def event_headers(
    message: Message, *, msg_id: str, source: str, time_rfc3339: str = "", traceparent: str = ""
) -> dict[str, str]:
    """The headers of a message on the bus. `source` is the publishing service, as `causeway://site/service`."""
    headers = {
        MSG_ID: msg_id,
        CE_ID: msg_id,
        CE_TYPE: message.type_name,
        CE_SOURCE: source,
        CE_SPEC: "1.0",
        CONTENT_TYPE: MSGPACK,
    }
    optional = {CE_TIME: time_rfc3339, TRACEPARENT: traceparent}
    return headers | {name: value for name, value in optional.items() if value}


def link_headers(message: Message, *, msg_id: str) -> dict[str, str]:
    """Those of a message that crosses the link: its subject and its body say the rest."""
    return {MSG_ID: msg_id, CE_TYPE: message.type_name}


def message_type(headers: Mapping[str, str] | None) -> str | None:
    """The `ce-type` of received headers, if any."""
    return (headers or {}).get(CE_TYPE)
