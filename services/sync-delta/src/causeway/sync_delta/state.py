"""A place's durable state: SQLite on one thread of its own, one transaction per step."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from causeway.bus import Position
from causeway.merge import ZERO, Timestamp
from causeway.sync_delta.inbox_tables import Inbox
from causeway.sync_delta.outbox_tables import Outbox
from causeway.sync_delta.schema import ForeignStateError, open_database
from causeway.sync_delta.version_tables import Versioned

FILE = "sync-delta.sqlite"
T = TypeVar("T")


class Marks:
    """Single values: positions, the clock."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def get(self, name: str, kind: type[T]) -> T | None:
        """The value of this name, if it was ever set."""
        row = self._database.execute("SELECT value FROM mark WHERE name = ?", (name,)).fetchone()
        return msgspec.msgpack.decode(row[0], type=kind) if row else None

    def put(self, name: str, value: object) -> None:
        """Set it."""
        self._database.execute("INSERT OR REPLACE INTO mark VALUES (?, ?)", (name, msgspec.msgpack.encode(value)))

    @property
    def clock(self) -> Timestamp:
        """The newest stamp that was given or seen."""
        return self.get("clock", Timestamp) or ZERO

    @clock.setter
    def clock(self, value: Timestamp) -> None:
        self.put("clock", value)

    @property
    def knowledge(self) -> Position:
        """What of KNOWLEDGE has been taken."""
        return self.get("knowledge", Position) or Position()

    @knowledge.setter
    def knowledge(self, value: Position) -> None:
        self.put("knowledge", value)


class Tables:
    """What a transaction may touch."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.marks = Marks(database)
        self.versions = Versioned(database)
        self.outbox = Outbox(database)
        self.inbox = Inbox(database)


class State:
    """Opened once per process. `fresh` says that the folder was empty, so that it has to be filled from the streams."""

    def __init__(self, folder: Path, place: str) -> None:
        """Raises:
        ForeignStateError: the folder belongs to another place or version.
        """
        self._database = open_database(folder / FILE)
        self._tables = Tables(self._database)
        self._thread = ThreadPoolExecutor(1, "state")
        owner = self._tables.marks.get("place", str)
        if owner not in (None, place):
            raise ForeignStateError(f"{folder} is the state of {owner}, not of {place}: {ForeignStateError.__doc__}")
        self.fresh = owner is None
        self._place = place

    async def settle(self) -> None:
        """Say that the state is whole: it was filled, or there was nothing to fill it from."""
        await self.write(lambda tables: tables.marks.put("place", self._place))
        self.fresh = False

    async def write(self, act: Callable[[Tables], T]) -> T:
        """One transaction: on disk when this returns, undone when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, act)

    async def read(self, act: Callable[[Tables], T]) -> T:
        """A look, between two transactions."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, self._tables)

    def _transact(self, act: Callable[[Tables], T]) -> T:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            value = act(self._tables)
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        return value

    def close(self) -> None:
        """Let go of thread and files."""
        self._thread.shutdown(wait=True)
        self._database.close()
