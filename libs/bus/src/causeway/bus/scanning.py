"""Reading a stream once, from a sequence to its end as it is now, in order; survives a restart of the server."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import api

from causeway.bus.connection import EdgeJetStream
from causeway.bus.errors import BusError, ConsumerLost, NotConnected, StreamMissing
from causeway.bus.pulling import EdgePullSubscription

log = logging.getLogger(__name__)
BATCH = 500
SILENCE_S = 2.0
INACTIVE_S = 60.0
RESUMES_MAX = 20
RESUME_PAUSE_S = 0.2


def log_consumer(js: EdgeJetStream, filters: Sequence[str], after_seq: int, inactive_s: float) -> api.ConsumerConfig:
    """An ephemeral consumer that reads after a sequence and acknowledges nothing."""
    config = api.ConsumerConfig(
        name=js.client.new_inbox().rsplit(".", 1)[-1],
        ack_policy=api.AckPolicy.NONE,
        deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after_seq + 1,
        inactive_threshold=inactive_s,
        mem_storage=True,
        num_replicas=1,
    )
    if len(filters) == 1:
        config.filter_subject = filters[0]
    elif filters:
        config.filter_subjects = list(filters)
    return config


async def scan(
    js: EdgeJetStream, stream: str, filters: Sequence[str], *, after_seq: int = 0, batch: int = BATCH
) -> AsyncGenerator[Msg, None]:
    """Every message after `after_seq` that is there now, in order.

    Raises:
        StreamMissing: no such stream. BusError: a work queue can only be consumed. NotConnected: it was begun again
            too often without an end.
    """
    seq, end = after_seq, await last_seq(js, stream)
    for _ in range(RESUMES_MAX):
        session = _session(js, stream, filters, seq, batch)
        try:
            async for message in session:
                seq = message.metadata.sequence.stream
                yield message
                # A busy stream would never end otherwise.
                if seq >= end:
                    return
            return
        except (ConsumerLost, NotConnected, nats.errors.Error, TimeoutError) as error:
            if isinstance(error, nats.js.errors.NotFoundError):
                raise StreamMissing(stream) from error
            if isinstance(error, nats.js.errors.BadRequestError):
                raise BusError(
                    f"stream {stream} can not be scanned ({error.description}): a work queue is consumed"
                ) from error
            log.info("scan begins again", extra={"stream": stream, "after": seq, "reason": str(error)})
            await asyncio.sleep(RESUME_PAUSE_S)
        finally:
            await session.aclose()
    raise NotConnected(f"stream {stream} could not be read to its end")


async def last_seq(js: EdgeJetStream, stream: str) -> int:
    """The last sequence of a stream, also when the server is just being restarted.

    Raises:
        StreamMissing, NotConnected.
    """
    for _ in range(RESUMES_MAX):
        try:
            await js.client.online(js.timeout_s)
            return (await js.stream_info(stream)).state.last_seq
        except nats.js.errors.NotFoundError as error:
            raise StreamMissing(stream) from error
        except (nats.errors.Error, TimeoutError) as error:
            log.info("stream can not be read yet", extra={"stream": stream, "reason": str(error)})
            await asyncio.sleep(RESUME_PAUSE_S)
    raise NotConnected(f"stream {stream} could not be read")


async def seq_before(js: EdgeJetStream, stream: str, moment: datetime) -> int:
    """The last sequence that was stored before `moment`, by the server's clock; 0: all that is there came since.

    Raises:
        StreamMissing, NotConnected.
    """
    await js.client.online(js.timeout_s)
    config = api.ConsumerConfig(
        name=js.client.new_inbox().rsplit(".", 1)[-1],
        ack_policy=api.AckPolicy.NONE,
        deliver_policy=api.DeliverPolicy.BY_START_TIME,
        opt_start_time=moment,
        inactive_threshold=INACTIVE_S,
        mem_storage=True,
        num_replicas=1,
    )
    try:
        # Where a consumer stands that has delivered nothing yet is before what it would deliver first.
        delivered = (await js.add_consumer(stream, config)).delivered
        await js.delete_consumer(stream, str(config.name))
    except nats.js.errors.NotFoundError as error:
        raise StreamMissing(stream) from error
    except (nats.errors.Error, TimeoutError) as error:
        raise NotConnected(f"stream {stream} could not be read") from error
    return delivered.stream_seq if delivered is not None else 0


async def _session(
    js: EdgeJetStream, stream: str, filters: Sequence[str], after_seq: int, batch: int
) -> AsyncGenerator[Msg, None]:
    await js.client.online(js.timeout_s)
    config = log_consumer(js, filters, after_seq, INACTIVE_S)
    pending = (await js.add_consumer(stream, config)).num_pending
    pull = await js.pull(stream, config)
    expected = 1
    try:
        while pending:
            messages = await pull.next_batch(batch, SILENCE_S)
            if not messages:
                raise ConsumerLost("what was pending does not come")
            for message in messages:
                if message.metadata.sequence.consumer != expected:
                    raise ConsumerLost("gap")
                expected, pending = expected + 1, message.metadata.num_pending
                yield message
    finally:
        await release(js, stream, config, pull)


async def release(js: EdgeJetStream, stream: str, config: api.ConsumerConfig, pull: EdgePullSubscription) -> None:
    """Take the consumer away; where that fails, the server does it when it has been idle."""
    try:
        await pull.unsubscribe()
        await js.delete_consumer(stream, str(config.name))
    except (nats.errors.Error, TimeoutError) as error:
        log.debug("an ephemeral consumer is left to its time-out", extra={"stream": stream, "reason": str(error)})
