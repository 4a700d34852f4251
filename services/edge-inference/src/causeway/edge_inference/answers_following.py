"""Follows ANSWERS into an index in memory, for whoever joins something with an answer that was given.

Made as `AnswersFollowing(bus, site, index, metrics)`. At least once, in the order of the stream: after a start the
newest `read_max` answers are read again, after a failure those since the last batch that every listener took.
"""

from collections.abc import Awaitable, Callable, Sequence

from causeway.bus import Bus, Delivery, Position
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_index import AnswerIndex, Followed, followed
from causeway.proto import streams, subjects
from causeway.proto.feedback import AnswerGiven

READ_MAX = 50_000
# Asks get their turn between two batches.
BATCH_MAX = 100
Listener = Callable[[Sequence[Followed]], Awaitable[None]]


class AnswersFollowing:
    """One follower of ANSWERS. `listeners` get each batch after the index has it; one that raises gets it again."""

    def __init__(
        self, bus: Bus, site: str, index: AnswerIndex, metrics: AftermathMetrics, read_max: int = READ_MAX
    ) -> None:
        self.index = index
        self.listeners: list[Listener] = []
        self._bus = bus
        self._site = site
        self._metrics = metrics
        self._read_max = read_max
        self._position: Position | None = None
        self.follower = bus.follow(
            streams.ANSWERS.name,
            [subjects.ANSWERED.at(site)],
            self.position,
            self.handle,
            message_types=subjects.ANSWERED.carries,
            batch_max=BATCH_MAX,
            on_reset=self.reset,
        )

    async def position(self) -> Position:
        """The last answer that all have taken; at first, so far back as is read at a start."""
        if self._position is None:
            last = await self._bus.last_seq(streams.ANSWERS.name)
            self._position = Position(seq=max(0, last - self._read_max))
        return self._position

    async def reset(self, position: Position) -> None:
        """The stream was made anew: what is known stays known."""
        self._position = position

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Index a batch, then tell of it."""
        given = [each.message for each in deliveries if isinstance(each.message, AnswerGiven)]
        answers = [followed(message, self._site) for message in given]
        for answer in answers:
            if self.index.add(answer) is not None:
                self._metrics.unfollowed.labels(reason="limit").inc()
        for kb, count in self.index.counts().items():
            self._metrics.followed.labels(kb=kb).set(count)
        for listener in self.listeners:
            await listener(answers)
        created = self.follower.position.stream_created
        self._position = Position(seq=deliveries[-1].stream_seq, stream_created=created)
