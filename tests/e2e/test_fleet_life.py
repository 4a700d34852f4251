"""A hub and its sites in processes as shipped: joining, answering from the other side, and a site that comes later."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.fleet import FleetUnderTest, running_fleet
from tests.support.site import SiteUnderTest, run_causeway, wait_until

pytestmark = [pytest.mark.model, pytest.mark.timeout(400)]

BOUND_S = 60.0
WARRANTY = "# Heat pump\n\nThe compressor has a warranty of seven years.\n"
POLICY = "# Travel\n\nA journey by train is paid for in second class.\n"
SECRET = "# Safe\n\nThe safe of the branch opens at nine o'clock.\n"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetUnderTest]:
    """A hub and one site that takes its policies."""
    with running_fleet(tmp_path_factory.mktemp("fleet")) as running:
        running.join("plant-1", "--kb", "policies")
        yield running


def publish(place: SiteUnderTest, folder: Path, name: str, text: str, kb: str, residency: str = "public") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    place.run("publish", str(folder / name), "--kb", kb, "--residency", residency)


def answers(place: SiteUnderTest, question: str, kb: str, words: str) -> bool:
    """Whether the answer has these words; a kb that is not there yet is no answer."""
    return words in place.run("ask", question, "--kb", kb, "--no-stream", code=None)


def test_what_a_site_publishes_is_answered_at_the_hub_but_not_what_is_restricted(
    fleet: FleetUnderTest, tmp_path: Path
) -> None:
    site = fleet.sites["plant-1"]
    publish(site, tmp_path, "safe.md", SECRET, "manuals", "restricted")
    publish(site, tmp_path, "pump.md", WARRANTY, "manuals")
    question = "How long is the warranty of the compressor?"
    wait_until(lambda: answers(fleet.hub, question, "manuals", "seven years"), BOUND_S, "the answer at the hub")
    assert answers(site, "When does the safe of the branch open?", "manuals", "nine o'clock")
    assert not answers(fleet.hub, "When does the safe of the branch open?", "manuals", "nine o'clock")


def test_what_the_hub_publishes_is_answered_at_a_site_that_takes_it(fleet: FleetUnderTest, tmp_path: Path) -> None:
    publish(fleet.hub, tmp_path, "travel.md", POLICY, "policies")
    question = "In which class is a journey by train paid for?"
    site = fleet.sites["plant-1"]
    wait_until(lambda: answers(site, question, "policies", "second class"), BOUND_S, "the answer at the site")


def test_a_site_that_is_added_while_both_run_restarts_nothing_and_gets_its_share(
    fleet: FleetUnderTest, tmp_path: Path
) -> None:
    publish(fleet.hub, tmp_path, "travel.md", POLICY, "policies")
    before = {place.folder.name: place.pids() for place in (fleet.hub, fleet.sites["plant-1"])}
    second = fleet.join("plant-2", "--kb", "policies", "--link", "wss")
    question = "In which class is a journey by train paid for?"
    wait_until(lambda: answers(second, question, "policies", "second class"), BOUND_S, "the answer at the second site")
    assert {place.folder.name: place.pids() for place in (fleet.hub, fleet.sites["plant-1"])} == before
    assert fleet.listed() == ["plant-1", "plant-2"]


def test_a_joined_site_starts_again_without_its_join_file(fleet: FleetUnderTest) -> None:
    site = fleet.sites["plant-1"]
    (fleet.root / "plant-1.join").unlink()
    assert site.stop() == 0
    site.options = ()
    site.start()
    assert site.record["site"] == "plant-1"
    assert "sync-delta" in site.pids()


def test_a_site_that_is_removed_is_cut_off_at_once_and_goes_on_by_itself(fleet: FleetUnderTest, tmp_path: Path) -> None:
    third = fleet.join("plant-3")
    server = psutil.Process(third.pids()["nats-server"])

    def linked() -> bool:
        return any(c.status == psutil.CONN_ESTABLISHED and c.raddr.port == leaf for c in server.net_connections("tcp"))

    leaf = fleet.leaf_port
    wait_until(linked, BOUND_S, "the link")
    run_causeway("site", "remove", "plant-3", "--data", str(fleet.hub.folder))
    wait_until(lambda: not linked(), BOUND_S, "the end of the link")
    publish(third, tmp_path, "pump.md", WARRANTY, "manuals")
    assert answers(third, "How long is the warranty of the compressor?", "manuals", "seven years")


def test_the_commands_of_a_fleet_refuse_what_they_can_not_do(fleet: FleetUnderTest, tmp_path: Path) -> None:
    hub = str(fleet.hub.folder)
    out = str(tmp_path / "x.join")
    run_causeway("site", "add", "Plant 4", "--data", hub, "--out", out, code=2)
    run_causeway("site", "add", "hub", "--data", hub, "--out", out, code=2)
    run_causeway("site", "add", "plant-1", "--data", hub, "--out", out, code=2)
    run_causeway("site", "remove", "plant-9", "--data", hub, code=2)
    run_causeway("hub", "init", "--data", hub, code=2)
    run_causeway("up", "hub", "--data", str(tmp_path), code=2)
    run_causeway("up", "site", "--data", str(tmp_path / "s"), "--join", out, code=2)
    assert not (tmp_path / "x.join").exists()
