"""Work from a stream in batches, through FastStream's pull subscriber with manual acknowledgement.

Delivery guarantee: at least once. A message leaves its stream only after the handler said Ack, or after it lies in
DEAD. A crash, a lost connection, a deleted consumer or a drain delivers it again, to this service or a sibling.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import nats.errors
from faststream import AckPolicy
from faststream.nats import JStream, PullSub
from nats.aio.msg import Msg
from nats.js import api

from causeway.bus.decoding import delivery_of
from causeway.bus.delivery import Ack, Dead, Delivery, Outcome, Retry
from causeway.bus.outcomes import KEPT_DELAY_S, RetryPolicy, exhausted, groups, settle
from causeway.proto import Message, UndecodableError

if TYPE_CHECKING:
    from causeway.bus.bus import Bus

log = logging.getLogger(__name__)
BatchHandler = Callable[[list[Delivery]], Awaitable[Sequence[Outcome]]]


async def _undecoded(message: Any) -> Any:
    # FastStream would try JSON on every body; deliveries are decoded here, one by one, so that one bad body is one
    # dead letter.
    return message.raw_message


class Consumption:
    """One durable pull consumer and its handler. Made by `Bus.consume`."""

    def __init__(
        self,
        bus: "Bus",
        stream: str,
        filter_subject: str,
        handler: BatchHandler,
        *,
        message_types: tuple[type[Message], ...],
        batch_max: int,
        wait_s: float,
        ack_wait_s: float,
        handler_timeout_s: float,
        policy: RetryPolicy,
        in_flight_max: int,
    ) -> None:
        self._bus = bus
        self.stream = stream
        self._handler = handler
        self._types = message_types
        self._ack_wait_s = ack_wait_s
        self._handler_timeout_s = handler_timeout_s
        self._policy = policy
        self._labels = (bus.settings.service, stream)
        self.ready = asyncio.Event()
        self.config = api.ConsumerConfig(
            durable_name=bus.settings.service,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            # Attempts are counted here, where giving up means a dead letter; the server would drop it in silence.
            max_deliver=-1,
            max_ack_pending=max(in_flight_max, batch_max),
        )
        self._subscriber = bus.broker.subscriber(
            filter_subject,
            durable=bus.settings.service,
            config=self.config,
            stream=JStream(stream, declare=False),
            pull_sub=PullSub(batch_size=batch_max, timeout=wait_s, batch=True),
            ack_policy=AckPolicy.MANUAL,
            decoder=_undecoded,
            no_reply=True,
        )
        self._subscriber(self._on_batch)

    async def start(self) -> None:
        """Wait for the stream, create or update the consumer, and begin."""
        await self._bus.await_stream(self.stream)
        await self._subscriber.start()
        self.ready.set()

    async def stop(self) -> None:
        """Take no more, let the running handler finish, give the rest back."""
        self.ready.clear()
        await self._subscriber.stop()

    @property
    def lost(self) -> int:
        """How often the consumer vanished and was made again."""
        return int(getattr(self._subscriber.subscription, "lost", 0))

    async def _on_batch(self, raws: list[Msg]) -> None:
        self._bus.metrics.consumed.labels(*self._labels).inc(len(raws))
        counts = [raw.metadata.num_delivered or 1 for raw in raws]
        keeper = asyncio.create_task(self._keep(raws))
        try:
            for group in groups(counts, self._policy.attempts_max):
                await self._on_group([raws[index] for index in group])
        finally:
            keeper.cancel()

    async def _on_group(self, raws: list[Msg]) -> None:
        deliveries: list[Delivery] = []
        for raw in raws:
            verdict = exhausted(raw.metadata.num_delivered or 1)
            try:
                if verdict is None:
                    deliveries.append(delivery_of(raw, self._types))
            except UndecodableError as error:
                verdict = Dead(f"undecodable: {error}")
            if verdict is not None:
                await self._settle(raw, verdict)
        if deliveries:
            await self._handle(deliveries)

    async def _handle(self, deliveries: list[Delivery]) -> None:
        self._bus.metrics.batch_size.labels(*self._labels).observe(len(deliveries))
        began = time.monotonic()
        try:
            outcomes = await self._outcomes(deliveries)
        finally:
            self._bus.metrics.handler_seconds.labels(*self._labels).observe(time.monotonic() - began)
        for delivery, outcome in zip(deliveries, outcomes, strict=True):
            assert delivery.raw is not None
            await self._settle(delivery.raw, outcome)

    async def _outcomes(self, deliveries: list[Delivery]) -> Sequence[Outcome]:
        try:
            async with asyncio.timeout(self._handler_timeout_s):
                outcomes = await self._handler(deliveries)
        except Exception as error:  # The outermost loop of every handler.
            log.exception("handler failed", extra={"stream": self.stream, "messages": len(deliveries)})
            outcomes = [Retry(f"{type(error).__name__}: {error}")] * len(deliveries)
        if len(outcomes) != len(deliveries):
            text = f"handler gave {len(outcomes)} outcomes for {len(deliveries)} messages: one for each, in order"
            log.error(text, extra={"stream": self.stream})
            outcomes = [Retry(text)] * len(deliveries)
        return outcomes

    async def _keep(self, raws: list[Msg]) -> None:
        """While the batch is worked on, no sibling gets its messages, and after a crash one does within ack_wait."""
        while True:
            await asyncio.sleep(self._ack_wait_s / 3)
            for raw in raws:
                try:
                    if not raw._ackd:
                        await raw.in_progress()
                except nats.errors.Error as error:
                    log.debug("in_progress failed", extra={"stream": self.stream, "reason": str(error)})

    async def _settle(self, raw: Msg, outcome: Outcome) -> None:
        final = settle(outcome, raw.metadata.num_delivered or 1, self._policy)
        name = type(final).__name__.lower()
        try:
            if isinstance(final, Dead) and not await self._bus.dead_letters.bury(raw, final.reason):
                name = "kept"
                await raw.nak(delay=KEPT_DELAY_S)
            elif isinstance(final, Retry):
                await raw.nak(delay=final.delay_s)
            else:
                assert isinstance(final, Ack | Dead)
                await raw.ack()
        except nats.errors.Error as error:
            # Not settled: the server delivers it again after ack_wait, which at-least-once allows.
            name = "unsettled"
            log.warning("could not settle a message", extra={"stream": self.stream, "reason": str(error)})
        self._bus.metrics.outcomes.labels(*self._labels, name).inc()
