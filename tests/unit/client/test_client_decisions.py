"""What a client decides before it sends, and when waiting is over."""

import msgspec
import pytest

from causeway.client.given_answers import GivenAnswers
from causeway.client.publication import describe, fits_inline, message_id, object_name, with_body
from causeway.client.waiting import progress
from causeway.proto import UndecodableError, decode, encode
from causeway.proto.documents import DocumentStatus, ObjectRef, Residency, State, fold_statuses
from causeway.proto.feedback import CORRECTED_CHARS_MAX, Feedback, Verdict

LIMIT = 1024 * 1024


def _status(document_id: str, revision: int, state: State) -> DocumentStatus:
    return DocumentStatus(kb="kb", document_id=document_id, revision=revision, state=state, service="s", at_unix_ms=0)


async def test_a_correction_that_is_too_long_is_refused_with_what_to_do() -> None:
    class Nowhere(GivenAnswers):
        bus = None  # type: ignore[assignment]

    with pytest.raises(ValueError, match="at most 20000 characters, and this one 20001: say only"):
        await Nowhere().feedback("kb", "a1", Verdict.CORRECTED, corrected_text="x" * 20_001)


def test_what_is_too_long_a_correction_does_not_decode() -> None:
    said = Feedback(answer_id="a1", kb="kb", verdict=Verdict.CORRECTED, corrected_text="x" * CORRECTED_CHARS_MAX)
    assert decode(encode(said), Feedback) == said
    longer = msgspec.structs.replace(said, corrected_text="x" * (CORRECTED_CHARS_MAX + 1))
    with pytest.raises(UndecodableError, match="corrected_text"):
        decode(encode(longer), Feedback)


def test_a_body_travels_inline_only_with_room_for_the_envelope_of_a_dead_letter() -> None:
    message = describe(
        "kb", "d", filename="", media_type="", title="", residency=Residency.PUBLIC, metadata={"a": "x" * 1000}
    )
    assert fits_inline(900_000, message, LIMIT)
    assert not fits_inline(LIMIT - 64 * 1024, message, LIMIT)
    assert not fits_inline(1, message, 64 * 1024)


def test_an_id_is_the_same_for_the_same_content_and_changes_with_anything() -> None:
    base = message_id("document", b"m", "sha")
    assert base == message_id("document", b"m", "sha")
    others = {
        message_id("document", b"m", "sha", 7),
        message_id("document", b"n", "sha"),
        message_id("document", b"m", "other"),
        message_id("delete", b"m", "sha"),
        message_id("document", b"ms", "ha"),
    }
    assert base not in others
    assert len(others) == 5


def test_an_object_has_a_name_of_its_own_that_shows_its_kb() -> None:
    first, second = (object_name("kb", "any id / 任意", "ab" * 32, nonce) for nonce in "12")
    assert first != second
    assert first.startswith("kb/")
    assert " " not in first


def test_a_body_is_added_and_all_else_stays() -> None:
    message = describe(
        "kb", "d", filename="f", media_type="m", title="t", residency=Residency.PUBLIC, metadata={"a": "b"}
    )
    ref = ObjectRef(bucket="B", name="n", size_bytes=1, sha256="00")
    assert with_body(message, b"x", None).body == b"x"
    full = with_body(message, None, ref)
    assert (full.object, full.title, full.metadata, full.residency) == (ref, "t", {"a": "b"}, Residency.PUBLIC)


def test_waiting_is_over_with_the_wanted_or_a_newer_revision_at_its_end() -> None:
    statuses = [
        _status("a", 5, State.SEARCHABLE),
        _status("b", 4, State.SEARCHABLE),
        _status("c", 9, State.EMBEDDED),
        _status("d", 9, State.DELETED),
    ]
    seen = progress({"a": 5, "b": 5, "c": 5, "d": 5, "e": 0}, statuses)
    assert set(seen.ended) == {"a", "d"}
    assert seen.missing == ("b", "c", "e")
    assert not seen.done
    assert progress({"a": 0}, statuses).done


def test_what_came_from_elsewhere_under_the_same_id_does_not_end_the_wait_for_a_revision_of_ones_own() -> None:
    own = _status("a", 5, State.RECEIVED)
    foreign = msgspec.structs.replace(_status("a", 9, State.SEARCHABLE), origin="hub")
    assert not progress({"a": 5}, [foreign]).done
    assert progress({"a": 0}, [foreign]).done
    assert fold_statuses([foreign, own]) == {(own.kb, "a"): own}
    assert fold_statuses([own, foreign]) == {(own.kb, "a"): own}
