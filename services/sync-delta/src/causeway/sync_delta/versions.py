"""One manifest heard in KNOWLEDGE: what it makes of the versions of its document, and who gives way. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from causeway.merge import Timestamp, Version, Versions, add, resolve, tick, witness
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import DocumentShadowed, Stamp


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a place knows of one (kb, document_id), by origin. A shadow of revision 0 is one that was lifted."""

    versions: Versions = field(default_factory=dict)
    keys: Mapping[str, bytes] = field(default_factory=dict)
    shadows: Mapping[str, DocumentShadowed] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A manifest as it stands in KNOWLEDGE; only one of another place carries its stamp."""

    origin: str
    manifest: Manifest
    stamp: Stamp | None
    time_ms: int


@dataclass(frozen=True, kw_only=True)
class Folded:
    """The outcome: what is known now, the clock, the version heard and the shadows that changed, by loser."""

    known: Known
    clock: Timestamp
    version: Version
    shadowed: tuple[tuple[str, DocumentShadowed], ...]


def fold(known: Known, clock: Timestamp, heard: Heard) -> Folded:
    """Hearing the same manifest again changes nothing: its first stamp stays."""
    version = _version(known, clock, heard)
    keys = {**known.keys, heard.origin: heard.manifest.document_key}
    # One's own log is the truth of one's own documents; of others the newest that was heard is.
    versions = add(known.versions, version) if heard.stamp else {**known.versions, heard.origin: version}
    wanted = shadows(versions, keys, heard.manifest)
    changed = tuple((origin, shadow) for origin, shadow in wanted.items() if _news(known.shadows.get(origin), shadow))
    now = Known(versions=versions, keys=keys, shadows={**known.shadows, **dict(changed)})
    return Folded(known=now, clock=witness(clock, version.written), version=versions[heard.origin], shadowed=changed)


def _version(known: Known, clock: Timestamp, heard: Heard) -> Version:
    if heard.stamp is not None:
        return version_of(heard.stamp, heard.manifest)
    before = known.versions.get(heard.origin)
    if before is not None and before.revision >= heard.manifest.revision:
        return replace(before, deleted=heard.manifest.deleted) if before.revision == heard.manifest.revision else before
    return Version(
        origin=heard.origin,
        revision=heard.manifest.revision,
        repair=0,
        written=tick(clock, heard.time_ms, heard.origin),
        seen={origin: version.revision for origin, version in known.versions.items() if origin != heard.origin},
        deleted=heard.manifest.deleted,
    )


def version_of(stamp: Stamp, manifest: Manifest) -> Version:
    """The version that a stamped manifest is."""
    return Version(
        origin=stamp.origin,
        revision=manifest.revision,
        repair=stamp.repair,
        written=Timestamp(stamp.wall_ms, stamp.counter, stamp.origin),
        seen=stamp.seen,
        deleted=manifest.deleted,
    )


def stamp_of(version: Version, repair: int) -> Stamp:
    """What crosses the link with the manifest."""
    return Stamp(
        wall_ms=version.written.wall_ms,
        counter=version.written.counter,
        origin=version.origin,
        seen=dict(version.seen),
        repair=repair,
    )


def retraction_of(version: Version, repair: int) -> Stamp:
    """The stamp of a tombstone for what only stays here from now on: older than any version of another place, and it
    has seen none, so that it hides nothing there."""
    return Stamp(wall_ms=0, counter=0, origin=version.origin, seen={}, repair=repair)


def shadows(versions: Versions, keys: Mapping[str, bytes], manifest: Manifest) -> dict[str, DocumentShadowed]:
    """What each origin's version should be in: the shadow of the winner, or (revision 0) none.

    Deleted versions need none: there is nothing of them to search.
    """
    resolution = resolve(versions)
    winner = resolution.winner
    if winner is None:
        return {}
    siblings = {version.origin for version in resolution.siblings}
    losers = {version.origin for version in (*resolution.siblings, *resolution.superseded) if not version.deleted}
    return {
        origin: DocumentShadowed(
            kb=manifest.kb,
            document_id=manifest.document_id,
            document_key=keys[origin],
            revision=version.revision if origin in losers else 0,
            winner=winner.origin if origin in losers else origin,
            winner_revision=winner.revision if origin in losers else 0,
            concurrent=origin in losers and origin in siblings,
        )
        for origin, version in versions.items()
    }


def _news(before: DocumentShadowed | None, after: DocumentShadowed) -> bool:
    if before is None or not before.revision:
        return bool(after.revision)
    return before != after
