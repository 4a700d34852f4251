"""Point reads of a stream: the last message of a subject, or which of many subjects have one."""

import asyncio
from collections.abc import Iterable, Sequence

import nats.errors
import nats.js.errors
from nats.js import api

from causeway.bus.broker import EdgeBroker
from causeway.bus.delivery import Stored
from causeway.bus.errors import NotConnected, StreamMissing
from causeway.proto import Message, decode_any, headers

CONCURRENCY_MAX = 64
ATTEMPTS_MAX = 3
PAUSE_S = 0.2


class Lookup:
    """Direct gets. They read what the server has stored, also when no consumer runs."""

    def __init__(self, broker: EdgeBroker) -> None:
        self._broker = broker
        self._slots = asyncio.Semaphore(CONCURRENCY_MAX)

    async def last(self, stream: str, subject: str, kinds: Sequence[type[Message]]) -> Stored | None:
        """The last message of `subject`, or None.

        Raises:
            UndecodableError: it is not one of `kinds`. StreamMissing: no such stream. TimeoutError: no answer in time.
            NotConnected: no connection, or the server can not read it.
        """
        raw = await self._get(stream, subject)
        if raw is None or raw.seq is None:
            return None
        head = raw.headers or {}
        message = decode_any(raw.data or b"", headers.message_type(head), tuple(kinds))
        return Stored(subject=subject, seq=raw.seq, message=message, headers=head, time=raw.time)

    async def last_many(
        self, stream: str, subjects: Iterable[str], kinds: Sequence[type[Message]]
    ) -> dict[str, Stored]:
        """The last message of each subject that has one."""
        wanted = list(dict.fromkeys(subjects))
        found = await asyncio.gather(*(self.last(stream, subject, kinds) for subject in wanted))
        return {stored.subject: stored for stored in found if stored is not None}

    async def exists_many(self, stream: str, subjects: Iterable[str]) -> set[str]:
        """Those of the subjects that have a message."""
        wanted = list(dict.fromkeys(subjects))
        found = await asyncio.gather(*(self._get(stream, subject) for subject in wanted))
        return {subject for subject, raw in zip(wanted, found, strict=True) if raw is not None}

    async def _get(self, stream: str, subject: str) -> api.RawStreamMsg | None:
        async with self._slots:
            for attempt in range(ATTEMPTS_MAX):
                try:
                    await self._broker.client.online(self._broker.js.timeout_s)
                    return await self._broker.js.get_msg(stream, subject=subject, direct=True)
                except nats.js.errors.NotFoundError:
                    return None
                except nats.errors.NoRespondersError as error:
                    if attempt == ATTEMPTS_MAX - 1:
                        raise StreamMissing(stream) from error
                except TimeoutError:
                    if attempt == ATTEMPTS_MAX - 1:
                        raise
                except nats.errors.Error as error:
                    if attempt == ATTEMPTS_MAX - 1:
                        raise NotConnected(f"{subject} of stream {stream} could not be read ({error})") from error
                await asyncio.sleep(PAUSE_S)
        return None

    async def purge(self, stream: str, subject: str, below_seq: int | None = None) -> None:
        """Remove the messages of `subject`, those below `below_seq` only where it is given.

        Raises:
            StreamMissing: no such stream. TimeoutError: no answer in time. NotConnected: no connection, or refused.
        """
        try:
            await self._broker.js.purge_stream(stream, subject=subject, seq=below_seq)
        except nats.js.errors.NotFoundError as error:
            raise StreamMissing(stream) from error
        except TimeoutError:
            raise
        except nats.errors.Error as error:
            raise NotConnected(f"{subject} of stream {stream} could not be purged ({error})") from error
