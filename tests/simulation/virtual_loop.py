"""An event loop without threads, sockets or a clock: when nothing is ready, the world decides what happens next."""

import asyncio
from collections.abc import Callable
from typing import Any

Defer = Callable[[Callable[[], None]], None]
"""Have something done at a moment that the world chooses."""


class _World:
    """Stands where a selector would: asked for news whenever the loop would have to wait."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None or timeout > 0:
            self._loop.idle(timeout)
        return []

    def close(self) -> None:
        """Nothing to let go of."""


class VirtualLoop(asyncio.BaseEventLoop):
    """`on_idle` makes something ready, moves `now_s`, or stops the loop. It hears the seconds until the next timer."""

    def __init__(self, on_idle: Callable[[float | None], None], defer: Defer) -> None:
        super().__init__()
        self._selector = _World(self)
        self._defer = defer
        self.idle = on_idle
        self.now_s = 0.0

    def time(self) -> float:
        """Seconds since the beginning, as the world says."""
        return self.now_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Work of another thread (state, encoding) is done whole, at a moment that the world chooses."""
        future = self.create_future()

        def work() -> None:
            if future.done():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001  # The outermost of a thread: whoever waits gets it.
                future.set_exception(error)

        self._defer(work)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""


async def pause(seconds: float) -> None:
    """Some seconds of the world's time."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    loop.call_later(seconds, _end, over)
    await over


def _end(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
