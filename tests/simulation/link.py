"""A JetStream source over a bad network: packets are lost, doubled and overtake one another; the stream that sources
takes what is next and asks again for the rest. After a crash it goes on from the last message that it still holds."""

from dataclasses import dataclass, field
from random import Random

from tests.simulation.log import Entry
from tests.simulation.simulated_bus import Server, matches

IN_FLIGHT_MAX = 8


@dataclass(frozen=True, slots=True)
class _Packet:
    after_seq: int
    entry: Entry


@dataclass
class Source:
    """From the OUTBOX of one place into the INBOX of another, filtered."""

    origin: Server
    target: Server
    filters: tuple[str, ...]
    random: Random
    loss: float = 0.05
    up: bool = True
    position: int = 0
    _sent: int = 0
    _flight: list[_Packet] = field(default_factory=list)

    @property
    def stream(self) -> str:
        """What is sourced."""
        return f"OUTBOX_{self.origin.place}"

    @property
    def busy(self) -> bool:
        """Whether there is anything to do while the link is up."""
        return self.up and (bool(self._flight) or self._next(self.position) is not None or self._unsynced)

    @property
    def _unsynced(self) -> bool:
        return self.target.logs["INBOX"].unsynced > 0

    def cut(self) -> None:
        """The link is gone, and everything on its way with it."""
        self.up = False
        self._flight.clear()
        self._sent = self.position

    def restarted(self) -> None:
        """The target came back: it goes on from the message that it stored last, as nats-server does."""
        held = [entry.source_seq for entry in self.target.logs["INBOX"].entries() if self._mine(entry)]
        self.position = self._sent = held[-1] if held else 0
        self._flight.clear()

    def begin_again(self) -> None:
        """The source was declared anew and has forgotten where it was: everything comes once more."""
        self.position = self._sent = 0
        self._flight.clear()

    def step(self) -> Entry | None:
        """Send, deliver or sync something. Returns what was stored."""
        if self._unsynced and self.random.random() < 0.5:
            self.target.sync("INBOX")
            return None
        if self._flight and (len(self._flight) >= IN_FLIGHT_MAX or self.random.random() < 0.5):
            return self._deliver()
        self._send()
        return None

    def _send(self) -> None:
        entry = self._next(self._sent)
        if entry is not None:
            self._flight.append(_Packet(self._sent, entry))
            self._sent = entry.seq
        elif not self._flight:
            self._sent = self.position

    def _deliver(self) -> Entry | None:
        index = self.random.randrange(len(self._flight)) if self.random.random() < 0.3 else 0
        packet = self._flight[index]
        if self.random.random() > self.loss:
            del self._flight[index]
        if self.random.random() < self.loss or packet.after_seq != self.position:
            return None
        self.position = packet.entry.seq
        entry = packet.entry
        arrived = Entry(0, entry.subject, entry.body, self.target.wall_ms(), self.stream, entry.seq)
        self.target.logs["INBOX"].append(arrived)
        return entry

    def _next(self, seq: int) -> Entry | None:
        entry = self.origin.logs[self.stream].after(seq)
        while entry is not None and not matches(self.filters, entry.subject):
            entry = self.origin.logs[self.stream].after(entry.seq)
        return entry

    def _mine(self, entry: Entry) -> bool:
        return entry.source == self.stream and matches(self.filters, entry.subject)
