"""The embedding model of a running site is changed with the commands as shipped, while it is asked and written to."""

import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.site import SiteUnderTest, running_site, wait_until

BOUND_S = 120.0
pytestmark = pytest.mark.timeout(600)
THINGS = ("pump", "valve", "furnace", "crane", "kettle", "ladder", "engine", "boiler", "press", "mixer")


def text_of(thing: str, hours: int) -> str:
    return f"# The {thing}\n\nThe {thing} has to be inspected every {hours} hours by the shift leader.\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SiteUnderTest]:
    with running_site(tmp_path / "site") as site:
        documents = tmp_path / "documents"
        documents.mkdir()
        for number, thing in enumerate(THINGS):
            (documents / f"{thing}.md").write_text(text_of(thing, 10 + number), encoding="utf-8")
        site.run("publish", str(documents), "--kb", "plant")
        yield site


def hours(site: SiteUnderTest, thing: str) -> str:
    """What the site answers of a machine."""
    answer: dict[str, Any] = site.run_json(
        "ask", f"How often does the {thing} have to be inspected?", "--kb", "plant", code=None
    )
    return str(answer["text"])


def status(site: SiteUnderTest) -> dict[str, Any]:
    found: dict[str, Any] = site.run_json("kb", "reembed", "status")
    return found


def made(site: SiteUnderTest) -> bool:
    found = status(site)
    return bool(found["chunks_total"]) and found["lag"] == 0


def kill(site: SiteUnderTest, name: str) -> None:
    pid = site.pids().get(name)
    if pid is not None:
        psutil.Process(pid).kill()


class Asking:
    """Asks one question after the other on the side, and remembers the answers that were wrong."""

    def __init__(self, site: SiteUnderTest) -> None:
        self._site = site
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.asked = 0
        self.wrong: list[str] = []

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        dice = random.Random(1)
        while not self._stop.is_set():
            number = dice.randrange(1, len(THINGS))
            answer = hours(self._site, THINGS[number])
            self.asked += 1
            if f"{10 + number} hours" not in answer:
                self.wrong.append(f"{THINGS[number]}: {answer}")


@pytest.mark.slow
def test_a_site_changes_its_model_while_it_is_asked_written_to_and_killed(site: SiteUnderTest, tmp_path: Path) -> None:
    with Asking(site) as asking:
        site.run("kb", "reembed", "start", "--precision", "fp32")
        kill(site, "re-embedder")
        edited = tmp_path / "documents" / "pump.md"
        edited.write_text(text_of("pump", 77), encoding="utf-8")
        site.run("publish", str(tmp_path / "documents"), "--kb", "plant")
        wait_until(lambda: made(site), BOUND_S, "vectors of the new space")
        assert status(site)["phase"] == "embedding"
        site.run("kb", "reembed", "switch")
    assert asking.asked > 3
    assert asking.wrong == []
    assert status(site) | {"phase": "steady", "precision": "fp32"} == status(site)
    assert "77 hours" in hours(site, "pump")
    assert sorted(site.pids()) == ["edge-inference", "embedder", "ingestor", "nats-server"]
    assert [path.name for path in (site.folder / "vault").iterdir()] == ["space-1"]
    log = site.run_json("kb", "log", "pump.md", "--kb", "plant")
    assert len(log["revisions"]) == 2, "history came along"
    edited.write_text(text_of("pump", 78), encoding="utf-8")
    site.run("publish", str(tmp_path / "documents"), "--kb", "plant")
    assert "78 hours" in hours(site, "pump")
    site.stop()
    site.start()
    assert status(site)["precision"] == "fp32"
    assert "stays so until" in site.output, "the configuration still names the former model"
    assert "78 hours" in hours(site, "pump")


def test_an_abort_leaves_nothing_and_the_site_answers_as_before(site: SiteUnderTest) -> None:
    site.run("kb", "reembed", "start", "--precision", "fp32")
    wait_until(lambda: made(site), BOUND_S, "vectors of the new space")
    abort(site)
    assert "13 hours" in hours(site, "crane")


@pytest.mark.slow
def test_a_site_that_is_killed_at_each_step_goes_on(site: SiteUnderTest) -> None:
    site.run("kb", "reembed", "start", "--precision", "fp32")
    kill_and_start(site)
    wait_until(lambda: made(site), BOUND_S, "vectors of the new space")
    abort(site)
    site.run("kb", "reembed", "start", "--precision", "fp32")
    wait_until(lambda: made(site), BOUND_S, "vectors of the new space")
    switch = threading.Thread(target=lambda: site.run("kb", "reembed", "switch", code=None))
    switch.start()
    wait_until(lambda: "edge-inference-next" in site.pids(), BOUND_S, "a replica of the new space")
    kill_and_start(site)
    switch.join()
    assert "13 hours" in hours(site, "crane")
    if status(site)["phase"] == "embedding":
        site.run("kb", "reembed", "switch")
    wait_until(lambda: status(site)["phase"] == "steady", BOUND_S, "the old space to be dropped")
    assert status(site)["precision"] == "fp32"
    assert "13 hours" in hours(site, "crane")


def abort(site: SiteUnderTest) -> None:
    """Abort the change; nothing of it is left."""
    site.run("kb", "reembed", "abort")
    assert status(site)["phase"] == "steady"
    assert "re-embedder" not in site.pids()
    assert json.loads((site.folder / "space.json").read_text())["next_model"] == ""
    streams = {stream["name"]: stream for stream in site.status()["streams"]}
    assert streams["VECTORS"]["messages"] == 0
    assert not any(name.startswith("embedder-") for name in streams["KNOWLEDGE"]["pending"])


def kill_and_start(site: SiteUnderTest) -> None:
    """End the supervisor, and so all of its processes, without a word; then start the place again."""
    assert site.process is not None
    site.process.kill()
    site.process.wait()
    site.start()
