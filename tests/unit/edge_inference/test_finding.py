"""Small parts of an answer: which heading is cited, where the time went, which sentences are encoded again."""

from collections.abc import Sequence

import numpy as np

from causeway.edge_inference.citing import heading_of
from causeway.edge_inference.finding import LineVectors
from causeway.edge_inference.ports import Vectors
from causeway.edge_inference.stopwatch import Stopwatch
from causeway.edge_inference.wording import abstention
from tests.support.hashed_encoder import HashedEncoder


def test_the_heading_is_the_context_without_the_title() -> None:
    assert heading_of("Handbook › Leave › Annual", "Handbook") == "Leave › Annual"
    assert heading_of("Handbook", "Handbook") == ""
    assert heading_of("Leave", "") == "Leave"
    assert heading_of("", "Handbook") == ""


def test_parts_of_the_time_add_up_by_name() -> None:
    now = [0.0]
    watch = Stopwatch(clock=lambda: now[0])
    for seconds in (0.25, 0.5):
        with watch.part("search"):
            now[0] += seconds
    now[0] += 1.0
    assert watch.latency_ms() == {"search": 750.0, "total": 1_750.0}


def test_an_abstention_is_worded_in_the_language_of_the_question() -> None:
    assert "没有找到" in abstention("zh", closest=True)
    assert "closest" in abstention("en", closest=True)
    assert "closest" not in abstention("ja", closest=False)


class Counting(HashedEncoder):
    """Keeps what it was asked to encode."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        return super().encode_passages(texts)


def test_a_sentence_is_encoded_once_and_the_oldest_are_forgotten() -> None:
    encoder = Counting()
    lines = LineVectors(encoder, kept_max=2)
    first = lines.of(["one", "two", "one"])
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_array_equal(lines.of(["two"])[0], first[1])
    lines.of(["three"])
    lines.of(["one"])
    assert encoder.batches == [["one", "two"], ["three"], ["one"]]
