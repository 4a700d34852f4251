"""Writes what others read of the contract: JSON Schema, AsyncAPI and golden bytes. `--check` only compares."""

import argparse
import json
import sys
from pathlib import Path

from causeway.proto import asyncapi, golden, schema

VERSION = "1.0.0"
HOME = Path(__file__).resolve().parents[3]


def generated() -> dict[str, str]:
    """The text of every generated file, by its path under proto/."""
    files = {
        f"schema/{golden.short_name(kind)}.json": _text(schema.message_schema(kind)) for kind in schema.message_types()
    }
    return files | {"asyncapi.json": _text(asyncapi.document(VERSION))}


def differences(home: Path) -> list[str]:
    """What in `home` is not as the code has it, one sentence each; empty when in step."""
    expected = generated()
    found = [
        f"{name} is out of step"
        for name, text in expected.items()
        if not (home / name).exists() or (home / name).read_text(encoding="utf-8") != text
    ]
    names = {f"schema/{path.name}" for path in (home / "schema").glob("*.json")}
    found += [f"{name} is of no message" for name in sorted(names - set(expected))]
    found += [f"golden/{edition.stem}.msgpack is not frozen" for edition in golden.missing_editions(home / "golden")]
    return found


def write(home: Path) -> None:
    """Write every generated file, remove schemas of no message, freeze golden bytes that are missing."""
    expected = generated()
    for folder in ("schema", "golden"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    for name, text in expected.items():
        (home / name).write_text(text, encoding="utf-8")
    for path in (home / "schema").glob("*.json"):
        if f"schema/{path.name}" not in expected:
            path.unlink()
    golden.freeze(home / "golden")


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare: 0 when in step, 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m causeway.proto.export", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when a file is out of step")
    parser.add_argument("--home", type=Path, default=HOME, help="the folder with schema/, golden/ and asyncapi.json")
    options = parser.parse_args(arguments)
    try:
        if not options.check:
            write(options.home)
            return 0
        found = differences(options.home)
    except golden.GoldenChangedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if found:
        sys.stderr.write("".join(f"proto/{line}\n" for line in found))
        sys.stderr.write("Run `make schema` and commit what it writes.\n")
    return 1 if found else 0


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
