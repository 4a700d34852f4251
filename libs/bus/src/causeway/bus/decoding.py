"""Raw messages to deliveries."""

from collections.abc import Mapping

from nats.aio.msg import Msg

from causeway.bus.delivery import Delivery
from causeway.proto import Message, decode_any, headers


def delivery_of(raw: Msg, kinds: tuple[type[Message], ...]) -> Delivery:
    """The delivery in a raw JetStream message.

    Raises:
        UndecodableError: not one of `kinds`.
    """
    head: Mapping[str, str] = raw.headers or {}
    meta = raw.metadata
    return Delivery(
        subject=raw.subject,
        message=decode_any(raw.data, headers.message_type(head), kinds),
        stream=meta.stream,
        stream_seq=meta.sequence.stream,
        num_delivered=meta.num_delivered or 1,
        timestamp=meta.timestamp,
        headers=head,
        size_bytes=len(raw.data),
        pending=meta.num_pending or 0,
        raw=raw,
    )
