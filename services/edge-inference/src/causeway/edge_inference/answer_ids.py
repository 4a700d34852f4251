"""Names of answers, rising with the time: version 7 of RFC 9562, from a clock and chance that are passed in."""

from collections.abc import Callable
from uuid import UUID

_COUNTER_MAX = (1 << 12) - 1


class AnswerIds:
    """Unique across replicas by 62 random bits, and rising within one: by ms, then by a counter."""

    def __init__(self, wall_ms: Callable[[], int], random_bytes: Callable[[int], bytes]) -> None:
        self._wall_ms = wall_ms
        self._random_bytes = random_bytes
        self._last_ms = 0
        self._counter = 0

    def next(self) -> str:
        """One that was never given. A clock that goes back makes none that sorts before the last."""
        now_ms = max(self._wall_ms(), self._last_ms)
        self._counter = self._counter + 1 if now_ms == self._last_ms else 0
        if self._counter > _COUNTER_MAX:
            now_ms, self._counter = now_ms + 1, 0
        self._last_ms = now_ms
        low = int.from_bytes(self._random_bytes(8), "big") & ((1 << 62) - 1)
        return str(UUID(int=now_ms << 80 | 0x7 << 76 | self._counter << 64 | 0b10 << 62 | low))
