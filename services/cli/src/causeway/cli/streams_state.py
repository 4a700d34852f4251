"""The state of the streams from nats-server's own monitor page `/jsz`."""

import msgspec

from causeway.cli.http_get import http_get
from causeway.cli.status_text import StreamState
from causeway.proto.streams import CANARY


class _Consumer(msgspec.Struct):
    name: str = ""
    num_pending: int = 0
    num_ack_pending: int = 0


class _Counts(msgspec.Struct):
    messages: int = 0
    bytes: int = 0


class _Stream(msgspec.Struct):
    name: str = ""
    state: _Counts = msgspec.field(default_factory=_Counts)
    consumer_detail: list[_Consumer] = []


class _Account(msgspec.Struct):
    stream_detail: list[_Stream] = []


class _Page(msgspec.Struct):
    account_details: list[_Account] = []


async def read_streams(monitor_url: str) -> list[StreamState]:
    """Every stream of the site, empty when the monitor does not answer."""
    status, body = await http_get(f"{monitor_url}/jsz?accounts=true&streams=true&consumers=true", timeout_s=5.0)
    return parse_streams(body) if status == 200 else []


def parse_streams(body: str) -> list[StreamState]:
    """The streams of a `/jsz` page, in order of name. Pure."""
    page = msgspec.json.decode(body, type=_Page)
    # Each account has a canary of its own, which tells a person nothing.
    found = [
        stream for account in page.account_details for stream in account.stream_detail if stream.name != CANARY.name
    ]
    return [
        StreamState(
            name=stream.name,
            messages=stream.state.messages,
            size_bytes=stream.state.bytes,
            pending={consumer.name: consumer.num_pending for consumer in stream.consumer_detail},
            unacknowledged={consumer.name: consumer.num_ack_pending for consumer in stream.consumer_detail},
        )
        for stream in sorted(found, key=lambda stream: stream.name)
    ]
