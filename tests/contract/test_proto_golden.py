"""The golden bytes of every message: frozen, and the same value to msgspec, to the reference `msgpack`, and in JSON."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import jsonschema
import msgpack
import msgspec
import pytest

from causeway.proto import codec, golden, schema

FOLDER = Path(__file__).parents[2] / "proto" / "golden"
ADD_A_V2 = "golden files never change: undo it, and add a v2 of the type beside it instead"
EXAMPLES = {golden.short_name(type(example)): example for example in golden.EXAMPLES}
SUMS = {line.split()[1]: line.split()[0] for line in (FOLDER / golden.SUMS).read_text().splitlines()}
EDITIONS = [edition for example in golden.EXAMPLES for edition in golden.editions(FOLDER, type(example))]
NEWEST = {edition.short_name: edition.number for edition in sorted(EDITIONS, key=lambda edition: edition.number)}


def plain(value: object) -> object:
    """What JSON makes of a decoded value: binary as base64, nothing else changed."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


def reference_decode(body: bytes) -> dict[str, Any]:
    decoded = msgpack.unpackb(body, raw=False, strict_map_key=True)
    assert isinstance(decoded, dict)
    return decoded


def test_every_message_type_has_an_example_and_a_row_in_the_registry() -> None:
    defined = {
        kind.type_name for kind in codec.Message.__subclasses__() if kind.__module__.startswith("causeway.proto.")
    }
    assert defined == {kind.type_name for kind in schema.message_types()}
    assert defined == {example.type_name for example in golden.EXAMPLES}


def test_every_example_sets_every_field_so_that_the_golden_bytes_show_it() -> None:
    for example in golden.EXAMPLES:
        assert set(reference_decode(codec.encode(example))) == set(type(example).__struct_fields__)


@pytest.mark.parametrize("name", sorted(SUMS))
def test_a_golden_file_never_changes(name: str) -> None:
    path = FOLDER / name
    assert path.exists(), f"{name} is gone: {ADD_A_V2}"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SUMS[name], f"{name} changed: {ADD_A_V2}"


def test_every_golden_file_is_in_the_list_of_checksums() -> None:
    files = {path.name for path in FOLDER.iterdir()} - {golden.SUMS}
    assert files == set(SUMS), "run `make schema` and commit what it writes"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_example_encodes_to_the_newest_golden_bytes(name: str) -> None:
    example = EXAMPLES[name]
    newest = golden.editions(FOLDER, type(example))[-1]
    assert codec.encode(example) == newest.body, (
        f"{name}: a field added with a default: run `make schema`; else {ADD_A_V2}"
    )


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.stem)
def test_golden_bytes_of_every_edition_still_decode(edition: golden.Edition) -> None:
    example = EXAMPLES[edition.short_name]
    decoded = codec.decode(edition.body, type(example))
    kept = reference_decode(edition.body)
    assert golden.contains(reference_decode(codec.encode(decoded)), kept), f"{edition.stem}: {ADD_A_V2}"
    assert edition.number < NEWEST[edition.short_name] or decoded == example


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.stem)
def test_the_reference_msgpack_library_decodes_the_same_value(edition: golden.Edition) -> None:
    assert reference_decode(edition.body) == msgspec.msgpack.decode(edition.body)
    ours = msgspec.to_builtins(codec.decode(edition.body, type(EXAMPLES[edition.short_name])), builtin_types=(bytes,))
    # An old edition lacks the fields that came later, which decode to their defaults.
    assert golden.contains(ours, reference_decode(edition.body))


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.stem)
def test_what_the_reference_msgpack_library_encodes_is_our_message(edition: golden.Edition) -> None:
    example = EXAMPLES[edition.short_name]
    assert codec.decode(msgpack.packb(reference_decode(edition.body)), type(example)) == codec.decode(
        edition.body, type(example)
    )


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.stem)
def test_a_newer_message_with_unknown_keys_decodes(edition: golden.Edition) -> None:
    kind = type(EXAMPLES[edition.short_name])
    newer = reference_decode(edition.body) | {"a_key_of_tomorrow": {"with": [1, b"\x00", "值"]}}
    assert codec.decode(msgpack.packb(newer), kind) == codec.decode(edition.body, kind)


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.stem)
def test_the_readable_file_beside_the_bytes_says_the_same(edition: golden.Edition) -> None:
    text = (FOLDER / f"{edition.stem}.json").read_bytes()
    assert msgspec.json.decode(text) == plain(reference_decode(edition.body))


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.stem)
def test_the_golden_value_is_valid_by_its_json_schema(edition: golden.Edition) -> None:
    rules = schema.message_schema(type(EXAMPLES[edition.short_name]))
    validator = jsonschema.Draft202012Validator(rules)
    validator.check_schema(rules)
    assert list(validator.iter_errors(plain(reference_decode(edition.body)))) == []


def test_the_schema_refuses_a_message_without_a_required_field() -> None:
    validator = jsonschema.Draft202012Validator(schema.message_schema(type(EXAMPLES["ask.v1"])))
    assert [error.validator for error in validator.iter_errors({"kb": "handbook"})] == ["required"]


def test_a_changed_value_is_not_contained() -> None:
    assert golden.contains({"a": 1, "b": 2}, {"a": 1})
    assert not golden.contains({"a": 1}, {"a": 1, "b": 2})
    assert not golden.contains({"a": [{"b": 1}]}, {"a": [{"b": 2}]})
    assert not golden.contains({"a": [1, 2]}, {"a": [1]})


def test_freezing_leaves_what_is_frozen_and_adds_an_edition_for_a_grown_type(tmp_path: Path) -> None:
    golden.freeze(tmp_path)
    older = reference_decode((tmp_path / "problem.v1.msgpack").read_bytes())
    del older["retryable"]
    (tmp_path / "problem.v1.msgpack").write_bytes(msgpack.packb(older))
    assert [path.name for path in golden.freeze(tmp_path)] == ["problem.v1-2.msgpack", "problem.v1-2.json"]
    assert reference_decode((tmp_path / "problem.v1.msgpack").read_bytes()) == older
    assert golden.freeze(tmp_path) == []


def test_freezing_refuses_a_type_that_lost_or_changed_a_field(tmp_path: Path) -> None:
    golden.freeze(tmp_path)
    lost = reference_decode((tmp_path / "problem.v1.msgpack").read_bytes()) | {"severity": "high"}
    (tmp_path / "problem.v1.msgpack").write_bytes(msgpack.packb(lost))
    with pytest.raises(golden.GoldenChangedError, match="add a v2"):
        golden.freeze(tmp_path)


def test_bytes_that_are_not_the_message_are_refused_with_the_field_named() -> None:
    with pytest.raises(codec.UndecodableError, match=r"io\.causeway\.ask\.v1.*question"):
        codec.decode(msgpack.packb({"kb": "handbook"}), type(EXAMPLES["ask.v1"]))
