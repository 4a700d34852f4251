"""An answer and what becomes of it, at a site as shipped: followed, told of after a change, judged."""

import subprocess
from pathlib import Path

import pytest

from tests.support.site import CAUSEWAY, SiteUnderTest, environment

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]
END_S = 90.0


def publish(site: SiteUnderTest, folder: Path, text: str) -> None:
    """The kb `leave`, with this text."""
    folder.mkdir(exist_ok=True)
    (folder / "leave.md").write_text(f"# Leave\n\n{text}\n", encoding="utf-8")
    site.run("publish", str(folder), "--kb", "leave")


def test_an_asker_hears_of_a_change_at_once_or_when_they_come_back_and_says_what_they_think(
    site: SiteUnderTest, tmp_path: Path
) -> None:
    publish(site, tmp_path / "leave", "Every employee of the mill has twelve days of annual leave.")
    asked = ("How many days of annual leave has every employee of the mill?", "--kb", "leave")
    first = site.run_json("ask", *asked)
    assert "twelve days" in first["text"]
    assert first["answer_id"]
    follower = subprocess.Popen(
        [CAUSEWAY, "ask", *asked, "--no-stream", "--follow", "--data-dir", site.folder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert follower.stderr is not None
        assert "Watching" in follower.stderr.readline()
        publish(site, tmp_path / "leave", "Every employee of the mill has thirty days of annual leave.")
        told, _ = follower.communicate(timeout=END_S)
    finally:
        follower.kill()
        follower.wait(END_S)
    assert follower.returncode == 0
    assert "may be wrong now: leave.md has changed" in told
    again = site.run_json("ask", "--follow", "--answer", first["answer_id"], timeout_s=END_S)
    assert (again["answer_id"], again["change"]) == (first["answer_id"], "revised")
    assert "noted as wrong" in site.run("feedback", first["answer_id"], "wrong")
    now = site.run_json("ask", *asked)
    assert "thirty days" in now["text"]
    assert now["answer_id"] != first["answer_id"]
