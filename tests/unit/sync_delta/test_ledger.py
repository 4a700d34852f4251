"""The ledger's chain breaks at the first line that is not what was written."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.proto.chunks import Manifest
from causeway.proto.documents import Residency
from causeway.sync_delta.ledger import GENESIS, BadLineError, Broken, Line, append, decode, encode, verify
from causeway.sync_delta.residency import gate


def ledger(count: int) -> list[Line]:
    lines: list[Line] = []
    for number in range(count):
        manifest = Manifest(
            kb="kb", document_id=f"d{number}", document_key=b"k", revision=number, residency=Residency.PUBLIC
        )
        last = lines[-1] if lines else None
        lines.append(append(last, manifest, gate(manifest, False), at_unix_ms=number, chunks=3, bytes_out=2_000))
    return lines


def number_of(broken: Broken | None) -> int:
    assert broken is not None
    return broken.number


def test_lines_are_numbered_and_chained_from_the_beginning() -> None:
    lines = ledger(3)
    assert [line.number for line in lines] == [1, 2, 3]
    assert lines[0].previous == GENESIS
    assert [line.previous for line in lines[1:]] == [line.hash for line in lines[:-1]]
    assert (lines[0].label, lines[0].action, lines[0].bytes_out) == ("public", "share", 2_000)
    assert verify(lines) is None
    assert verify(lines[1:], after=lines[0]) is None
    assert verify([]) is None


@pytest.mark.parametrize("field", [name for name in Line.__struct_fields__ if name not in ("hash", "previous")])
@given(position=st.integers(0, 4))
def test_a_change_of_any_field_of_any_line_is_found_there(field: str, position: int) -> None:
    lines = ledger(5)
    value = getattr(lines[position], field)
    changed = value + (b"x" if isinstance(value, bytes) else "x" if isinstance(value, str) else 1)
    lines[position] = msgspec.structs.replace(lines[position], **{field: changed})
    assert number_of(verify(lines)) == position + 1


@given(st.integers(0, 3))
def test_a_line_that_is_taken_out_is_missed(position: int) -> None:
    lines = ledger(5)
    del lines[position]
    assert number_of(verify(lines)) == position + 1


def test_a_line_written_anew_with_a_fitting_hash_breaks_the_next_one() -> None:
    lines = ledger(3)
    manifest = Manifest(kb="kb", document_id="else", document_key=b"k", revision=1, residency=Residency.PUBLIC)
    lines[1] = append(lines[0], manifest, gate(manifest, False), at_unix_ms=1, chunks=1, bytes_out=1)
    assert number_of(verify(lines)) == 3


def test_two_lines_that_changed_places_are_found() -> None:
    lines = ledger(4)
    lines[1], lines[2] = lines[2], lines[1]
    assert number_of(verify(lines)) == 2


def test_a_line_comes_back_from_its_bytes_and_other_bytes_are_an_error() -> None:
    (line,) = ledger(1)
    assert decode(encode(line)) == line
    with pytest.raises(BadLineError, match="damaged"):
        decode(encode(line)[:-1])
    with pytest.raises(BadLineError):
        decode(b"\x80")


def test_the_reason_of_the_gate_is_in_the_line() -> None:
    manifest = Manifest(kb="kb", document_id="d", document_key=b"k", revision=1, residency=Residency.RESTRICTED)
    decision = replace(gate(manifest, True))
    line = append(None, manifest, decision, at_unix_ms=1, chunks=0, bytes_out=90)
    assert (line.action, line.label, line.reason) == ("retract", "restricted", decision.reason)
