"""A place that dies at a chosen step: from then on nothing that it does has an effect, as after SIGKILL."""

from collections.abc import Callable
from typing import Any

from tests.support.sync_delta_places import RunningPlace


class Died(Exception):
    """The process is gone."""


class Mortal:
    """Stands for a log or a state: calls go through until one is the fatal one, before or after its effect."""

    def __init__(self, inner: Any, death: "Death") -> None:
        self._inner = inner
        self._death = death

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value) or name in ("scan",):
            return value

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._death.before(name, args)
            result = await value(*args, **kwargs)
            self._death.after(name, args)
            return result

        return call


class Death:
    """`fatal(call, args)` says which call it is; `when` is `before` or `after`; the `nth` of them kills."""

    def __init__(self, fatal: Callable[[str, tuple[Any, ...]], bool], when: str, nth: int = 1) -> None:
        self._fatal, self._when, self._left = fatal, when, nth
        self.dead = False

    def before(self, name: str, args: tuple[Any, ...]) -> None:
        if not self.dead and self._when == "before" and self._fatal(name, args):
            self._count()
        if self.dead:
            raise Died(name)

    def after(self, name: str, args: tuple[Any, ...]) -> None:
        if not self.dead and self._when == "after" and self._fatal(name, args):
            self._count()
        if self.dead:
            raise Died(name)

    def _count(self) -> None:
        self._left -= 1
        self.dead = self._left <= 0


def sender_dies(place: RunningPlace, death: Death) -> None:
    """The way out of a place."""
    sending: Any = place.sync.sending
    sending.outbox = Mortal(sending.outbox, death)
    sending.state = Mortal(sending.state, death)


def receiver_dies(place: RunningPlace, death: Death) -> None:
    """The way into a place."""
    incoming: Any = place.sync.incoming
    applying: Any = place.sync.applying
    incoming.knowledge = Mortal(incoming.knowledge, death)
    incoming.state = Mortal(incoming.state, death)
    applying.knowledge = Mortal(applying.knowledge, death)
    applying.state = Mortal(applying.state, death)
