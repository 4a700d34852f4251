"""Plans sub-batches of texts of like length, because padding is work that nobody sees."""

from __future__ import annotations

from collections.abc import Sequence


def plan_batches(lengths: Sequence[int], tokens_max: int) -> list[list[int]]:
    """Indices of `lengths` in batches whose padded size stays within `tokens_max`; a longer text goes alone.

    Every index appears once. Shorter texts come first and ties keep their order, so that the plan is deterministic.
    """
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    batches: list[list[int]] = []
    for index in order:
        # The newcomer is the longest so far, so it sets the padded width of its batch.
        if batches and (len(batches[-1]) + 1) * lengths[index] <= tokens_max:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
