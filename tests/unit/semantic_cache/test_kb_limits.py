"""Limits by kb: what is written is read again, and what can not be used says why."""

import msgspec
import pytest

from causeway.semantic_cache import BadLimitsError, Limit, read_kb_limits, shipped_limits, written_kb_limits

MODEL = f"{shipped_limits().space}int8@1"


def test_limits_that_were_written_are_read_again() -> None:
    held = {"manual": shipped_limits(), "handbook": shipped_limits()}
    assert read_kb_limits(written_kb_limits(held), MODEL) == held


@pytest.mark.parametrize("cosine", [-0.1, 2.1])
def test_a_limit_that_is_no_cosine_is_refused_with_its_kb(cosine: float) -> None:
    bad = msgspec.structs.replace(shipped_limits(), limits={"zh": Limit(same_words=0.988, reworded=cosine)})
    with pytest.raises(BadLimitsError, match="the limits of handbook say .* for zh"):
        read_kb_limits(written_kb_limits({"handbook": bad}), MODEL)


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"handbook": {}}', b'{"handbook": 1}', b"\xff"])
def test_a_file_of_another_form_is_refused(raw: bytes) -> None:
    with pytest.raises(BadLimitsError, match="no limits by kb"):
        read_kb_limits(raw, MODEL)


def test_limits_of_no_encoder_or_of_another_are_refused() -> None:
    for space in ("", "another/"):
        file = written_kb_limits({"handbook": msgspec.structs.replace(shipped_limits(), space=space)})
        with pytest.raises(BadLimitsError, match="the limits of handbook were measured with"):
            read_kb_limits(file, MODEL)
