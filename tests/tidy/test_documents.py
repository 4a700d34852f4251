"""The documents say what the code does: the same in both languages, links that lead somewhere, nothing left out."""

import importlib
import re

import msgspec
import pytest

from causeway.proto import streams, subjects
from tests.tidy.tree import ROOT, SERVICES, files

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
HEADING = re.compile(r"^(#+) ", re.MULTILINE)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """The code blocks without their comments, which are prose."""
    return [
        (kind, [line.split("  # ")[0].rstrip() for line in body.splitlines() if not line.lstrip().startswith("# ")])
        for kind, body in FENCE.findall(text)
        if kind != "text"
    ]


def headings(text: str) -> list[int]:
    return [len(marks) for marks in HEADING.findall(FENCE.sub("", text))]


def test_both_readmes_have_the_same_headings_and_the_same_code() -> None:
    english, chinese = read("README.md"), read("README.zh.md")
    assert headings(english) == headings(chinese)
    assert blocks(english) == blocks(chinese)


def test_every_link_within_the_documents_leads_to_a_file() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in files()
        if path.suffix == ".md"
        for target in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
        if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_subject_and_every_stream_is_in_the_documents() -> None:
    text = read("docs/architecture.md")
    assert [subject.pattern for subject in subjects.ALL if f"`{subject.pattern}`" not in text] == []
    names = [stream.name for stream in streams.ALL_SITE] + [bucket.name for bucket in streams.ALL_SITE_BUCKETS]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = {
        f"{path.relative_to(ROOT)}: make {target}"
        for path in files()
        if path.suffix == ".md"
        for target in re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z-]+)", path.read_text(encoding="utf-8"))
        if target not in targets
    }
    assert named == set()


def test_the_readme_names_every_make_target() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE)
    assert [target for target in targets if f"make {target}" not in read("README.md")] == []


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "cli"])
def test_a_service_documents_each_of_its_settings(service: str) -> None:
    settings = importlib.import_module(f"causeway.{service.replace('-', '_')}.settings").Settings
    runtime = importlib.import_module("causeway.runtime").ServiceSettings
    prefix = service.upper().replace("-", "_")
    own = [field for field in settings.__struct_fields__ if field not in runtime.__struct_fields__]
    text = read(f"services/{service}/README.md")
    missing = [f"{prefix}_{name.upper()}" for name in own if not documented(f"{prefix}_{name.upper()}", text)]
    assert missing == []
    assert issubclass(settings, msgspec.Struct)


def documented(variable: str, text: str) -> bool:
    """Named in full, or by its ending where a row begins with another of the same stem (`X_MIN`, `_MAX`)."""
    if f"`{variable}`" in text:
        return True
    stem, _, last = variable.rpartition("_")
    return any(f"`{stem}_" in line and f"`_{last}`" in line for line in text.splitlines())


def test_decision_records_are_numbered_without_gaps_and_say_what_was_decided() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert [part for part in ("## Decision", "## Why", "## Consequences") if part not in text] == [], path.name
