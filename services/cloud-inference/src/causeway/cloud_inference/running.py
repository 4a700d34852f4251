"""One ask on its way: everything that it waits for ends with its deadline, or when the asker takes it back."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from causeway.cloud_inference.problems import Cancelled

T = TypeVar("T")


class OutOfTime(TimeoutError):
    """What was waited for did not come by the moment that was set for it."""


@dataclass(kw_only=True)
class Running:
    """Moments are seconds of the event loop's clock."""

    site: str
    ask_id: str
    began_s: float
    deadline_s: float
    first_token_s: float
    generates: bool = False
    """From when the engine is asked for it on."""
    cancelled: bool = False
    _scope: asyncio.Timeout | None = field(default=None, repr=False)

    def cancel(self) -> None:
        """End what is waited for now, and whatever would be next."""
        self.cancelled = True
        if self._scope is not None:
            # Site and hub give up at the same moment: what is ending already can not be ended again.
            with suppress(RuntimeError):
                self._scope.reschedule(asyncio.get_running_loop().time())

    async def within(self, until_s: float, act: Callable[[], Awaitable[T]]) -> T:
        """The result of `act`, by `until_s`.

        Raises:
            OutOfTime: it took longer. Cancelled: the asker took the ask back.
        """
        if self.cancelled:
            raise Cancelled()
        try:
            async with asyncio.timeout_at(until_s) as scope:
                self._scope = scope
                return await act()
        except TimeoutError as error:
            if not scope.expired():
                raise
            if self.cancelled:
                raise Cancelled() from error
            raise OutOfTime from error
        finally:
            self._scope = None
