"""Which epoch a position in the hub's KNOWLEDGE is: how much of what each site shares had come into it by then."""

from bisect import bisect_right
from collections.abc import Sequence

from causeway.bus import Bus, Delivery, Following, Position
from causeway.proto import subjects
from causeway.proto.knowledge import Watermark
from causeway.proto.subjects import HUB

MARKS_MAX = 1_000


class Epochs:
    """Follows the watermarks. A site whose marks are all newer than the position is left out: nothing is said of it."""

    def __init__(self) -> None:
        self._marks: dict[str, list[tuple[int, int]]] = {}
        self._following: Following | None = None

    def follow(self, bus: Bus) -> Following:
        """Read them from the log's beginning, which holds the last of each site."""
        self._following = bus.follow(
            subjects.WATERMARK.stream,
            [subjects.WATERMARK.at("*")],
            self._position,
            self._handle,
            message_types=subjects.WATERMARK.carries,
            on_reset=self._reset,
        )
        return self._following

    def note(self, seq: int, watermark: Watermark) -> None:
        """A watermark stands in the log at `seq`."""
        marks = self._marks.setdefault(watermark.origin, [])
        if not marks or marks[-1][0] < seq:
            marks.append((seq, watermark.outbox_seq))
            del marks[:-MARKS_MAX]

    def at(self, seq: int) -> dict[str, int]:
        """The epoch of a position: the hub's own sequence, and each site's last mark by then."""
        known = {HUB: seq}
        for origin, marks in self._marks.items():
            place = bisect_right(marks, seq, key=lambda mark: mark[0])
            if place:
                known[origin] = marks[place - 1][1]
        return known

    async def _position(self) -> Position:
        # The stream that was followed is named, so that one made anew under its name is told of.
        created = self._following.position.stream_created if self._following else 0
        return Position(seq=0, stream_created=created)

    async def _reset(self, _: Position) -> None:
        self._marks.clear()

    async def _handle(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if isinstance(delivery.message, Watermark):
                self.note(delivery.stream_seq, delivery.message)
