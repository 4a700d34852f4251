"""Sources of a stream over the link: adding, removing, seeing and kicking them while the stream goes on.

A source that lost its link is tried again by the server after up to tens of seconds; a kick (without it, then with it)
makes it resume at once. What is taken out for a kick is noted in the stream's metadata, so that neither a crash between
the two updates nor an operator who adds another source meanwhile loses it.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nats.errors
import nats.js.errors
from nats.js import api

from causeway.bus.errors import DeclareRefused, StreamMissing
from causeway.bus.scanning import scan
from causeway.proto.streams import Feed, Source

if TYPE_CHECKING:
    from causeway.bus.bus import Bus

log = logging.getLogger(__name__)
KICKED = "causeway.kicked"
ATTEMPTS_MAX = 5
RESET_S = 2.0
NEVER_S = -1.0
SOURCE_HEADER = "Nats-Stream-Source"
_SEQUENCE_AT = 1

Sources = list[api.StreamSource]


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """How a source stands. `lag` counts messages that are known to wait; `heard_s` is how long ago the other side was
    heard last, -1 for never."""

    stream: str
    api_prefix: str
    lag: int
    heard_s: float
    error: str = ""


async def add_source(bus: "Bus", stream: str, source: Source) -> None:
    """Add a source, or put it in the place of the same one. What the stream holds stays.

    Raises:
        StreamMissing: no such stream. DeclareRefused: the server refused the source.
    """
    wanted = source_config(source)
    await _change(bus, stream, lambda sources: [*_without(sources, source), wanted])


async def remove_source(bus: "Bus", stream: str, source: Source) -> None:
    """Take nothing more from there. What came stays.

    Raises:
        StreamMissing: no such stream.
    """
    await _change(bus, stream, lambda sources: _without(sources, source))


async def kick_source(bus: "Bus", stream: str, source: Source, after_seq: int | None = None) -> None:
    """Make a source resume now, after the last message that the stream has of it. Safe at any time.

    With `after_seq` what came of it beyond that sequence of its own stream is removed before, and so comes once more.

    Raises:
        StreamMissing: no such stream.
    """
    config = await _config(bus, stream)
    noted = {**(config.metadata or {}), KICKED: json.dumps(source_config(source).as_dict())}
    await _update(bus, config.evolve(sources=_without(_with_kicked(config), source), metadata=noted))
    if after_seq is not None:
        await _drop_beyond(bus, stream, source, after_seq)
    if source.consumer:
        await _rewind(bus, source, await _taken_seq(bus, stream, source))
    await add_source(bus, stream, source)


async def _drop_beyond(bus: "Bus", stream: str, source: Source, after_seq: int) -> None:
    """The server begins after the last message that it has of a source, so these have to go."""
    async for message in scan(bus.broker.js, stream, [source.subjects]):
        parts = (message.headers or {}).get(SOURCE_HEADER, "").split()
        if len(parts) > _SEQUENCE_AT and int(parts[_SEQUENCE_AT]) > after_seq:
            await bus.broker.js.delete_msg(stream, message.metadata.sequence.stream)


async def _rewind(bus: "Bus", source: Source, after_seq: int) -> None:
    """Set the feed to what this stream has, which a restored or a new disk may have less of than the feed thinks."""
    subject = f"{source.api_prefix}.CONSUMER.RESET.{source.stream}.{source.consumer}"
    payload = json.dumps({"seq": after_seq + 1}).encode()
    try:
        reply = json.loads((await bus.client.request(subject, payload, RESET_S)).data)
    except (nats.errors.Error, TimeoutError):
        return  # No link: the next kick does it.
    if "error" in reply:
        log.warning("a feed was not set back", extra={"feed": source.consumer, "reason": reply["error"]})


async def _taken_seq(bus: "Bus", stream: str, source: Source) -> int:
    """The sequence in its own stream of the last message that came of this source."""
    try:
        message = await bus.broker.js.get_msg(stream, subject=source.subjects)
    except nats.js.errors.NotFoundError:
        return 0
    parts = (message.headers or {}).get(SOURCE_HEADER, "").split()
    return int(parts[_SEQUENCE_AT]) if len(parts) > _SEQUENCE_AT else 0


async def source_states(bus: "Bus", stream: str) -> tuple[SourceState, ...]:
    """The sources as the server sees them now.

    Raises:
        StreamMissing: no such stream.
    """
    reply = await bus.client.request(f"$JS.API.STREAM.INFO.{stream}", b"", bus.settings.api_timeout_s)
    info = json.loads(reply.data)
    if "error" in info:
        raise StreamMissing(stream)
    return tuple(_state(row) for row in info.get("sources", ()))


def _state(row: dict[str, Any]) -> SourceState:
    active_ns = row.get("active", -1)
    return SourceState(
        stream=row["name"],
        api_prefix=row.get("external", {}).get("api", ""),
        lag=row.get("lag", 0),
        heard_s=active_ns / 1e9 if active_ns >= 0 else NEVER_S,
        error=row.get("error", {}).get("description", ""),
    )


async def declare_feed(bus: "Bus", feed: Feed) -> None:
    """Make the consumer that a source of another place reads from. One that is there stays where it is.

    Raises:
        StreamMissing: no such stream. DeclareRefused: the server refused the consumer.
    """
    try:
        await bus.broker.js.add_consumer(feed.stream, feed_config(feed))
    except nats.js.errors.NotFoundError as error:
        raise StreamMissing(feed.stream) from error
    except nats.js.errors.APIError as error:
        raise DeclareRefused(f"feed {feed.consumer}: {error.description}") from error


async def remove_feed(bus: "Bus", feed: Feed) -> None:
    """Remove a feed, if it is there."""
    try:
        await bus.broker.js.delete_consumer(feed.stream, feed.consumer)
    except nats.js.errors.NotFoundError:
        return


def feed_config(feed: Feed) -> api.ConsumerConfig:
    """Acknowledged by flow control: the other server says what it has stored, and a window bounds what is under way."""
    return api.ConsumerConfig(
        durable_name=feed.consumer,
        deliver_subject=feed.deliver_subject,
        filter_subject=feed.subjects,
        deliver_policy=api.DeliverPolicy.ALL,
        ack_policy=api.AckPolicy.FLOW_CONTROL,
        flow_control=True,
        idle_heartbeat=1.0,  # The server takes no other for such a consumer.
        # A pong waits behind what is on its way: with thousands of messages a slow link looks dead to both servers.
        max_ack_pending=256,
    )


def source_config(source: Source) -> api.StreamSource:
    """nats-server's configuration of a source of proto/."""
    external = api.ExternalStream(api=source.api_prefix, deliver=None if source.consumer else source.deliver_subject)
    if source.consumer:
        made = api.StreamConsumerSource(name=source.consumer, deliver_subject=source.deliver_subject)
        return api.StreamSource(name=source.stream, external=external, consumer=made)
    if source.owner:
        rewrite = api.SubjectTransform(src=source.subjects, dest=_owned(source.subjects, source.owner))
        return api.StreamSource(name=source.stream, external=external, subject_transforms=[rewrite])
    return api.StreamSource(name=source.stream, external=external, filter_subject=source.subjects)


def _owned(subjects: str, owner: str) -> str:
    """The same subjects with the owner for the first `*`, which is the place."""
    parts, wildcards = [], 0
    for part in subjects.split("."):
        wildcards += part == "*"
        parts.append(part if part != "*" else owner if wildcards == 1 else f"{{{{wildcard({wildcards})}}}}")
    return ".".join(parts)


def _without(sources: Sequence[api.StreamSource], gone: Source) -> Sources:
    return [each for each in sources if (each.name, _prefix(each)) != (gone.stream, gone.api_prefix)]


def _prefix(source: api.StreamSource) -> str:
    return source.external.api if source.external else ""


async def _change(bus: "Bus", stream: str, change: Callable[[Sources], Sources]) -> None:
    """Update the sources until they are so: the server has no compare-and-set, and another may write between."""
    for _ in range(ATTEMPTS_MAX):
        config = await _config(bus, stream)
        restored = _with_kicked(config)
        wanted = change(restored)
        if _told(config.sources or []) == _told(wanted) and KICKED not in (config.metadata or {}):
            return
        metadata = {name: value for name, value in (config.metadata or {}).items() if name != KICKED}
        await _update(bus, _inbox(config).evolve(sources=wanted, metadata=metadata))
    raise DeclareRefused(f"stream {stream}: another writes its sources all the time")


def _inbox(config: api.StreamConfig) -> api.StreamConfig:
    """A stream that nobody publishes to. The server gives one without subjects and sources its name as its subject, and
    a window in which the message id of one site would keep a message of another site out."""
    if config.subjects and config.subjects != [config.name]:
        return config
    return config.evolve(subjects=None, duplicate_window=0)


def _with_kicked(config: api.StreamConfig) -> Sources:
    """The sources with the one that is, or was when its process ended, being kicked."""
    sources = list(config.sources or [])
    noted = (config.metadata or {}).get(KICKED)
    if not noted:
        return sources
    kicked = api.StreamSource.from_response(json.loads(noted))
    same = [each for each in sources if (each.name, _prefix(each)) == (kicked.name, _prefix(kicked))]
    return sources if same else [*sources, kicked]


def _told(sources: Sequence[api.StreamSource]) -> list[str]:
    """What there is to say of each source, whether it was written here or read from the server."""
    rows = []
    for each in sources:
        transforms = [(rewrite.src, rewrite.dest) for rewrite in each.subject_transforms or ()]
        made = (each.consumer.name, each.consumer.deliver_subject) if each.consumer else ()
        deliver = (each.external.deliver if each.external else "") or ""
        rows.append(json.dumps([each.name, _prefix(each), deliver, each.filter_subject or "", transforms, made]))
    return sorted(rows)


async def _config(bus: "Bus", stream: str) -> api.StreamConfig:
    try:
        return (await bus.broker.js.stream_info(stream)).config
    except nats.js.errors.NotFoundError as error:
        raise StreamMissing(stream) from error


async def _update(bus: "Bus", config: api.StreamConfig) -> None:
    try:
        await bus.broker.js.update_stream(config)
    except nats.js.errors.APIError as error:
        raise DeclareRefused(f"stream {config.name}: {error.description}") from error
