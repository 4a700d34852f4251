"""Runs a coroutine on a loop whose clock jumps to the next timer as soon as nothing else is ready: no test waits."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jump:
    """Stands where a selector would. There is no I/O: whoever waits, waits for a timer."""

    def __init__(self, loop: "JumpingLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits and no timer is set")
        # A little beyond, as a real clock is when its timer is due.
        self._loop.now_s += timeout + 1e-9 if timeout > 0 else 0.0
        return []

    def close(self) -> None:
        """Nothing to let go of."""


class JumpingLoop(asyncio.BaseEventLoop):
    """`now_s` begins at 1,000 and moves only when all wait."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Jump(self)
        self.now_s = 1_000.0

    def time(self) -> float:
        """Seconds."""
        return self.now_s

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""


def run_virtually(make: Callable[[JumpingLoop], Coroutine[Any, Any, T]]) -> T:
    """The coroutine's result. Raises RuntimeError where it would wait for ever."""
    loop = JumpingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(make(loop))


async def elapse(seconds: float) -> None:
    """Let so much of the loop's time pass."""
    await asyncio.sleep(seconds)
