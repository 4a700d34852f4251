"""What one more document costs in the tables does not grow with what is shared already."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from causeway.sync_delta.outbox_tables import Outbox
from causeway.sync_delta.schema import open_database

NUMBERS = 20_000
STEPS = 100
"""Instructions of SQLite's machine between two counts."""
COUNTS_MAX = 20
WANTED = [number.to_bytes(16, "big") for number in (3, 7_000, 19_999)]
QUERIES: dict[str, Callable[[Outbox], object]] = {
    "content hashes": lambda outbox: outbox.content_hashes("k", WANTED),
    "numbers of chunks": lambda outbox: outbox.numbers("k", 0).current(WANTED),
    "documents of numbers": lambda outbox: outbox.numbers("k", 0).documents([3, 7_000, 19_999]),
    "chunks of numbers": lambda outbox: outbox.chunk_ids("k", [3, 7_000, 19_999]),
    "what is in flight": lambda outbox: outbox.flight(NUMBERS - 100),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    made = open_database(Path(tmp_path_factory.mktemp("state")) / "sync-delta.sqlite")
    rows = [("k", n, n.to_bytes(16, "big"), 1, b"h", n, 900, n) for n in range(1, NUMBERS + 1)]
    made.execute("BEGIN")
    made.executemany("INSERT INTO number VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    made.execute("COMMIT")
    yield made
    made.close()


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_reads_what_it_asks_for_and_not_the_whole_kb(
    database: sqlite3.Connection, query: Callable[[Outbox], object]
) -> None:
    counts = 0

    def count() -> int:
        nonlocal counts
        counts += 1
        return 0

    database.set_progress_handler(count, STEPS)
    try:
        assert query(Outbox(database))
    finally:
        database.set_progress_handler(None, STEPS)
    assert counts < COUNTS_MAX
