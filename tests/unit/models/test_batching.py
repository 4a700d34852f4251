"""Sub-batches hold every text once, within their budget, with little padding."""

from hypothesis import given
from hypothesis import strategies as st

from causeway.models.batching import plan_batches

lengths_of_texts = st.lists(st.integers(min_value=2, max_value=512), max_size=80)


@given(lengths_of_texts, st.integers(min_value=1, max_value=2048))
def test_every_text_is_in_one_batch_and_no_padded_batch_exceeds_the_budget(lengths: list[int], tokens_max: int) -> None:
    batches = plan_batches(lengths, tokens_max)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert padded <= tokens_max or len(batch) == 1


@given(lengths_of_texts)
def test_no_text_is_shorter_than_one_of_an_earlier_batch(lengths: list[int]) -> None:
    batches = plan_batches(lengths, 512)
    flat = [lengths[index] for batch in batches for index in batch]
    assert flat == sorted(flat)


def test_texts_of_one_length_fill_their_batches() -> None:
    assert plan_batches([100] * 7, 300) == [[0, 1, 2], [3, 4, 5], [6]]
