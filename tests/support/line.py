"""A line with a delay, jitter, loss and a rate: when a packet that is sent now arrives, if it does. Pure."""

import random
from dataclasses import dataclass, field

import msgspec


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """Of one direction. `loss` is a share of the packets; at a rate of 0 there is no limit.

    `queue_s` is how long a packet may wait for those before it; what would wait longer is dropped, as in a router.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    bits_per_s: int = 0
    queue_s: float = 0.5


@dataclass(kw_only=True)
class Line:
    """One direction. Packets never overtake each other: jitter is other people's traffic in the same queues."""

    conditions: Conditions
    rng: random.Random
    free_s: float = field(default=0.0, init=False)
    last_s: float = field(default=0.0, init=False)

    def arrival_s(self, now_s: float, size_bytes: int) -> float | None:
        """When it arrives; None when it is lost. What is lost on the way has had its time on the line."""
        of = self.conditions
        sent_s = now_s
        if of.bits_per_s:
            begins_s = max(now_s, self.free_s)
            if begins_s - now_s > of.queue_s:
                return None
            sent_s = self.free_s = begins_s + 8 * size_bytes / of.bits_per_s
        if self.rng.random() < of.loss:
            return None
        arrives_s = sent_s + of.delay_s + self.rng.uniform(-of.jitter_s, of.jitter_s)
        self.last_s = max(self.last_s, now_s, arrives_s)
        return self.last_s
