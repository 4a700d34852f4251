"""Which waiting document goes next, and how much may be under way: back-pressure and priority of one link.

Documents wait in two queues, each oldest first. An edit does not wait behind an import; an import that has waited
long enough gets a share of the link whatever else there is.
"""

import enum
from dataclasses import dataclass

MIB = 1024 * 1024


class Class(enum.IntEnum):
    """Small enough that somebody may be waiting to see it, or not."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The limits. What is under way is what the link carries in `window_s`, between floor and ceiling.

    A pong of nats-server waits behind what is under way, and a link that owes two of them is given up: so there must be
    less than the 6 s that two pings take, also on the slowest link.
    """

    interactive_bytes_max: int = 64 * 1024
    interactive_chunks_max: int = 16
    bulk_wait_s: float = 30.0
    bulk_share: float = 0.25
    window_s: float = 2.0
    floor_bytes: int = 128 * 1024
    ceiling_bytes: int = 64 * MIB
    rate_halflife_s: float = 20.0
    rise_halflife_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A document that was decided on and waits. `since_ms` is when it came into the queue, not its last edit."""

    kb: str
    document_key: bytes
    since_ms: int
    chunks_new: int
    bytes_out: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes next. `debt_bytes` is what bulk has taken out of turn and interactive documents have not yet repaid."""

    waiting: Waiting
    class_: Class
    debt_bytes: int


@dataclass(frozen=True, slots=True)
class Sample:
    """How many bytes the other side has applied up to a moment. `busy`: some were under way ever since the last one."""

    at_ms: int
    applied_bytes: int
    busy: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """Bytes a second that the other side applies while there is something to apply; 0: not known yet."""

    bytes_per_s: float
    last: Sample | None


UNKNOWN = Rate(0.0, None)


def class_of(chunks_new: int, bytes_out: int, policy: Policy) -> Class:
    """The queue of a document, by what it adds to the link."""
    small = chunks_new <= policy.interactive_chunks_max and bytes_out <= policy.interactive_bytes_max
    return Class.INTERACTIVE if small else Class.BULK


def choose(
    interactive: Waiting | None, bulk: Waiting | None, debt_bytes: int, now_ms: int, policy: Policy
) -> Choice | None:
    """The next of the two oldest documents; None when nothing waits.

    Bulk that has waited `bulk_wait_s` goes before interactive documents, and then not again before these have had
    (1 - share) / share times its bytes. So the wait is bounded whatever comes in.
    """
    if interactive is None:
        return None if bulk is None else Choice(bulk, Class.BULK, 0)
    overdue = bulk is not None and now_ms - bulk.since_ms >= policy.bulk_wait_s * 1_000
    if bulk is not None and overdue and debt_bytes <= 0:
        return Choice(bulk, Class.BULK, bulk.bytes_out)
    repaid = max(1, int(interactive.bytes_out * policy.bulk_share / (1.0 - policy.bulk_share)))
    return Choice(interactive, Class.INTERACTIVE, max(0, debt_bytes - repaid))


def observe(rate: Rate, sample: Sample, policy: Policy) -> Rate:
    """The rate after a report: an average that forgets half in `rate_halflife_s` of busy time, and in `rise_halflife_s`
    where the link is faster than that, as it is after a cut.

    Idle time says nothing about the link, and neither does a report that is older than the last one.
    """
    last = rate.last
    if last is None or sample.applied_bytes < last.applied_bytes:
        return Rate(rate.bytes_per_s, sample)
    elapsed_s = (sample.at_ms - last.at_ms) / 1_000
    if elapsed_s <= 0:
        return rate
    if not sample.busy:
        return Rate(rate.bytes_per_s, sample)
    measured = (sample.applied_bytes - last.applied_bytes) / elapsed_s
    if rate.bytes_per_s == 0.0:
        return Rate(measured, sample)
    rises = measured > rate.bytes_per_s
    kept = 0.5 ** (elapsed_s / (policy.rise_halflife_s if rises else policy.rate_halflife_s))
    return Rate(kept * rate.bytes_per_s + (1.0 - kept) * measured, sample)


def window_bytes(rate: Rate, policy: Policy) -> int:
    """How many bytes may be published and not applied yet."""
    return min(policy.ceiling_bytes, max(policy.floor_bytes, int(rate.bytes_per_s * policy.window_s)))


def may_send(bytes_out: int, in_flight_bytes: int, window: int) -> bool:
    """Whether a document of this size may go now. One that is larger than the window goes alone."""
    return in_flight_bytes <= 0 or in_flight_bytes + bytes_out <= window
