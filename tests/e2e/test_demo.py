"""The demo as a person runs it."""

from pathlib import Path

import pytest

from tests.support.site import run_causeway

ROOT = Path(__file__).parents[2]


@pytest.mark.model
@pytest.mark.timeout(300)
def test_the_demo_answers_as_expected_with_and_without_a_network() -> None:
    shown = run_causeway("demo", "--folder", str(ROOT / "deploy" / "demo"), timeout_s=280)
    assert shown.count("as expected") == 8 + 1
    assert "NOT as expected" not in shown
    assert "Every socket stayed on loopback" in shown
    assert "nothing is left running" in shown


def test_every_bundled_document_is_attributed() -> None:
    folder = ROOT / "deploy" / "demo"
    attribution = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    documents = folder / "documents"
    names = [path.relative_to(documents).as_posix() for path in documents.rglob("*") if path.is_file()]
    assert len(names) >= 15
    assert [name for name in names if f"| {name} |" not in attribution] == []
    assert sum(path.stat().st_size for path in documents.rglob("*")) < 3_000_000
