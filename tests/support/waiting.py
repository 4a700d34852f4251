"""Waiting for what happens on other threads, in other processes or in a server: a bounded poll, in one place."""

import asyncio
from collections.abc import Awaitable, Callable

from causeway.bus import BusError

BOUND_S = 20.0
_POLL_S = 0.01


async def until(true: Callable[[], bool], bound_s: float = BOUND_S) -> None:
    """Return once the condition holds. Raises TimeoutError after `bound_s`."""
    async with asyncio.timeout(bound_s):
        while not true():
            await asyncio.sleep(_POLL_S)


async def until_async(true: Callable[[], Awaitable[bool]], bound_s: float = BOUND_S) -> None:
    """The same for a condition that has to be asked for. A BusError or TimeoutError means that it does not hold yet: a
    server takes the connection of a process away that stood still for some seconds, and a request that was under way
    then fails. The last of them is the cause of the TimeoutError that comes after `bound_s`."""
    failed: Exception | None = None
    try:
        async with asyncio.timeout(bound_s):
            while True:
                try:
                    if await true():
                        return
                except (BusError, TimeoutError) as error:
                    failed = error
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise error from failed


async def pause(seconds: float) -> None:
    """How long something stays broken on purpose. Never to wait for something to happen."""
    await asyncio.sleep(seconds)
