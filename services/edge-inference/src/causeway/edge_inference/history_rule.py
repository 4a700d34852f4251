"""How much of a document's past is kept: a pure decision."""

from collections.abc import Sequence
from dataclasses import dataclass

from causeway.edge_inference.records import PastRevision

_DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class HistoryRule:
    """The newest `revisions_max` earlier revisions of a document, until `days_max` days after each was replaced.

    If either is 0, none is kept.
    """

    revisions_max: int = 20
    days_max: float = 90.0

    @property
    def keeps(self) -> bool:
        """Whether there is any history."""
        return self.revisions_max > 0 and self.days_max > 0

    def replaced_after_ms(self, now_ms: int) -> int:
        """What was replaced before this time is too old."""
        return now_ms - int(self.days_max * _DAY_MS)

    def kept(self, past: Sequence[PastRevision], now_ms: int) -> list[PastRevision]:
        """What stays of the past, which is given and returned oldest first."""
        if not self.keeps:
            return []
        oldest_ms = self.replaced_after_ms(now_ms)
        return [revision for revision in past[-self.revisions_max :] if revision.until_ms >= oldest_ms]
