"""Where the milliseconds of one ask went."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Parts by name, and the whole since it was made. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = clock()
        self.parts_s: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block's time to a part, also when it fails."""
        began_s = self._clock()
        try:
            yield
        finally:
            self.add(name, self._clock() - began_s)

    def add(self, name: str, seconds: float) -> None:
        """Count time to a part."""
        self.parts_s[name] = self.parts_s.get(name, 0.0) + seconds

    def latency_ms(self) -> dict[str, float]:
        """The parts, and `total`."""
        every = self.parts_s | {"total": self._clock() - self._began_s}
        return {name: round(seconds * 1_000, 2) for name, seconds in every.items()}
