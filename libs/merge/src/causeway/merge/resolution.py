"""Which of several versions of a document stands, and what becomes of the others: a function of the set alone."""

from collections.abc import Iterable
from dataclasses import dataclass

from causeway.merge.versions import Version, Versions


@dataclass(frozen=True, slots=True)
class Resolution:
    """Every version once: the winner, those written without knowledge of it, those that another had seen.

    `siblings` come newest first, `superseded` in the order of their origins. The winner is None only where there is
    no version.
    """

    winner: Version | None
    siblings: tuple[Version, ...]
    superseded: tuple[Version, ...]


def resolve(versions: Versions) -> Resolution:
    """Versions that another has seen give way to it; of those left the greatest stamp wins, the rest are siblings.

    Having been seen is decided before any clock is looked at, so that no skew can hide a write behind one that it
    replaced.
    """
    highest = _highest_seen(versions.values())
    standing = [version for version in versions.values() if highest.get(version.origin, -1) < version.revision]
    # Each has been seen by another only where an origin lost its log and counts again: then clocks have to do.
    standing = sorted(
        standing or versions.values(), key=lambda version: (version.written, version.origin), reverse=True
    )
    kept = {version.origin for version in standing}
    superseded = tuple(versions[origin] for origin in sorted(versions) if origin not in kept)
    return Resolution(standing[0] if standing else None, tuple(standing[1:]), superseded)


def sibling_name(document_id: str, origin: str) -> str:
    """What a losing concurrent version is called where people see it: `report.md~branch-1`. Never a key."""
    return f"{document_id}~{origin}"


def _highest_seen(versions: Iterable[Version]) -> dict[str, int]:
    highest: dict[str, int] = {}
    for version in versions:
        for origin, revision in version.seen.items():
            if origin != version.origin:
                highest[origin] = max(highest.get(origin, 0), revision)
    return highest
