"""How much may be on the way to the hub: what it has applied, how fast, and what is still in flight."""

from dataclasses import dataclass, field

from causeway.sync_delta import window
from causeway.sync_delta.outbox_tables import Flight, Outbox


@dataclass(kw_only=True)
class Flow:
    """One per process. At the hub there is no window: its sites differ, and its outbox compacts for those behind."""

    policy: window.Policy
    bounded: bool
    applied_seq: int = 0
    applied_bytes: int = 0
    debt_bytes: int = 0
    rate: window.Rate = field(default_factory=lambda: window.UNKNOWN)

    @property
    def window_bytes(self) -> int:
        """What may be in flight now."""
        return window.window_bytes(self.rate, self.policy)

    def flight(self, outbox: Outbox) -> Flight:
        """What the other side has not applied."""
        return outbox.flight(self.applied_seq)

    def may_send(self, bytes_out: int, in_flight_bytes: int) -> bool:
        """Whether a document of this size may go now."""
        return not self.bounded or window.may_send(bytes_out, in_flight_bytes, self.window_bytes)

    def applied(self, seq: int, outbox: Outbox, now_ms: int) -> bool:
        """The hub has applied the outbox up to `seq`. Returns whether that is news."""
        before = outbox.flight(self.applied_seq)
        # A hub that was made anew begins again, and so does what is in flight.
        self.applied_bytes += max(0, before.bytes - outbox.flight(seq).bytes)
        news, self.applied_seq = seq != self.applied_seq, seq
        sample = window.Sample(at_ms=now_ms, applied_bytes=self.applied_bytes, busy=before.bytes > 0)
        self.rate = window.observe(self.rate, sample, self.policy)
        return news
