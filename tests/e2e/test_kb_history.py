"""`causeway kb` on a running site: what was, what changed, and back again.

Most commands run in this process, because each process of its own costs a second or more.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from causeway.bus import ProblemReply
from causeway.cli.commands import ask, kb, publish
from causeway.cli.errors import UserError
from tests.support.site import SiteUnderTest, wait_until

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

BOUND_S = 60.0
FIRST = "# Leave\n\nEvery employee has twelve days of annual leave.\n\n# Canteen\n\nLunch is served at noon.\n"
SECOND = FIRST.replace("twelve days", "thirty days")
APP = typer.Typer()
for module in (publish, ask, kb):
    module.register(APP)


def run(site: SiteUnderTest, *arguments: str) -> str:
    """Run a command here and return its stdout; what it raises is raised."""
    result = CliRunner().invoke(APP, [*arguments, "--data-dir", str(site.folder)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def put(site: SiteUnderTest, folder: Path, name: str, **files: str) -> None:
    """Publish the files of a folder to a knowledge base as they are now, and delete what has none."""
    folder.mkdir(exist_ok=True)
    for stem, text in files.items():
        (folder / f"{stem}.md").write_text(text, encoding="utf-8")
    run(site, "publish", str(folder), "--kb", name, "--delete-missing")


def log(site: SiteUnderTest, name: str, *more: str) -> dict[str, Any]:
    """`kb log --json`."""
    found: dict[str, Any] = json.loads(run(site, "kb", "log", *more, "--kb", name, "--json"))
    return found


def revisions(site: SiteUnderTest, name: str, document: str) -> list[int]:
    """The revisions of a document, newest first."""
    return [entry["revision"] for entry in log(site, name, document)["revisions"]]


def shown(site: SiteUnderTest, name: str, document: str, *more: str) -> str:
    """`kb show`."""
    return run(site, "kb", "show", document, "--kb", name, *more)


def test_a_document_is_shown_compared_and_restored(site: SiteUnderTest, tmp_path: Path) -> None:
    name = "history-one"
    put(site, tmp_path / "docs", name, leave=FIRST)
    put(site, tmp_path / "docs", name, leave=SECOND)
    newest, oldest = revisions(site, name, "leave.md")
    table = run(site, "kb", "log", "--kb", name)
    assert str(newest) in table
    assert "earlier" in table
    assert "thirty days" in shown(site, name, "leave.md")
    assert "twelve days" in shown(site, name, "leave.md", "--revision", str(oldest))
    for arguments in ((), (str(oldest), str(newest))):
        difference = run(site, "kb", "diff", "leave.md", *arguments, "--kb", name)
        assert "-Every employee has twelve days" in difference
        assert "+Every employee has thirty days" in difference
        assert "Lunch" not in "".join(line for line in difference.splitlines() if line[:1] in "+-")

    done = site.run("kb", "restore", "leave.md", "--revision", str(oldest), "--kb", name)
    assert "again as in revision" in done
    assert "twelve days" in shown(site, name, "leave.md")
    assert "twelve" in run(site, "ask", "How many days of annual leave?", "--kb", name, "--json")
    assert len(revisions(site, name, "leave.md")) == 3
    assert json.loads(run(site, "kb", "list", "--json"))[name] == {"searchable": 1}


def test_a_whole_knowledge_base_goes_back_to_an_epoch(site: SiteUnderTest, tmp_path: Path) -> None:
    name, folder = "history-all", tmp_path / "docs"
    put(site, folder, name, leave=FIRST, gate="# Gate\n\nThe gate opens at seven.\n", same=FIRST)
    epoch = max(entry["seq"] for entry in log(site, name)["revisions"])
    (folder / "gate.md").unlink()
    put(site, folder, name, leave=SECOND, late="# Late\n\nThis came later.\n")
    wait_until(lambda: len(revisions(site, name, "gate.md")) == 2, BOUND_S, "the deletion")

    back = ("kb", "restore", "--all", "--at", str(epoch), "--kb", name)
    unasked = CliRunner().invoke(APP, [*back, "--data-dir", str(site.folder)])
    assert unasked.exit_code == 1
    assert "thirty days" in shown(site, name, "leave.md"), "nothing happens where nobody said yes"
    assert f"3 of 3 documents are as they were at {epoch}" in run(site, *back, "--yes")
    standing = {entry["document_id"]: entry["deleted"] for entry in log(site, name)["revisions"] if entry["current"]}
    assert standing == {"leave.md": False, "gate.md": False, "same.md": False, "late.md": True}
    assert "twelve days" in shown(site, name, "leave.md")
    assert "twelve days" in shown(site, name, "leave.md", "--at", str(epoch))


def test_the_past_outlives_a_restart_of_the_site(site: SiteUnderTest, tmp_path: Path) -> None:
    name = "history-restart"
    put(site, tmp_path / "docs", name, leave=FIRST)
    put(site, tmp_path / "docs", name, leave=SECOND)
    before = log(site, name)
    site.stop()
    site.start()
    assert log(site, name) == before
    assert "twelve days" in shown(site, name, "leave.md", "--revision", str(before["revisions"][-1]["revision"]))


def test_what_is_not_there_is_refused_with_the_mend(site: SiteUnderTest, tmp_path: Path) -> None:
    name = "history-none"
    put(site, tmp_path / "docs", name, leave=FIRST)
    for code, arguments in (
        ("unknown_document", ("show", "never.md", "--kb", name)),
        ("unknown_revision", ("show", "leave.md", "--revision", "7", "--kb", name)),
        ("unknown_kb", ("log", "--kb", "never-published")),
    ):
        with pytest.raises(ProblemReply) as problem:
            run(site, "kb", *arguments)
        assert problem.value.problem.code == code
        assert problem.value.problem.mend
    for arguments in (
        ("diff", "leave.md", "--kb", name),
        ("restore", "leave.md", "--revision", "7", "--kb", name),
        ("restore", "leave.md", "--kb", name),
        ("restore", "--all", "--kb", name),
        ("restore", "--kb", name),
    ):
        with pytest.raises(UserError) as refused:
            run(site, "kb", *arguments)
        assert refused.value.mend
