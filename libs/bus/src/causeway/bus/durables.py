"""Durable consumers as an operator sees them: how far one is, and its end."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nats.js.errors

if TYPE_CHECKING:
    from causeway.bus.bus import Bus


@dataclass(frozen=True, kw_only=True)
class DurableState:
    """Messages that a durable consumer has not settled, and the sequence up to which it has settled everything."""

    lag: int
    settled_seq: int


async def durable_state(bus: "Bus", stream: str, name: str) -> DurableState | None:
    """How far it is; None when there is none of this name."""
    try:
        info = await bus.broker.js.consumer_info(stream, name)
    except nats.js.errors.NotFoundError:
        return None
    lag = (info.num_pending or 0) + (info.num_ack_pending or 0)
    return DurableState(lag=lag, settled_seq=info.ack_floor.stream_seq if info.ack_floor is not None else 0)


async def drop_durable(bus: "Bus", stream: str, name: str) -> None:
    """Forget it; what it has settled is forgotten too. It need not be there."""
    with suppress(nats.js.errors.NotFoundError):
        await bus.broker.js.delete_consumer(stream, name)
