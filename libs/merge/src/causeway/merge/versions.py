"""The versions of one document, one per origin: which is the newest of each. Knows nothing of who wins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from causeway.merge.clock import Timestamp


@dataclass(frozen=True, slots=True)
class Version:
    """The state of a document that one origin wrote; `revision` counts that origin's writes and rises.

    `seen` holds, per other origin, the newest revision of the document that the writer's log held before.
    `repair` counts how often the same revision was sent again; it brings the same stamp and the same `seen`.
    """

    origin: str
    revision: int
    repair: int
    written: Timestamp
    seen: Mapping[str, int]
    deleted: bool


Versions: TypeAlias = Mapping[str, Version]
"""By origin, of one (kb, document_id)."""


def add(versions: Versions, version: Version) -> Versions:
    """`versions` with `version` in it, unless that origin's entry is as new: the newest (revision, repair) stays."""
    known = versions.get(version.origin)
    if known is not None and _age(known) >= _age(version):
        return versions
    return {**versions, version.origin: version}


def join(left: Versions, right: Versions) -> Versions:
    """The newest of each origin on either side: commutative, associative, idempotent."""
    joined = left
    for version in right.values():
        joined = add(joined, version)
    return joined


def _age(version: Version) -> tuple[int, int, Timestamp, bool, list[tuple[str, int]]]:
    # What stands after the repair decides only between two that claim the same number: every place must take the same.
    return version.revision, version.repair, version.written, version.deleted, sorted(version.seen.items())
