"""What is known of the other side of each link, by its reports. Pure, the clock is passed in."""

from dataclasses import dataclass, field

from causeway.proto.link import SiteReport

NEVER_S = float("-inf")


@dataclass(kw_only=True)
class Peer:
    """One other side: since when it answers without a break, when it did last, and what it said then."""

    since_s: float = NEVER_S
    last_s: float = NEVER_S
    report: SiteReport | None = None
    outbox_seq: int = 0


@dataclass(kw_only=True)
class Peers:
    """All of them. One that was silent for `silence_s` does not answer."""

    silence_s: float
    known: dict[str, Peer] = field(default_factory=dict)

    def heard(self, name: str, now_s: float, report: SiteReport | None = None, outbox_seq: int = 0) -> Peer:
        """It has said something."""
        peer = self.known.setdefault(name, Peer())
        if now_s - peer.last_s > self.silence_s:
            peer.since_s = now_s
        peer.last_s, peer.report, peer.outbox_seq = now_s, report, outbox_seq
        return peer

    def lost(self, name: str) -> None:
        """It did not answer."""
        self.known.setdefault(name, Peer()).last_s = NEVER_S

    def answers_for_s(self, name: str, now_s: float) -> float:
        """How long it has been answering; below 0: it does not."""
        peer = self.known.get(name)
        if peer is None or now_s - peer.last_s > self.silence_s:
            return -1.0
        return now_s - peer.since_s

    def spoke_s(self, name: str, now_s: float) -> float:
        """How long ago it spoke; below 0: it does not answer."""
        return now_s - self.known[name].last_s if self.answers_for_s(name, now_s) >= 0 else -1.0
