"""When waiting for documents is over: a pure look at their statuses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from causeway.bus.errors import BusError
from causeway.proto.documents import DocumentStatus, State

_ENDED = frozenset({State.SEARCHABLE, State.FAILED, State.DELETED})


class NotSearchableInTime(BusError):
    """These documents did not become searchable in the time given: look at their state and reason with
    `causeway status`, and at dead letters with `causeway dead-letters list`."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far some documents have come."""

    ended: dict[str, DocumentStatus]
    missing: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Whether all have come to their end, searchable, failed or deleted."""
        return not self.missing


def progress(revisions: Mapping[str, int], statuses: Iterable[DocumentStatus]) -> Progress:
    """Compare the statuses with the revisions that are waited for (0: any revision)."""
    by_id = {status.document_id: status for status in statuses}
    ended = {
        document_id: by_id[document_id]
        for document_id, revision in revisions.items()
        if document_id in by_id and _over(by_id[document_id], revision)
    }
    return Progress(ended=ended, missing=tuple(sorted(set(revisions) - set(ended))))


def _over(status: DocumentStatus, revision: int) -> bool:
    # A revision is this place's: what came from another one under the same id says nothing of it.
    if revision and status.origin:
        return False
    # A newer revision makes the one that is waited for obsolete; it ends with the newer one.
    return status.revision >= revision and status.state in _ENDED
