"""What to restore and delete so that a knowledge base is again as it was at an epoch. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from causeway.proto.history import RevisionEntry


@dataclass(frozen=True, kw_only=True)
class Step:
    """A document whose revision `revision` is to stand again, over `over`."""

    revision: int
    over: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`lost` are documents that there were and whose revision of then is not held; `foreign` those of other places."""

    restored: dict[str, Step]
    deleted: tuple[str, ...]
    unchanged: int
    lost: tuple[str, ...]
    foreign: int

    @property
    def changes(self) -> int:
        """How many documents are touched."""
        return len(self.restored) + len(self.deleted)


def plan(entries: Iterable[RevisionEntry], epoch: int, place: str) -> Plan:
    """Compare what stands with what stood, for the documents of this place. `entries` are all, newest first."""
    lives: dict[str, list[RevisionEntry]] = {}
    foreign: set[bytes] = set()
    for entry in entries:
        if entry.origin == place:
            lives.setdefault(entry.document_id, []).append(entry)
        elif entry.current and not entry.deleted:
            foreign.add(entry.document_key)
    restored: dict[str, Step] = {}
    deleted: list[str] = []
    lost: list[str] = []
    for document_id, life in sorted(lives.items()):
        stood = next((entry for entry in life if entry.seq <= epoch), None)
        current = life[0]
        if stood is None and life[-1].earlier_gone:
            lost.append(document_id)
        elif stood is None or stood.deleted:
            deleted += [] if current.deleted else [document_id]
        elif stood is not current:
            restored[document_id] = Step(revision=stood.revision, over=current.revision)
    touched = len(restored) + len(deleted) + len(lost)
    return Plan(
        restored=restored,
        deleted=tuple(deleted),
        unchanged=len(lives) - touched,
        lost=tuple(lost),
        foreign=len(foreign),
    )
