"""The life of a service process: settings, logs, signals, exit code."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from causeway.bus import AccessRefused
from causeway.runtime import logs
from causeway.runtime.settings import BadSettingError, ServiceSettings

Body = Callable[[asyncio.Event], Awaitable[None]]
S = TypeVar("S", bound=ServiceSettings)

EXIT_REFUSED = 78
"""EX_CONFIG of sysexits.h: starting again without a change would fail the same way, so a supervisor must not loop."""


class StartRefused(RuntimeError):
    """The service will not start: a key, a model or a setting is not what it must be. The text says the mend."""


def run(service: str, settings: Callable[[], S], body: Callable[[S], Body]) -> int:
    """Run `body(settings)` until it returns or SIGTERM or SIGINT sets its stop event. Returns the exit code."""
    refusals: list[Exception] = []
    try:
        value = settings()
        logs.configure(service, value.log_format, value.log_level)
        asyncio.run(_until_stopped(body(value)))
    except* (BadSettingError, StartRefused, AccessRefused) as group:
        refusals += _leaves(group)
    if refusals:
        sys.stderr.write(f"{service}: {refusals[0]}\n")
        return EXIT_REFUSED
    logging.getLogger(service).info("stopped")
    return 0


def _leaves(group: ExceptionGroup[Exception]) -> list[Exception]:
    """What is in a group and the groups within it: a service starts its parts in task groups."""
    return [
        leaf
        for inner in group.exceptions
        for leaf in (_leaves(inner) if isinstance(inner, ExceptionGroup) else [inner])
    ]


async def _until_stopped(body: Body) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await body(stop)
