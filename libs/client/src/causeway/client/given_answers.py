"""After an answer: what its asker thinks of it, and whether what it cites has changed since.

Delivery guarantee: after `feedback` returns, the verdict is on the site's disk; the same verdict again changes nothing.
`follow_invalidations` misses nothing that is still kept (30 days), also not what was told while nobody was connected.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing

from causeway.bus import Bus, Delivery, Position
from causeway.proto import streams, subjects
from causeway.proto.feedback import CORRECTED_CHARS_MAX, AnswerGiven, AnswerInvalidated, Feedback, Verdict

FEEDBACK_TIMEOUT_S = 30.0
ANSWERS_READ_MAX = 50_000
"""Among so many of the newest answers one is looked for by its id."""
_QUEUE_MAX = 1_000


class GivenAnswers:
    """The half of the client that is about answers that were given. `bus` is the client's."""

    bus: Bus

    @property
    def site(self) -> str:
        """The site's name."""
        return self.bus.settings.site

    async def feedback(
        self, kb: str, answer_id: str, verdict: Verdict, *, corrected_text: str = "", asker: str = ""
    ) -> None:
        """Say that an answer was right or wrong, or what it should have been. `asker` is who asked, as in the ask: a
        verdict of somebody else is not counted, nor is a second one.

        Raises:
            ValueError: a correction without its text, a text without the verdict `corrected`, or one of more than
                CORRECTED_CHARS_MAX characters.
            NotPublished, StreamMissing, BadNameError.
        """
        if (verdict is Verdict.CORRECTED) != bool(corrected_text.strip()):
            raise ValueError("a corrected text goes with the verdict `corrected`, and only with it")
        text = corrected_text.strip()
        if len(text) > CORRECTED_CHARS_MAX:
            raise ValueError(
                f"a corrected text has at most {CORRECTED_CHARS_MAX} characters, and this one {len(text)}: say only"
                " what the answer should have been, and publish a document for the rest"
            )
        message = Feedback(answer_id=answer_id, kb=kb, verdict=verdict, corrected_text=text, asker=asker)
        subject = subjects.FEEDBACK.at(self.site, subjects.checked_kb(kb))
        await self.bus.publish(subject, message, msg_id=feedback_id(message), timeout_s=FEEDBACK_TIMEOUT_S)

    async def answer_given(self, answer_id: str, kb: str | None = None) -> AnswerGiven | None:
        """The answer of an id as the site kept it; None where it is not among the newest ANSWERS_READ_MAX."""
        last = await self.bus.last_seq(streams.ANSWERS.name)
        filters = [subjects.ANSWERED.at(self.site, kb or "*")]
        found: AnswerGiven | None = None
        after_seq = max(0, last - ANSWERS_READ_MAX)
        async with aclosing(self.bus.scan(streams.ANSWERS.name, filters, after_seq=after_seq)) as deliveries:
            async for delivery in deliveries:
                if isinstance(delivery.message, AnswerGiven) and delivery.message.answer_id == answer_id:
                    found = delivery.message
        return found

    async def invalidations_seq(self) -> int:
        """How far INVALIDATIONS has come: asked before a question, it is where to follow its answer from."""
        return await self.bus.last_seq(streams.INVALIDATIONS.name)

    async def follow_invalidations(
        self, answer_ids: Collection[str] | None = None, *, kb: str | None = None, after_seq: int = 0
    ) -> AsyncGenerator[AnswerInvalidated, None]:
        """Every invalidation of these answers (None: of all) after a sequence of INVALIDATIONS, for as long as it is
        iterated; by default from all that is kept. Reconnects miss nothing."""
        queue: asyncio.Queue[AnswerInvalidated] = asyncio.Queue(_QUEUE_MAX)
        position = Position(seq=after_seq)

        async def where() -> Position:
            return position

        async def take(deliveries: list[Delivery]) -> None:
            nonlocal position
            for delivery in deliveries:
                told = delivery.message
                if isinstance(told, AnswerInvalidated) and (answer_ids is None or told.answer_id in answer_ids):
                    await queue.put(told)
                position = Position(seq=delivery.stream_seq)

        filters = [subjects.INVALIDATED.at(self.site, kb or "*")]
        following = self.bus.follow(
            streams.INVALIDATIONS.name, filters, where, take, message_types=subjects.INVALIDATED.carries
        )
        try:
            while True:
                yield await queue.get()
        finally:
            await self.bus.release(following)


def feedback_id(message: Feedback) -> str:
    """The same for the same verdict of the same asker on the same answer."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (message.answer_id, message.asker, message.verdict.value, message.corrected_text):
        digest.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    return f"feedback.{digest.hexdigest()}"
