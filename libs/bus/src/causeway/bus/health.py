"""Whether this service's side of the bus works, for a readiness probe."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ConsumerHealth:
    """The backlog of one consumer or follower."""

    stream: str
    pending: int
    unsettled: int = 0
    redelivered: int = 0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Health:
    """`ok` with an empty reason, or the first thing that is wrong."""

    ok: bool
    reason: str = ""
    consumers: tuple[ConsumerHealth, ...] = field(default=())


def judge(*, connected: bool, closed: bool, stopping: bool, consumers: tuple[ConsumerHealth, ...]) -> Health:
    """The verdict over what was observed."""
    if stopping:
        return Health(ok=False, reason="stopping", consumers=consumers)
    if closed:
        return Health(ok=False, reason="the connection is closed for good: restart the service", consumers=consumers)
    if not connected:
        return Health(ok=False, reason="not connected to nats-server, trying again", consumers=consumers)
    sick = next((consumer for consumer in consumers if consumer.reason), None)
    if sick is not None:
        return Health(ok=False, reason=f"{sick.stream}: {sick.reason}", consumers=consumers)
    return Health(ok=True, consumers=consumers)
