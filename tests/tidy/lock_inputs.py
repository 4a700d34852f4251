"""A digest of what requirements.lock is resolved from: the lock's first line, which a test compares."""

import hashlib
import json
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PREFIX = "# inputs: sha256 "


def members() -> list[Path]:
    """The pyproject.toml of the root and of every workspace member."""
    return [
        ROOT / "pyproject.toml",
        *sorted(ROOT.glob("proto/pyproject.toml")),
        *sorted(ROOT.glob("*/*/pyproject.toml")),
    ]


def digest() -> str:
    """sha256 over names, dependencies, groups and Python versions; other settings do not matter to the lock."""
    inputs = {}
    for path in members():
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        project = tables.get("project", {})
        inputs[str(path.relative_to(ROOT))] = [
            project.get("dependencies", []),
            project.get("optional-dependencies", {}),
            project.get("requires-python", ""),
            tables.get("dependency-groups", {}),
            {
                key: tables.get("tool", {}).get("uv", {}).get(key)
                for key in ("constraint-dependencies", "override-dependencies")
            },
        ]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(f"{PREFIX}{digest()}\n")
