"""The ingestor as it is shipped, a process with its workers: killed, ended, misconfigured."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from causeway.proto.documents import State
from tests.support import document_files as files
from tests.support.buses import until
from tests.support.ingestor_site import KEY, MODEL, SITE, declared_site
from tests.support.nats_server import NatsServer

DOCUMENTS = 60
BOUND_S = 60.0


@contextmanager
def ingestor(url: str, folder: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone in the end."""
    key = folder / "chunk.key"
    key.write_text(KEY.hex())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CAUSEWAY_", "INGESTOR_"))}
    environment |= {
        "CAUSEWAY_SITE": SITE,
        "CAUSEWAY_NATS_URL": url,
        "INGESTOR_CHUNK_KEY_FILE": str(key),
        "INGESTOR_MODEL_ID": MODEL,
        "INGESTOR_METRICS_PORT": "-1",
    } | more
    process = subprocess.Popen(
        [sys.executable, "-m", "causeway.ingestor.main"], env=environment, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(BOUND_S)


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


async def test_a_killed_ingestor_loses_no_document_and_drafts_each_once(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with declared_site(nats_server.url) as site:
        body = files.pdf([[(11, f"Page {page} of the manual says a lot. " * 30)] for page in range(8)])
        revisions = [await site.publish(f"doc-{n}", body + b"%" + str(n).encode(), "a.pdf") for n in range(DOCUMENTS)]
        workers: list[int] = []
        for _ in range(3):
            left = await site.messages("DOCUMENTS")
            with ingestor(nats_server.url, tmp_path) as process:
                await site.until_at_most("DOCUMENTS", max(0, left - DOCUMENTS // 6))
                workers += workers_of(process)
                os.kill(process.pid, signal.SIGKILL)
        await until(lambda: not any(map(psutil.pid_exists, workers)), BOUND_S)
        with ingestor(nats_server.url, tmp_path):
            await site.until_empty("DOCUMENTS")
        drafts = [await site.last_draft(f"doc-{n}") for n in range(DOCUMENTS)]
        sent = {chunk.chunk_id for chunk in await site.chunks()}
        handed = {draft.manifest.document_id for draft in await site.drafts()}
    assert [draft.manifest.revision for draft in drafts if draft] == revisions
    assert {place.chunk_id for draft in drafts if draft for place in draft.manifest.places} <= sent
    assert handed == {f"doc-{n}" for n in range(DOCUMENTS)}


async def test_an_ended_ingestor_drains_and_leaves_no_worker(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_site(nats_server.url) as site:
        with ingestor(nats_server.url, tmp_path) as process:
            revision = await site.publish("a", b"words", "a.txt")
            await site.until("a", State.PARSED, revision)
            workers = workers_of(process)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, BOUND_S) == 0
    assert workers
    assert not any(map(psutil.pid_exists, workers))


def test_a_bad_chunk_key_refuses_to_start_and_says_what_to_do(tmp_path: Path) -> None:
    bad = tmp_path / "bad.key"
    bad.write_text("00")
    with ingestor("nats://127.0.0.1:1", tmp_path, INGESTOR_CHUNK_KEY_FILE=str(bad)) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.wait(BOUND_S) == 78
    assert "INGESTOR_CHUNK_KEY_FILE" in said


@pytest.mark.parametrize(("name", "value"), [("INGESTOR_WORKRES", "3"), ("INGESTOR_WORKERS", "many")])
def test_a_misspelt_setting_refuses_to_start(tmp_path: Path, name: str, value: str) -> None:
    with ingestor("nats://127.0.0.1:1", tmp_path, **{name: value}) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.wait(BOUND_S) == 78
    assert name in said
