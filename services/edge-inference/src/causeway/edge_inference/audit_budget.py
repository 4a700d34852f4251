"""Which local answers may be audited, and what a day of audits may cost: reserve, then settle or refund. Pure."""

from dataclasses import dataclass

from causeway.proto.answers import Answer, Ask, Route
from causeway.proto.documents import Residency

DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class AuditRule:
    """`share` of the answers that may be audited (0: none), and the most of a day (UTC), of all replicas together.

    `usd_each_max` is what is reserved before an audit, so it should be an upper bound of one.
    """

    share: float = 0.01
    per_day_max: int = 50
    usd_per_day_max: float = 0.5
    usd_each_max: float = 0.01


def may_leave(ask: Ask, answer: Answer) -> bool:
    """Whether the question may be asked of the hub at all: a local answer by public evidence to a public question of
    somebody who lets the cloud be asked. Anything else never leaves for an audit."""
    public = ask.residency is Residency.PUBLIC and answer.residency is Residency.PUBLIC
    local = answer.route is Route.EDGE and not answer.abstained and bool(answer.text.strip())
    return public and local and ask.cloud and bool(answer.answer_id)


class AuditBudget:
    """What was spent today, by all replicas as far as this one has read, and what it has reserved itself."""

    def __init__(self, rule: AuditRule) -> None:
        self._rule = rule
        self._day = -1
        self._spent: dict[str, tuple[int, float]] = {}
        self._reserved: set[str] = set()

    def reserve(self, audit_id: str, at_unix_ms: int) -> bool:
        """Take what an audit may cost at most; False when the day's number or money does not allow for it."""
        self._begin_day(at_unix_ms)
        if audit_id in self._spent or audit_id in self._reserved:
            return False
        many = len(self._spent) + len(self._reserved) >= self._rule.per_day_max
        reserved_usd = (len(self._reserved) + 1) * self._rule.usd_each_max
        if many or self.spent_usd + reserved_usd > self._rule.usd_per_day_max:
            return False
        self._reserved.add(audit_id)
        return True

    def settle(self, audit_id: str, at_unix_ms: int, usd: float, now_unix_ms: int) -> None:
        """It cost this: said of one's own audit, and of each one that is read. Of an earlier day, it is nothing.

        `now_unix_ms` is of this process's own clock, which alone begins a day. What a clock that is ahead says is of a
        later day counts now, and tomorrow."""
        self._begin_day(now_unix_ms)
        self._reserved.discard(audit_id)
        day = min(at_unix_ms // DAY_MS, self._day + 1)
        if day >= self._day:
            self._spent[audit_id] = (day, usd)

    def holds(self, audit_id: str) -> bool:
        """Whether money is reserved for it that was neither settled nor refunded."""
        return audit_id in self._reserved

    def refund(self, audit_id: str) -> None:
        """Nothing was done for it."""
        self._reserved.discard(audit_id)

    @property
    def spent_usd(self) -> float:
        """Today, without what is reserved."""
        return sum(usd for _, usd in self._spent.values())

    def _begin_day(self, at_unix_ms: int) -> None:
        day = at_unix_ms // DAY_MS
        if day > self._day:
            self._day = day
            self._spent = {audit_id: spent for audit_id, spent in self._spent.items() if spent[0] >= day}
