"""SIGKILL at random moments of an ingest: afterwards every document can be found exactly once, and none is lost."""

import asyncio
import json
import os
import random
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from causeway.cli.connection import find_site
from causeway.cli.sessions import session
from causeway.proto.answers import SearchMode
from causeway.proto.documents import State
from tests.support.site import CAUSEWAY, SiteUnderTest, environment, running_site, wait_until
from tests.support.small_documents import SmallDocument, small_documents, write_documents

pytestmark = pytest.mark.model

KB = "records"
SETTLE_BOUND_S = 300.0
CONNECT_BOUND_S = 60.0
ACKNOWLEDGED_BOUND_S = 60.0
EVERY_PROCESS = {"nats-server", "ingestor", "embedder", "edge-inference"}
NEVER_GIVE_UP = "supervision: {crashes_max: 1000, window_s: 60}\n"


def kill_while(
    process: subprocess.Popen[bytes], site: SiteUnderTest, rng: random.Random, rounds: int, pause_s_max: float
) -> list[str]:
    """Kill every process `rounds` times, in a random order and at random moments, while `process` runs.

    A service needs seconds to be back, so there is an end to the kills: else nothing could ever be done.
    """
    victims = [name for _ in range(rounds) for name in rng.sample(sorted(site.pids()), len(site.pids()))]
    killed: list[str] = []
    for name in victims:
        if ends_within(process, rng.uniform(0.05, pause_s_max)):
            break
        # One that is just being started again is killed as soon as it runs.
        while not kill(site, name):
            if ends_within(process, 0.1):
                return killed
        killed.append(name)
    return killed


def ends_within(process: subprocess.Popen[bytes], wait_s: float) -> bool:
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill(site: SiteUnderTest, name: str) -> bool:
    """SIGKILL the process that has this name now; False while it is being started again."""
    pid = site.pids().get(name)
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def is_connected(process: subprocess.Popen[bytes], site: SiteUnderTest) -> bool:
    """Whether the server takes what this process subscribes to: nobody subscribes before the connection is made."""
    assert process.poll() is None, "it ended before anything was killed"
    ports = {each.laddr.port for each in psutil.Process(process.pid).net_connections("tcp")}
    with (
        suppress(OSError),
        urllib.request.urlopen(f"{site.record['monitor_url']}/connz?limit=1024", timeout=10) as page,
    ):
        return any(each["port"] in ports and each["subscriptions"] for each in json.load(page)["connections"])
    return False


def publish_under_fire(
    site: SiteUnderTest, folder: Path, seed: int, rounds: int, pause_s_max: float, bound_s: float
) -> list[str]:
    with (
        (site.folder / "publish.out").open("wb") as output,
        subprocess.Popen(
            [CAUSEWAY, "publish", folder, "--kb", KB, "--data-dir", site.folder],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
        ) as process,
    ):
        try:
            # From then on it outlives whatever the server does; until then it waits for 5 s.
            wait_until(lambda: is_connected(process, site), CONNECT_BOUND_S, "the command to connect")
            killed = kill_while(process, site, random.Random(seed), rounds, pause_s_max)
            process.wait(bound_s)
        finally:
            process.kill()
    assert process.returncode == 0, (site.folder / "publish.out").read_text()
    return killed


async def found_documents(site: SiteUnderTest, documents: list[SmallDocument]) -> dict[str, list[str]]:
    """For each code, the documents whose text holds it, by lexical search."""
    found: dict[str, list[str]] = {}
    async with session(find_site("", site.folder)) as client:
        statuses = await client.statuses(KB)
        assert {status.state for status in statuses} == {State.SEARCHABLE}
        assert len(statuses) == len(documents)
        for document in documents:
            result = await client.search(KB, document.code, mode=SearchMode.LEXICAL, documents_max=5)
            found[document.code] = [one.document_id for one in result.passages if document.code in one.quote]
    return found


def everything_is_found_once(site: SiteUnderTest, documents: list[SmallDocument]) -> None:
    site.status(bound_s=SETTLE_BOUND_S)
    found = asyncio.run(found_documents(site, documents))
    assert found == {document.code: [document.name] for document in documents}
    status: dict[str, Any] = {}

    def has_each_once() -> bool:
        status.update(site.status())
        held = {stream["name"]: stream["messages"] for stream in status["streams"]}
        print(held)
        # A manifest and a chunk each: nothing twice, nothing left over, nothing still waiting.
        return [held.get(name) for name in ("KNOWLEDGE", "DOCUMENTS", "CHUNKS")] == [2 * len(documents), 0, 0]

    # Of one who was killed a message comes again when its time to be acknowledged is over.
    wait_until(has_each_once, ACKNOWLEDGED_BOUND_S, "streams that hold each document once")
    assert status["dead_letters"] == 0


@pytest.fixture
def site_under_fire(tmp_path: Path) -> Iterator[SiteUnderTest]:
    config = tmp_path / "site.yaml"
    config.write_text(NEVER_GIVE_UP, encoding="utf-8")
    with running_site(tmp_path / "site", "--config", str(config)) as site:
        yield site
        site.seen |= site.family()


@pytest.mark.timeout(600)
def test_sixty_documents_survive_kills_of_every_process(site_under_fire: SiteUnderTest, tmp_path: Path) -> None:
    documents = small_documents(60, seed=2)
    folder = write_documents(tmp_path / "records", documents)
    killed = publish_under_fire(site_under_fire, folder, seed=2, rounds=2, pause_s_max=0.5, bound_s=240)
    assert set(killed) == EVERY_PROCESS
    everything_is_found_once(site_under_fire, documents)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", [3, 4])
def test_five_hundred_documents_survive_kills_of_every_process(
    site_under_fire: SiteUnderTest, tmp_path: Path, seed: int
) -> None:
    documents = small_documents(500, seed=seed)
    folder = write_documents(tmp_path / "records", documents)
    killed = publish_under_fire(site_under_fire, folder, seed=seed, rounds=5, pause_s_max=3.0, bound_s=1_200)
    assert set(killed) == EVERY_PROCESS
    everything_is_found_once(site_under_fire, documents)
