"""How far a set of published documents has come, from the statuses that the site publishes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from causeway.proto.documents import DocumentStatus, State

_ENDS = frozenset({State.SEARCHABLE, State.FAILED, State.DELETED})


@dataclass
class Publication:
    """Documents of one kb by id. A document is done when its revision, or a newer one, is at an end."""

    total: int
    waiting: dict[str, int] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    _seen: dict[str, DocumentStatus] = field(default_factory=dict)

    def published(self, document_id: str, revision: int) -> None:
        """The site has taken the document as this revision."""
        self.waiting[document_id] = revision
        self.done.discard(document_id)
        self.failed.pop(document_id, None)
        known = self._seen.get(document_id)
        if known is not None:
            self.observe(known)

    def refused(self, document_id: str, reason: str) -> None:
        """The document could not be published."""
        self.waiting.pop(document_id, None)
        self.failed[document_id] = reason

    def observe(self, status: DocumentStatus) -> None:
        """Take a status; it may come before `published`, twice, or late."""
        known = self._seen.get(status.document_id)
        if known is None or (status.revision, status.state in _ENDS) >= (known.revision, known.state in _ENDS):
            self._seen[status.document_id] = status
        revision = self.waiting.get(status.document_id)
        if revision is None or status.revision < revision or status.state not in _ENDS:
            return
        del self.waiting[status.document_id]
        if status.state is State.FAILED:
            self.failed[status.document_id] = status.reason or status.code or "no reason was given"
        else:
            self.done.add(status.document_id)

    @property
    def ended(self) -> int:
        """How many documents are done or failed."""
        return len(self.done) + len(self.failed)

    @property
    def finished(self) -> bool:
        """Whether every document has come to its end."""
        return self.ended >= self.total

    def where_it_waits(self, statuses: Iterable[DocumentStatus] = ()) -> dict[str, str]:
        """The last known state of each document that is not done."""
        for status in statuses:
            self.observe(status)
        return {
            key: self._seen[key].state.value if key in self._seen else "not yet received"
            for key in sorted(self.waiting)
        }
