"""The service as shipped, in a process of its own: it starts, is killed, goes on where it was, refuses wrong keys."""

import asyncio
import os
import random
import signal
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from causeway.bus import Bus, BusSettings
from causeway.bus.streams import declare
from causeway.cli.ports import free_port
from causeway.edge_inference.keys import write_key_file
from causeway.proto import subjects
from causeway.proto.answers import Search, SearchMode, SearchResult
from tests.support.knowledge_builders import KB, KEK
from tests.support.knowledge_log import document_entries, manifest_entry, publish
from tests.support.nats_server import NatsServer, nats_server
from tests.support.waiting import until_async

__all__ = ["nats_server"]
SITE = "branch-1"
BOUND_S = 90.0
MODELS = Path(os.environ.get("CAUSEWAY_MODELS", Path.cwd() / ".models"))
MODEL = MODELS / "multilingual-e5-small"
pytestmark = [
    pytest.mark.model,
    # Each start loads the model, and a busy machine has little time for it.
    pytest.mark.timeout(300),
    pytest.mark.skipif(not MODEL.exists(), reason=f"{MODEL} is not there: make model"),
]


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with Bus(BusSettings(url=nats_server.url, site=SITE, service="test")) as bus:
        await declare(bus, fresh=True)
        yield bus


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "vault.key"
    write_key_file(path, KEK)
    return path


class Shipped:
    """The command, with what it needs in its environment."""

    def __init__(self, server: NatsServer, vault: Path, key_file: Path) -> None:
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "CAUSEWAY_SITE": SITE,
            "CAUSEWAY_NATS_URL": server.url,
            "CAUSEWAY_MODELS": str(MODELS),
            "EDGE_INFERENCE_MODEL": str(MODEL),
            "EDGE_INFERENCE_VAULT_DIR": str(vault),
            "EDGE_INFERENCE_VAULT_KEY_FILE": str(key_file),
            "EDGE_INFERENCE_INDEX": "usearch",
            "EDGE_INFERENCE_METRICS_PORT": str(self.port),
        }

    async def start(self) -> Process:
        command = Path(sys.executable).parent / "edge-inference"
        return await asyncio.create_subprocess_exec(str(command), env=self.environment, stderr=PIPE)

    def page(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    async def ready(self) -> None:
        async def says_so() -> bool:
            return (await asyncio.to_thread(self.page, "/readyz"))[0] == 200

        await until_async(says_so, BOUND_S)


@asynccontextmanager
async def running(shipped: Shipped) -> AsyncIterator[Process]:
    """A process that is ended, whatever happens; its log is read so that it can not fill the pipe."""
    process = await shipped.start()
    assert process.stderr is not None
    reading = asyncio.create_task(process.stderr.read())
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def documents_found(bus: Bus) -> set[str]:
    search = Search(kb=KB, question="text", mode=SearchMode.LEXICAL, documents_max=100)
    result = await bus.request(subjects.SEARCH.at(SITE, KB), search, SearchResult, BOUND_S)
    return {passage.document_id for passage in result.passages}


async def test_killed_at_random_moments_it_loses_nothing_and_applies_nothing_twice(
    bus: Bus, nats_server: NatsServer, tmp_path: Path, key_file: Path
) -> None:
    shipped = Shipped(nats_server, tmp_path / "vault", key_file)
    chance = random.Random(7)
    published = 0

    async def publish_some(count: int) -> None:
        nonlocal published
        for _ in range(count):
            published += 1
            await publish(bus, *document_entries(SITE, f"d{published}", [f"text of {published}"], published))

    await publish_some(10)
    for _ in range(3):
        async with running(shipped) as process:
            await shipped.ready()
            await publish_some(chance.randrange(3, 12))
            process.send_signal(signal.SIGKILL)
    await publish(bus, manifest_entry(SITE, "d1", [], 1_000, deleted=True))
    async with running(shipped) as process:
        await shipped.ready()
        assert await documents_found(bus) == {f"d{number}" for number in range(2, published + 1)}
        metrics = (await asyncio.to_thread(shipped.page, "/metrics"))[1]
        assert "causeway_edge_inference_chunks_missing_total 0.0" in metrics
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), BOUND_S) == 0


async def test_a_wrong_key_refuses_with_the_mend_and_changes_nothing(
    bus: Bus, nats_server: NatsServer, tmp_path: Path, key_file: Path
) -> None:
    vault = tmp_path / "vault"
    shipped = Shipped(nats_server, vault, key_file)
    await publish(bus, *document_entries(SITE, "d1", ["text of one"], 1))
    async with running(shipped) as process:
        await shipped.ready()
        process.send_signal(signal.SIGKILL)

    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in vault.iterdir() if path.name != "vault.lock"}

    before = contents()
    wrong = tmp_path / "wrong.key"
    write_key_file(wrong, bytes(32))
    shipped.environment["EDGE_INFERENCE_VAULT_KEY_FILE"] = str(wrong)
    refused = await shipped.start()
    _, text = await asyncio.wait_for(refused.communicate(), BOUND_S)
    assert refused.returncode == 78
    assert b"does not open the vault" in text
    assert b"nothing was changed" in text
    assert contents() == before
