"""A batch grows with the queue, keeps its latency bound, and loses no chunk."""

from hypothesis import given
from hypothesis import strategies as st

from causeway.embedder.batching import Limits, batches, smoothed, token_budget

LIMITS = Limits(tokens_min=512, tokens_max=2_048, latency_ms_max=1_000)


def test_the_budget_starts_at_512_and_grows_to_2048_with_the_queue() -> None:
    assert [token_budget(pending, 0, LIMITS) for pending in (0, 4, 8, 12, 16, 1_000)] == [
        512,
        512,
        1_024,
        1_536,
        2_048,
        2_048,
    ]


def test_a_slow_machine_keeps_the_latency_bound_by_smaller_batches() -> None:
    assert token_budget(1_000, 900.0, LIMITS) == 900


def test_the_budget_never_falls_below_what_one_chunk_may_need() -> None:
    assert token_budget(1_000, 1.0, LIMITS) == 512


def test_the_speed_follows_measurements_slowly() -> None:
    assert smoothed(0, 1_000, 0.5) == 2_000
    assert smoothed(2_000, 1_000, 1.0) == 1_800


@given(st.lists(st.integers(1, 512), max_size=200), st.integers(512, 2_048))
def test_every_chunk_is_in_exactly_one_batch_within_the_budget(tokens: list[int], budget: int) -> None:
    groups = list(batches(tokens, budget))
    assert sorted(index for group in groups for index in group) == list(range(len(tokens)))
    assert all(max(tokens[index] for index in group) * len(group) <= budget for group in groups)
