"""A set of items knows the count and the fingerprint of any range."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.reconciliation import BadItemError, Item, ItemSet

# Few leading bytes, so that keys share prefixes.
keys = st.binary(min_size=2, max_size=2).map(lambda head: head + bytes(14)) | st.binary(min_size=16, max_size=16)
digests = st.sampled_from([bytes([number]) * 16 for number in range(3)])
contents = st.dictionaries(keys, digests, max_size=60)
bounds = st.binary(max_size=16)


def items(content: dict[bytes, bytes]) -> list[Item]:
    return [Item(key, digest) for key, digest in content.items()]


@given(contents, bounds, bounds)
def test_a_range_has_its_items_and_their_number(content: dict[bytes, bytes], low: bytes, high: bytes) -> None:
    held = ItemSet(items(content))
    expected = [item for item in sorted(items(content)) if low <= item.key and (high == b"" or item.key < high)]
    assert list(held.items(low, high)) == expected
    assert held.count(low, high) == len(expected)
    assert list(held) == [held[index] for index in range(len(held))] == sorted(items(content))


@given(contents, contents, bounds, bounds)
def test_fingerprints_are_equal_exactly_where_the_items_are(
    one: dict[bytes, bytes], other: dict[bytes, bytes], low: bytes, high: bytes
) -> None:
    a, b = ItemSet(items(one)), ItemSet(items(other))
    assert (a.fingerprint(low, high) == b.fingerprint(low, high)) == (a.items(low, high) == b.items(low, high))


@given(contents, bounds, bounds, st.integers(1, 20))
def test_a_cut_covers_the_range_in_parts_that_are_as_large_as_each_other(
    content: dict[bytes, bytes], low: bytes, high: bytes, parts: int
) -> None:
    if high != b"" and high <= low:
        return
    held = ItemSet(items(content))
    cut = held.cut(low, high, parts)
    assert cut[0][0] == low
    assert cut[-1][1] == high
    assert all(left[1] == right[0] for left, right in pairwise(cut))
    assert len(cut) <= parts
    counts = [held.count(*part) for part in cut]
    assert sum(counts) == held.count(low, high)
    if sum(counts) >= parts:
        assert len(cut) == parts
        assert max(counts) - min(counts) <= 1


def test_the_fingerprint_is_what_the_readme_says() -> None:
    held = [Item(bytes([number]) * 16, bytes([9]) * 16) for number in range(3)]
    total = sum(
        int.from_bytes(hashlib.blake2b(item.key + item.digest, digest_size=32).digest(), "big") for item in held
    )
    body = (3).to_bytes(8, "big") + (total % 2**256).to_bytes(32, "big")
    assert ItemSet(held).fingerprint(b"", b"") == hashlib.blake2b(body, digest_size=16).digest()


@pytest.mark.parametrize(
    "bad",
    [
        [Item(b"short", bytes(16))],
        [Item(bytes(16), b"")],
        [Item(bytes(16), bytes(16)), Item(bytes(16), b"x" * 16)],
    ],
)
def test_items_of_other_sizes_and_keys_that_are_there_twice_are_refused(bad: list[Item]) -> None:
    with pytest.raises(BadItemError):
        ItemSet(bad)


def test_a_cut_is_no_longer_than_it_takes_to_tell_two_keys_apart() -> None:
    held = ItemSet(Item(bytes([number]) + bytes(15), bytes(16)) for number in range(0, 256, 16))
    assert held.cut(b"", b"", 4) == [(b"", b"\x40"), (b"\x40", b"\x80"), (b"\x80", b"\xc0"), (b"\xc0", b"")]
