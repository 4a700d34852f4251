"""The revisions that took effect in the vault and that STATUS has not been told of yet: an outbox."""

import sqlite3


class Announcements:
    """The table `announcement` over one connection; a transaction is the caller's."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def add(self, kb: int, document: bytes, revision: int) -> None:
        """A revision took effect; it takes the place of an older one that still waited."""
        self._sql.execute(
            "INSERT OR REPLACE INTO announcement (kb, document, revision) VALUES (?,?,?)", (kb, document, revision)
        )

    def first(self, limit: int) -> list[tuple[int, bytes]]:
        """Some that wait, as (kb, document)."""
        return self._sql.execute("SELECT kb, document FROM announcement LIMIT ?", (limit,)).fetchall()

    def remove(self, kb: int, document: bytes, revision: int) -> None:
        """This revision has been told of."""
        self._sql.execute(
            "DELETE FROM announcement WHERE kb = ? AND document = ? AND revision = ?", (kb, document, revision)
        )
