"""Declaring a site's streams and buckets. Only the operator does it, and only after the key canary was read.

nats-server starts with a wrong storage key, hides the streams it can not decrypt, and deletes their files when a
stream of the same name is declared. The canary tells that apart from an empty store.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nats.errors
import nats.js.errors
from nats.js import api

from causeway.bus.connection import EdgeJetStream
from causeway.bus.errors import DeclareRefused, WrongStorageKey
from causeway.proto import UndecodableError, decode, streams, subjects
from causeway.proto.dead import Canary

if TYPE_CHECKING:
    from causeway.bus.bus import Bus

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DeclareReport:
    """What `declare` did, by stream name."""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]


async def declare(
    bus: "Bus",
    expected: Sequence[streams.Stream] = streams.ALL_SITE,
    *,
    fresh: bool,
    buckets: Sequence[streams.Bucket] = streams.ALL_SITE_BUCKETS,
) -> DeclareReport:
    """Make the streams and buckets what proto/ says. `fresh` says that this site never had any: the operator knows it
    from its own folder, since an empty server looks the same as one with a wrong key.

    Raises:
        WrongStorageKey: not fresh, and the canary can not be read; nothing was sent that changes anything.
        DeclareRefused: the server refused; earlier streams of the list may have been declared.
    """
    js = bus.broker.js
    await check_canary(bus, fresh=fresh)
    wanted = [stream_config(stream) for stream in expected] + [bucket_config(bucket) for bucket in buckets]
    # The canary stands before everything else, so that a declare that is cut off leaves a site that can be checked.
    wanted.sort(key=lambda config: config.name != streams.CANARY.name)
    done: dict[str, list[str]] = {"created": [], "updated": [], "unchanged": []}
    for config in wanted:
        try:
            done[await _declare_one(js, config)].append(str(config.name))
        except nats.js.errors.APIError as error:
            raise DeclareRefused(f"stream {config.name}: {error.description}") from error
        if config.name == streams.CANARY.name:
            await _put_canary(bus)
    return DeclareReport(**{name: tuple(names) for name, names in done.items()})


async def check_canary(bus: "Bus", *, fresh: bool) -> None:
    """Read the canary, changing nothing.

    Raises:
        WrongStorageKey: it is not there although the site is not fresh, or it is another site's.
    """
    subject = subjects.CANARY.at(bus.settings.site)
    try:
        raw = await bus.broker.js.get_msg(streams.CANARY.name, subject=subject)
        canary = decode(raw.data or b"", Canary)
    except (nats.js.errors.NotFoundError, UndecodableError) as error:
        if fresh:
            return
        raise WrongStorageKey(f"site {bus.settings.site}") from error
    if canary.site != bus.settings.site:
        raise WrongStorageKey(f"the store belongs to site {canary.site}, not {bus.settings.site}")


async def _put_canary(bus: "Bus") -> None:
    subject = subjects.CANARY.at(bus.settings.site)
    if await bus.last(streams.CANARY.name, subject) is None:
        canary = Canary(site=bus.settings.site, at_unix_ms=time.time_ns() // 1_000_000)
        await bus.publish(subject, canary, msg_id=f"canary.{bus.settings.site}")


async def _declare_one(js: EdgeJetStream, config: api.StreamConfig) -> str:
    try:
        existing = (await js.stream_info(str(config.name))).config
    except nats.js.errors.NotFoundError:
        await js.add_stream(config)
        return "created"
    # The first sequence belongs to the creation of a stream, and sources to the link: a later declare moves neither.
    merged = config.evolve(first_seq=existing.first_seq, metadata=existing.metadata, sources=existing.sources)
    if _same(merged, existing):
        return "unchanged"
    await js.update_stream(merged)
    return "updated"


def _same(wanted: api.StreamConfig, existing: api.StreamConfig) -> bool:
    defaults = api.StreamConfig().as_dict()
    have = existing.as_dict()
    for name, value in wanted.as_dict().items():
        if value != have.get(name) and value not in (None, defaults.get(name)):
            return False
    return True


def stream_config(stream: streams.Stream) -> api.StreamConfig:
    """nats-server's configuration of a stream of proto/."""
    return api.StreamConfig(
        name=stream.name,
        description=stream.summary,
        subjects=list(stream.subjects) or None,
        retention=api.RetentionPolicy(stream.retention.value),
        max_bytes=stream.bytes_max or -1,
        max_age=stream.age_max_s or 0,
        max_msgs_per_subject=stream.per_subject_max or -1,
        discard=api.DiscardPolicy.NEW if stream.refuses_when_full else api.DiscardPolicy.OLD,
        duplicate_window=stream.duplicate_window_s,
        storage=api.StorageType.FILE,
        allow_direct=True,
        num_replicas=1,
        first_seq=time.time_ns() // 1_000_000 if stream.first_seq_is_unix_ms else None,
    )


def bucket_config(bucket: streams.Bucket) -> api.StreamConfig:
    """The stream below an object store bucket, as every NATS client makes it."""
    return api.StreamConfig(
        name=f"OBJ_{bucket.name}",
        description=bucket.summary,
        subjects=[f"$O.{bucket.name}.C.>", f"$O.{bucket.name}.M.>"],
        max_bytes=bucket.bytes_max or -1,
        max_age=bucket.age_max_s or 0,
        discard=api.DiscardPolicy.NEW,
        allow_rollup_hdrs=True,
        allow_direct=True,
        storage=api.StorageType.FILE,
        duplicate_window=120,
        num_replicas=1,
    )
