"""The embedded Milvus as a process and KNOWLEDGE on a real nats-server: kills at the worst moments lose nothing."""

import asyncio
import contextlib
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pymilvus import DataType
from pymilvus.exceptions import MilvusException

from causeway.bus import Bus, BusSettings
from causeway.bus.streams import declare
from causeway.milvus.connection import connected
from causeway.milvus.errors import ShelfUnavailable
from causeway.milvus.shelf import MilvusShelf
from causeway.proto.documents import Residency
from tests.support import knowledge_log
from tests.support.knowledge_builders import KB, document_key
from tests.support.knowledge_log import Entry, chunk_entry
from tests.support.milvus_servers import EmbeddedMilvus, embedded_milvus
from tests.support.nats_server import NatsServer, nats_server
from tests.support.shelved import digests_of_log, digests_of_shelf, shelving
from tests.support.waiting import until_async

__all__ = ["nats_server"]
SITE = "branch-1"
document_entries = partial(knowledge_log.document_entries, residency=Residency.PUBLIC)
manifest_entry = partial(knowledge_log.manifest_entry, residency=Residency.PUBLIC)
BOUND_S = 90.0
WRITERS = 4
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[EmbeddedMilvus]:
    with embedded_milvus(tmp_path / "milvus") as server:
        yield server


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with Bus(BusSettings(url=nats_server.url, site="hub", service="test")) as bus:
        await declare(bus, fresh=True)
        yield bus


def load(documents: int, revision: int = 1) -> list[Entry]:
    """Documents of three chunks; every second revision of a document shares two with the one before."""
    entries: list[Entry] = []
    for number in range(documents):
        texts = [f"document {number} keeps this line {line}" for line in range(2)]
        texts.append(f"document {number} in revision {revision}")
        entries += document_entries(SITE, f"d{number}", texts, revision)
    return entries


async def on_shelf(bus: Bus, shelf: MilvusShelf) -> None:
    """Return once all of the log is on the shelf."""

    async def there() -> bool:
        with contextlib.suppress(ShelfUnavailable):
            return (await shelf.position()).seq >= await bus.last_seq("KNOWLEDGE")
        return False

    await until_async(there, BOUND_S)


async def test_a_milvus_that_is_killed_during_a_load_ends_with_every_row_once(bus: Bus, milvus: EmbeddedMilvus) -> None:
    shelf = MilvusShelf(milvus.uri, timeout_s=10.0)
    chance = random.Random(7)
    async with shelving(bus, shelf) as follower:
        for revision in (1, 2):
            await bus.publish_many(load(60, revision))
            await until_async(partial(more_rows, shelf, revision), BOUND_S)
            await asyncio.to_thread(milvus.kill)
            await bus.publish_many(load(chance.randrange(20, 60), revision))
            await asyncio.to_thread(milvus.start)
        await on_shelf(bus, shelf)
        log = await digests_of_log(bus)
        assert await digests_of_shelf(follower, SITE, kb=KB) == log
        assert sum((await shelf.spaces()).values()) == 3 * 60
    await shelf.close()


async def more_rows(shelf: MilvusShelf, revision: int) -> bool:
    """Whether some of a revision has come, while the rest is on its way."""
    with contextlib.suppress(ShelfUnavailable):
        held = await shelf.documents([document_key(f"d{number}") for number in range(60)])
        return any(document.manifest.revision == revision for document in held.values())
    return False


@pytest.mark.parametrize(
    "before", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
async def test_shelving_that_is_killed_between_effects_and_position_doubles_and_loses_nothing(
    bus: Bus, nats_server: NatsServer, milvus: EmbeddedMilvus, before: int
) -> None:
    await bus.publish_many(load(40))
    await bus.publish_many([manifest_entry(SITE, "d0", [], 2, deleted=True)])
    await bus.publish_many([chunk_entry(SITE, "new"), manifest_entry(SITE, "d1", ["new"], 2)])
    command = [sys.executable, "-m", "tests.support.shelving_process", nats_server.url, milvus.uri]
    killed = await asyncio.to_thread(subprocess.run, [*command, str(before)], timeout=BOUND_S, check=False)
    assert killed.returncode == -9
    shelf = MilvusShelf(milvus.uri)
    async with shelving(bus, shelf) as follower:
        await on_shelf(bus, shelf)
        assert await digests_of_shelf(follower, SITE, kb=KB) == await digests_of_log(bus)
        assert sum((await shelf.spaces()).values()) == 38 * 3 + 1
    await shelf.close()


@pytest.mark.slow
async def test_a_milvus_whose_folder_was_lost_is_filled_again(bus: Bus, milvus: EmbeddedMilvus) -> None:
    shelf = MilvusShelf(milvus.uri, timeout_s=3.0)
    async with shelving(bus, shelf) as follower:
        await bus.publish_many(load(10))
        await on_shelf(bus, shelf)
        await asyncio.to_thread(milvus.kill)
        shutil.rmtree(milvus.root / "data")
        await asyncio.to_thread(milvus.start)
        await bus.publish_many(load(12, 2))
        await on_shelf(bus, shelf)
        assert await digests_of_shelf(follower, SITE, kb=KB) == await digests_of_log(bus)
    await shelf.close()


async def test_a_restart_of_nats_server_goes_unnoticed(
    bus: Bus, nats_server: NatsServer, milvus: EmbeddedMilvus
) -> None:
    shelf = MilvusShelf(milvus.uri)
    async with shelving(bus, shelf) as follower:
        await bus.publish_many(load(20))
        await nats_server.restart()
        await bus.publish_many(load(20, 2))
        await on_shelf(bus, shelf)
        assert await digests_of_shelf(follower, SITE, kb=KB) == await digests_of_log(bus)
    await shelf.close()


def make_table(uri: str) -> None:
    """A collection for the bare writers."""
    client = connected(uri, "", 10.0)
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=64)
    indexes = client.prepare_index_params()
    indexes.add_index("v", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 64})
    client.create_collection("t", schema=schema, index_params=indexes)
    client.close()


def write_until_gone(uri: str, writer: int, acknowledged: set[str], enough: int, ending: threading.Event) -> None:
    """Batches of rows until the server is gone; what was acknowledged is noted. Before its end it may be slow."""
    client = connected(uri, "", 5.0)
    chance = np.random.default_rng(writer)
    for batch in range(enough):
        rows = [{"id": f"{writer}-{batch}-{n}", "v": chance.random(64).tolist()} for n in range(20)]
        try:
            client.upsert("t", rows, timeout=2)
        except MilvusException:
            if ending.is_set():
                return
            continue
        acknowledged.update(row["id"] for row in rows)


def held_ids(uri: str) -> set[str]:
    """All ids that are there."""
    client = connected(uri, "", 10.0)
    found = {row["id"] for row in client.query("t", filter='id != ""', output_fields=["id"], limit=16_000)}
    client.close()
    return found


@pytest.mark.parametrize(
    "end",
    [
        "SIGKILL in the middle",
        pytest.param("SIGTERM in the middle", marks=pytest.mark.slow),
        pytest.param("SIGKILL after the last", marks=pytest.mark.slow),
    ],
)
async def test_four_writers_at_once_lose_nothing_that_was_acknowledged(milvus: EmbeddedMilvus, end: str) -> None:
    make_table(milvus.uri)
    acknowledged: list[set[str]] = [set() for _ in range(WRITERS)]
    enough = 25 if "after" in end else 2_000
    ending = threading.Event()
    writing = [
        asyncio.create_task(
            asyncio.to_thread(write_until_gone, milvus.uri, writer, acknowledged[writer], enough, ending)
        )
        for writer in range(WRITERS)
    ]

    async def enough_written() -> bool:
        return sum(map(len, acknowledged)) >= 2_000

    await until_async(enough_written, BOUND_S)
    if "after" in end:
        await asyncio.gather(*writing)
    ending.set()
    code = await asyncio.to_thread(milvus.end, signal.SIGTERM if "SIGTERM" in end else signal.SIGKILL)
    await asyncio.gather(*writing)
    assert code == (0 if "SIGTERM" in end else -signal.SIGKILL)
    await asyncio.to_thread(milvus.start)
    lost = set().union(*acknowledged) - await asyncio.to_thread(held_ids, milvus.uri)
    assert not lost, f"{len(lost)} of {sum(map(len, acknowledged))} are gone"


def test_a_data_folder_that_is_held_is_refused_with_the_mend(milvus: EmbeddedMilvus) -> None:
    second = EmbeddedMilvus(root=milvus.root)
    refused = subprocess.run(second.command, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert refused.returncode == 78
    assert "stop it first" in refused.stderr


def test_a_port_that_is_taken_is_refused_with_the_mend(milvus: EmbeddedMilvus, tmp_path: Path) -> None:
    second = EmbeddedMilvus(root=tmp_path / "other", port=milvus.port)
    refused = subprocess.run(second.command, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert refused.returncode == 78
    assert "--port" in refused.stderr


def test_health_is_asked_by_the_command(milvus: EmbeddedMilvus) -> None:
    asked = [*milvus.command, "--health"]
    assert subprocess.run(asked, capture_output=True, timeout=BOUND_S, check=False).returncode == 0
    milvus.stop()
    assert subprocess.run(asked, capture_output=True, timeout=BOUND_S, check=False).returncode == 1
