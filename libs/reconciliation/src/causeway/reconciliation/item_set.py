"""A replica's items, sorted by key, with fingerprints of any range in logarithmic time. 64 bytes an item."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

KEY_BYTES = 16
DIGEST_BYTES = 16
FINGERPRINT_BYTES = 16
UNBOUNDED = b""
"""As the high end of a range: there is none. As the low end it is below every key anyway."""
_SUM_BYTES = 32
_SUM_MASK = (1 << 8 * _SUM_BYTES) - 1


class BadItemError(ValueError):
    """An item has a key and a digest of 16 bytes each, and no key is there twice."""


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """A key and the digest of all that stands behind it."""

    key: bytes
    digest: bytes


class ItemSet:
    """An immutable set of items, in the order of their keys.

    A range is `low <= key < high`. Its fingerprint is BLAKE2b-128 over its count and the sum, modulo 2**256, of
    BLAKE2b-256(key, digest) of its items: sums of a prefix are kept, so that no range is gone through.
    """

    __slots__ = ("_digests", "_keys", "_length", "_sums")

    def __init__(self, items: Iterable[Item]) -> None:
        """Raises: BadItemError: an item of other sizes, or a key that is there twice."""
        ordered = sorted(items)
        if any(len(item.key) != KEY_BYTES or len(item.digest) != DIGEST_BYTES for item in ordered):
            raise BadItemError(BadItemError.__doc__)
        for before, after in pairwise(ordered):
            if before.key == after.key:
                raise BadItemError(f"key {after.key.hex()} is there twice: {BadItemError.__doc__}")
        self._length = len(ordered)
        self._keys = b"".join(item.key for item in ordered)
        self._digests = b"".join(item.digest for item in ordered)
        self._sums = b"".join(_prefix_sums(ordered))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Item:
        return self._item(range(self._length)[index])

    def __iter__(self) -> Iterator[Item]:
        return map(self._item, range(self._length))

    def count(self, low: bytes, high: bytes) -> int:
        """How many items there are in a range."""
        begin, end = self._range(low, high)
        return end - begin

    def fingerprint(self, low: bytes, high: bytes) -> bytes:
        """16 bytes that are equal where the items of a range are."""
        begin, end = self._range(low, high)
        total = (self._sum(end) - self._sum(begin)) & _SUM_MASK
        body = (end - begin).to_bytes(8, "big") + total.to_bytes(_SUM_BYTES, "big")
        return hashlib.blake2b(body, digest_size=FINGERPRINT_BYTES).digest()

    def items(self, low: bytes, high: bytes) -> tuple[Item, ...]:
        """The items of a range."""
        return tuple(self._item(index) for index in range(*self._range(low, high)))

    def cut(self, low: bytes, high: bytes, parts: int) -> list[tuple[bytes, bytes]]:
        """The range as up to `parts` ranges of as many items each, at the shortest keys that lie between them."""
        begin, end = self._range(low, high)
        at = sorted({begin + (end - begin) * part // parts for part in range(1, parts)} - {begin})
        return list(pairwise([low, *(self._between(index) for index in at), high]))

    def _range(self, low: bytes, high: bytes) -> tuple[int, int]:
        begin = self._rank(low)
        return begin, max(begin, self._length if high == UNBOUNDED else self._rank(high))

    def _rank(self, bound: bytes) -> int:
        return bisect_left(range(self._length), bound, key=self._key)

    def _between(self, index: int) -> bytes:
        """The shortest bytes that are above the key before `index` and not above the key at `index`."""
        before, at = self._key(index - 1), self._key(index)
        length = next(place for place in range(KEY_BYTES) if before[place] != at[place])
        return at[: length + 1]

    def _key(self, index: int) -> bytes:
        return self._keys[KEY_BYTES * index : KEY_BYTES * (index + 1)]

    def _item(self, index: int) -> Item:
        return Item(self._key(index), self._digests[DIGEST_BYTES * index : DIGEST_BYTES * (index + 1)])

    def _sum(self, index: int) -> int:
        return int.from_bytes(self._sums[_SUM_BYTES * index : _SUM_BYTES * (index + 1)], "big")


def _prefix_sums(items: Sequence[Item]) -> Iterator[bytes]:
    total = 0
    yield total.to_bytes(_SUM_BYTES, "big")
    for item in items:
        hashed = hashlib.blake2b(item.key + item.digest, digest_size=_SUM_BYTES).digest()
        total = (total + int.from_bytes(hashed, "big")) & _SUM_MASK
        yield total.to_bytes(_SUM_BYTES, "big")
