"""The encoder feeds its graph whole, cut and padded rows, and gives the vectors back in the order of the texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from causeway.models.encoder import Encoder, EncoderTraits
from causeway.models.signature import ATTENTION_MASK, INPUT_IDS

DIMS, PAD, EOS = 8, 1, 2


class LetterTokens:
    """One token for each character, between a start and an end."""

    eos = EOS
    pad = PAD

    def read(self, text: str) -> list[int]:
        return [0, *(ord(letter) + 10 for letter in text), EOS]


class SummingSession:
    """A graph whose vector says the number of unmasked tokens, their sum and the last one; it remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def run(self, _names: Sequence[str] | None, feed: dict[str, Any], /) -> Sequence[Any]:
        self.calls.append(feed)
        ids, mask = feed[INPUT_IDS], feed[ATTENTION_MASK]
        vectors = np.zeros((len(ids), DIMS), np.float32)
        vectors[:, 0] = mask.sum(axis=1)
        vectors[:, 1] = (ids * mask).sum(axis=1)
        vectors[:, 2] = [row[count - 1] for row, count in zip(ids, mask.sum(axis=1), strict=True)]
        return [vectors]


def encoder(session: SummingSession, *, tokens_max: int = 64, call_tokens_max: int = 96) -> Encoder:
    traits = EncoderTraits(
        model_id="letters/fp32@0", dims=DIMS, tokens_max=tokens_max, call_tokens_max=call_tokens_max, query_prefix="q:"
    )
    return Encoder(LetterTokens(), session, traits)


@given(st.lists(st.text(max_size=90), max_size=40))
def test_vectors_come_in_the_order_of_the_texts_whatever_their_batches(texts: list[str]) -> None:
    together = encoder(SummingSession()).encode_queries(texts)
    assert together.shape == (len(texts), DIMS)
    assert together.dtype == np.float32
    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(encoder(SummingSession()).encode_queries([text])[0], vector)


@given(st.lists(st.text(max_size=90), min_size=1, max_size=40))
def test_no_call_exceeds_the_token_budget_and_padding_is_masked(texts: list[str]) -> None:
    session = SummingSession()
    encoder(session).encode_passages(texts)
    for feed in session.calls:
        assert feed[INPUT_IDS].size <= 96 or len(feed[INPUT_IDS]) == 1
        assert np.all(feed[INPUT_IDS][feed[ATTENTION_MASK] == 0] == PAD)


def test_a_long_text_is_cut_and_keeps_its_end_token() -> None:
    count, _total, last = encoder(SummingSession(), tokens_max=16).encode_passages(["x" * 500])[0][:3]
    assert (count, last) == (16, EOS)


def test_an_empty_text_is_encoded_as_its_bare_prefix() -> None:
    assert encoder(SummingSession()).encode_queries([""])[0][0] == len("q:") + 2


def test_no_texts_give_no_vectors_and_no_call() -> None:
    session = SummingSession()
    assert encoder(session).encode_queries([]).shape == (0, DIMS)
    assert session.calls == []


def test_token_counts_include_prefix_and_specials_and_are_not_cut() -> None:
    assert encoder(SummingSession(), tokens_max=8).count_tokens(["", "abc", "x" * 100]) == [11, 14, 111]
