"""What is known of each document id over all origins, and who gives way to whom: rows to values and back."""

import sqlite3
from collections.abc import Iterable

import msgspec

from causeway.merge import Timestamp, Version
from causeway.proto import decode, encode
from causeway.proto.knowledge import DocumentShadowed
from causeway.sync_delta.versions import Known


class Versioned:
    """The tables `version` and `shadow`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def known(self, identity: bytes) -> Known:
        """All versions of one document id, and the shadows that they cast."""
        versions: dict[str, Version] = {}
        keys: dict[str, bytes] = {}
        rows = self._database.execute(
            "SELECT origin, document_key, revision, repair, wall_ms, counter, seen, deleted FROM version"
            " WHERE identity = ?",
            (identity,),
        )
        for origin, key, revision, repair, wall_ms, counter, seen, deleted in rows:
            versions[origin] = Version(
                origin=origin,
                revision=revision,
                repair=repair,
                written=Timestamp(wall_ms, counter, origin),
                seen=msgspec.msgpack.decode(seen, type=dict[str, int]),
                deleted=bool(deleted),
            )
            keys[origin] = key
        shadows = self._database.execute("SELECT origin, body FROM shadow WHERE identity = ?", (identity,))
        return Known(
            versions=versions, keys=keys, shadows={origin: decode(body, DocumentShadowed) for origin, body in shadows}
        )

    def put(self, identity: bytes, version: Version, document_key: bytes) -> None:
        """The newest version of an origin."""
        self._database.execute(
            "INSERT OR REPLACE INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                identity,
                version.origin,
                document_key,
                version.revision,
                version.repair,
                version.written.wall_ms,
                version.written.counter,
                msgspec.msgpack.encode(dict(version.seen)),
                version.deleted,
            ),
        )

    def shade(self, identity: bytes, shadows: Iterable[tuple[str, DocumentShadowed]]) -> None:
        """Shadows by the loser's origin, to be published."""
        self._database.executemany(
            "INSERT OR REPLACE INTO shadow VALUES (?, ?, ?, ?, 0)",
            [
                (identity, origin, encode(shadow), shadow.concurrent and shadow.revision > 0)
                for origin, shadow in shadows
            ],
        )

    def unpublished(self, limit: int) -> list[tuple[bytes, str, DocumentShadowed]]:
        """Identity, loser's origin and shadow of those that are not in KNOWLEDGE yet."""
        rows = self._database.execute("SELECT identity, origin, body FROM shadow WHERE published = 0 LIMIT ?", (limit,))
        return [(identity, origin, decode(body, DocumentShadowed)) for identity, origin, body in rows]

    def published(self, done: Iterable[tuple[bytes, str, DocumentShadowed]]) -> None:
        """These are in KNOWLEDGE now; one that has changed meanwhile still waits."""
        self._database.executemany(
            "UPDATE shadow SET published = 1 WHERE identity = ? AND origin = ? AND body = ?",
            [(identity, origin, encode(shadow)) for identity, origin, shadow in done],
        )

    def siblings(self, limit: int = 1_000) -> list[tuple[str, DocumentShadowed]]:
        """Versions that were written at one place while another wrote too: origin and shadow."""
        rows = self._database.execute(
            "SELECT origin, body FROM shadow WHERE sibling = 1 ORDER BY identity LIMIT ?", (limit,)
        )
        return [(origin, decode(body, DocumentShadowed)) for origin, body in rows]

    def sibling_count(self) -> int:
        """How many there are."""
        return int(self._database.execute("SELECT count(*) FROM shadow WHERE sibling = 1").fetchone()[0])
