"""The files of the project, as the tidy tests see them: what git tracks or would track."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("ingestor", "embedder", "edge-inference", "cloud-inference", "sync-delta", "cli")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".conf", ".txt", ".sh", ".lock", ".jsonl", ".csv", ""}


@dataclass(frozen=True)
class Source:
    """One Python file. `name` is its path from the root."""

    path: Path

    @property
    def name(self) -> str:
        """Its path from the root, for messages."""
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        """What is in it."""
        return self.path.read_text(encoding="utf-8")

    @property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return _parsed(self.path)

    @property
    def shipped(self) -> bool:
        """Whether it is part of a distribution, and not of the tests."""
        return "src" in self.path.relative_to(ROOT).parts


@cache
def files() -> tuple[Path, ...]:
    """Every file that git tracks, or would: ignored ones are not of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return tuple(sorted({path for path in paths if path.is_file()}))


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file."""
    return tuple(Source(path) for path in files() if path.suffix == ".py")


def shipped() -> tuple[Source, ...]:
    """The Python files of the distributions."""
    return tuple(source for source in sources() if source.shipped)


def texts() -> list[tuple[str, str]]:
    """Every file that is text, as (path from the root, what is in it)."""
    found = []
    for path in files():
        if path.suffix in TEXT_SUFFIXES:
            try:
                found.append((str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")))
            except UnicodeDecodeError:
                continue
    return found


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
