"""The position of a shelf that can be read, for whoever says something by it: not of one that is being emptied."""

from typing import Protocol

from causeway.milvus.values import ShelfPosition


class ShelfRebuilding(RuntimeError):
    """The shelf is being emptied to be filled again: ask again when sync-delta has filled it."""


class Positioned(Protocol):
    """What is read of a shelf."""

    async def position(self) -> ShelfPosition: ...


async def settled(shelf: Positioned) -> ShelfPosition:
    """Where the shelf is.

    Raises:
        ShelfRebuilding: what is not on it may be on it again in a while. ShelfError.
    """
    position = await shelf.position()
    if position.clearing:
        raise ShelfRebuilding("the shelf is being emptied to be filled again")
    return position
