"""What is generated from the contract is committed, in step, repeatable and valid."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from causeway.proto import asyncapi, export, headers, schema, streams, subjects

HOME = Path(__file__).parents[2] / "proto"
SPEC = Path(__file__).parent / "asyncapi" / "3.0.0.schema.json.gz"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi.document(export.VERSION)


def resolve(document: dict[str, Any], reference: str) -> object:
    """What a local `$ref` points at; KeyError when nothing is there."""
    value: Any = document
    for token in reference.removeprefix("#/").split("/"):
        value = value[token.replace("~1", "/").replace("~0", "~")]
    return value


def references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for part in value.values() for found in references(part)]
    return [found for part in value for found in references(part)] if isinstance(value, list) else []


def test_the_committed_files_are_what_the_code_writes() -> None:
    assert export.differences(HOME) == []


def test_check_names_the_files_that_are_out_of_step_and_how_to_mend_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export.write(tmp_path)
    assert export.main(["--check", "--home", str(tmp_path)]) == 0
    (tmp_path / "schema" / "ask.v1.json").write_text("{}")
    (tmp_path / "schema" / "gone.v1.json").write_text("{}")
    assert export.main(["--check", "--home", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "ask.v1.json" in said
    assert "gone.v1.json" in said
    assert "make schema" in said
    assert export.main(["--home", str(tmp_path)]) == 0
    assert export.main(["--check", "--home", str(tmp_path)]) == 0


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    export.write(tmp_path)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    export.write(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first


def test_the_asyncapi_document_is_valid_by_the_asyncapi_3_schema(document: dict[str, Any]) -> None:
    rules = json.loads(gzip.decompress(SPEC.read_bytes()))
    validator = jsonschema.Draft7Validator(rules)
    assert [error.message for error in validator.iter_errors(document)] == []
    broken = document | {"channels": {"document": {"adress": "x"}}}
    assert not validator.is_valid(broken)


def test_every_reference_of_the_asyncapi_document_points_at_something(document: dict[str, Any]) -> None:
    found = references(document)
    assert found
    for reference in found:
        resolve(document, reference)


def test_every_subject_is_a_channel_with_its_parameters_and_its_operations(document: dict[str, Any]) -> None:
    for subject in subjects.ALL:
        channel = document["channels"][subject.name]
        assert channel["address"] == subject.pattern
        assert set(channel["parameters"]) == set(re.findall(r"{(\w+)}", subject.pattern))
        for actor in subject.producers:
            assert document["operations"][f"{actor}.send.{subject.name}"]["action"] == "send"
        for actor in subject.consumers:
            assert document["operations"][f"{actor}.receive.{subject.name}"]["action"] == "receive"


def test_a_message_that_a_stream_keeps_must_have_the_cloudevents_headers(document: dict[str, Any]) -> None:
    required = document["components"]["messages"]["document.v1"]["headers"]["required"]
    assert {headers.MSG_ID, headers.CE_ID, headers.CE_TYPE} <= set(required)
    assert document["components"]["messages"]["ask.v1"]["contentType"] == headers.MSGPACK


def test_a_message_that_crosses_the_link_must_have_two_headers_only(document: dict[str, Any]) -> None:
    for name in ("chunk_shared.v1", "document_shared.v1"):
        required = document["components"]["messages"][name]["headers"]["required"]
        assert required == [headers.MSG_ID, headers.CE_TYPE]


def test_every_binary_field_says_how_it_travels() -> None:
    text = json.dumps([schema.message_schema(kind) for kind in schema.message_types()])
    assert text.count('"contentEncoding": "base64"') == text.count(schema.BYTES_NOTE) > 0


def test_a_subject_that_is_kept_lies_within_its_stream_and_in_no_other() -> None:
    for subject in subjects.ALL:
        example = subject.at("branch-1", "handbook", "0a")
        keeping = [
            stream.name.partition("_")[0]
            for stream in streams.documented("branch-1")
            for pattern in stream.subjects
            if re.fullmatch(re.escape(pattern).replace(r"\*", r"[^.]+"), example)
        ]
        assert keeping == ([subject.stream] if subject.stream else [])


@pytest.mark.parametrize("bad", ["", "a\n", "Branch", "a.b", "a b", "支行", "*x", ">", "-a"])
def test_a_name_that_can_not_be_a_subject_token_is_refused(bad: str) -> None:
    with pytest.raises(subjects.BadNameError):
        subjects.DOCUMENT.at(bad, "handbook")
    with pytest.raises(subjects.BadNameError):
        subjects.DOCUMENT.at("branch-1", bad)
