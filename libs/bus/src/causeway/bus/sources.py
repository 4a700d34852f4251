"""Where a stream takes its messages from: the sources that bring another place's outbox over the link.

Guarantee: what is set stays set over restarts; a source that was there already goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import nats.js.errors
from nats.js import api

from causeway.bus.errors import DeclareRefused
from causeway.proto.streams import Feed, Source

if TYPE_CHECKING:
    from causeway.bus.bus import Bus

FEED_HEARTBEAT_S = 1.0
FEED_IN_FLIGHT_MAX = 1_000
_KICKED = "causeway.kicked_sources"


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """A source and how it does: `active_s` ago it was last heard of (None: never), `lag` messages are still there."""

    stream: str
    subjects: str
    lag: int
    active_s: float | None


async def read_sources(bus: "Bus", stream: str) -> tuple[SourceState, ...]:
    """How the sources of a stream do, by stream and subjects.

    Raises:
        DeclareRefused: there is no such stream.
    """
    await _config(bus, stream)
    # nats-py leaves out the filters, which tell two sources of the same stream apart.
    reply = await bus.broker.client.request(f"$JS.API.STREAM.INFO.{stream}", timeout=bus.settings.api_timeout_s)
    states = [_state(one) for one in msgspec.json.decode(reply.data, type=_Info).sources]
    return tuple(sorted(states, key=lambda one: (one.stream, one.subjects)))


async def set_sources(bus: "Bus", stream: str, sources: Sequence[Source]) -> bool:
    """Make these the sources. False when it was so already. What was brought before stays.

    Raises:
        DeclareRefused: there is no such stream, or the server does not take a source.
    """
    config = await _config(bus, stream)
    wanted = [stream_source(one) for one in sources]
    if _comparable(wanted) == _comparable(config.sources or []):
        return False
    await _update(bus, config, wanted)
    return True


async def set_feeds(bus: "Bus", feeds: Sequence[Feed]) -> None:
    """Make the consumers that sources of other places read from. Safe to repeat.

    Raises:
        DeclareRefused: a stream is not there, or the server does not take a consumer.
    """
    for feed in feeds:
        try:
            await bus.broker.js.add_consumer(feed.stream, feed_config(feed))
        except nats.js.errors.APIError as error:
            raise DeclareRefused(f"consumer {feed.consumer} of {feed.stream}: {error.description}") from error


async def remove_feeds(bus: "Bus", feeds: Sequence[Feed]) -> None:
    """Take these consumers away; those that are gone already are fine."""
    for feed in feeds:
        try:
            await bus.broker.js.delete_consumer(feed.stream, feed.consumer)
        except nats.js.errors.NotFoundError:
            continue


async def kick(bus: "Bus", stream: str) -> int:
    """Take all sources away and put them back, so that each is asked for at once and not when its backoff ends.
    Returns how many there are.

    The sources are kept in the stream's metadata meanwhile: after a crash in between, the next kick puts them back.
    """
    config = await _config(bus, stream)
    sources = list(config.sources or []) or _kept(config)
    if sources:
        await _update(bus, config, [], kept=sources)
        await _update(bus, config, sources)
    return len(sources)


def _kept(config: api.StreamConfig) -> list[api.StreamSource]:
    kept = (config.metadata or {}).get(_KICKED)
    return [api.StreamSource.from_response(one) for one in msgspec.json.decode(kept)] if kept else []


def stream_source(one: Source) -> api.StreamSource:
    """nats-server's configuration of a source. Without a prefix it is a stream of this very account."""
    source = api.StreamSource(name=one.stream)
    if one.consumer:
        source.consumer = api.StreamConsumerSource(name=one.consumer, deliver_subject=one.deliver_subject)
    if one.api_prefix:
        deliver = None if one.consumer else one.deliver_subject
        source.external = api.ExternalStream(api=one.api_prefix, deliver=deliver)
    if one.owner:
        source.subject_transforms = [api.SubjectTransform(src=one.subjects, dest=owned(one.subjects, one.owner))]
    elif not one.consumer:
        source.filter_subject = one.subjects
    return source


def owned(subjects: str, owner: str) -> str:
    """Where messages of `subjects` go when their second token becomes `owner`. Pure."""
    parts, wildcards = [], 0
    for position, part in enumerate(subjects.split(".")):
        wildcards += part == "*"
        kept = f"{{{{wildcard({wildcards})}}}}" if part == "*" else part
        parts.append(owner if position == 1 else kept)
    return ".".join(parts)


def feed_config(feed: Feed) -> api.ConsumerConfig:
    """nats-server's configuration of a consumer that a source reads from: acknowledged by flow control alone."""
    return api.ConsumerConfig(
        durable_name=feed.consumer,
        deliver_subject=feed.deliver_subject,
        filter_subject=feed.subjects,
        ack_policy=api.AckPolicy("flow_control"),
        flow_control=True,
        idle_heartbeat=FEED_HEARTBEAT_S,
        max_ack_pending=FEED_IN_FLIGHT_MAX,
    )


class _Transform(msgspec.Struct):
    src: str = ""


class _State(msgspec.Struct):
    name: str = ""
    filter_subject: str = ""
    subject_transforms: list[_Transform] = []
    lag: int = 0
    active: int = -1


class _Info(msgspec.Struct):
    sources: list[_State] = []


def _state(one: _State) -> SourceState:
    subjects = one.filter_subject or " ".join(transform.src for transform in one.subject_transforms)
    active_s = one.active / 1e9 if one.active >= 0 else None
    return SourceState(stream=one.name, subjects=subjects, lag=one.lag, active_s=active_s)


def _comparable(sources: Sequence[api.StreamSource]) -> list[str]:
    return sorted(
        msgspec.json.encode({name: value for name, value in _plain(one).items() if value}, order="sorted").decode()
        for one in sources
    )


def _plain(one: api.StreamSource) -> dict[str, object]:
    return {
        "name": one.name,
        "filter": one.filter_subject,
        "external": one.external and [one.external.api, one.external.deliver or ""],
        "consumer": one.consumer and [one.consumer.name, one.consumer.deliver_subject],
        "transforms": [[transform.src, transform.dest] for transform in one.subject_transforms or []],
    }


async def _config(bus: "Bus", stream: str) -> api.StreamConfig:
    try:
        return (await bus.broker.js.stream_info(stream)).config
    except nats.js.errors.APIError as error:
        raise DeclareRefused(f"stream {stream}: {error.description}") from error


async def _update(
    bus: "Bus", config: api.StreamConfig, sources: list[api.StreamSource], kept: Sequence[api.StreamSource] = ()
) -> None:
    metadata = {name: value for name, value in (config.metadata or {}).items() if name != _KICKED}
    if kept:
        metadata[_KICKED] = msgspec.json.encode([_as_dict(one) for one in kept]).decode()
    try:
        await bus.broker.js.update_stream(config.evolve(sources=sources, metadata=metadata))
    except nats.js.errors.APIError as error:
        raise DeclareRefused(f"sources of stream {config.name}: {error.description}") from error


def _as_dict(one: api.StreamSource) -> dict[str, object]:
    """nats-py leaves inner values as they are where it has no method for them."""
    plain = one.as_dict()
    return {name: value.as_dict() if isinstance(value, api.Base) else value for name, value in plain.items()}
