"""Where the milliseconds of one ask went."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up parts by name, from the moment it was made. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = clock()
        self._parts_s: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block's time to a part."""
        began = self._clock()
        try:
            yield
        finally:
            self.add(name, self._clock() - began)

    def add(self, name: str, seconds: float) -> None:
        """Count time to a part."""
        self._parts_s[name] = self._parts_s.get(name, 0.0) + seconds

    @property
    def elapsed_s(self) -> float:
        """Since it was made."""
        return self._clock() - self._began

    def seconds(self) -> dict[str, float]:
        """The parts, and `total` since it was made."""
        return self._parts_s | {"total": self.elapsed_s}

    def latency_ms(self) -> dict[str, float]:
        """The same in milliseconds, for an answer."""
        return {name: round(seconds * 1000, 2) for name, seconds in self.seconds().items()}
