"""Finds the items on which two replicas differ, by fingerprints of ranges."""

from causeway.reconciliation.comparison import ASKED_PER_ITEM_MAX, DEPTH_MAX, THEIRS_MAX, Comparison
from causeway.reconciliation.exchange import (
    FAN_OUT,
    ITEMS_MAX,
    LEAF_ITEMS_MAX,
    SPANS_MAX,
    BadReplyError,
    BadRequestError,
    Finding,
    Reply,
    Span,
    advance,
    answer,
    first,
)
from causeway.reconciliation.item_set import (
    DIGEST_BYTES,
    FINGERPRINT_BYTES,
    KEY_BYTES,
    UNBOUNDED,
    BadItemError,
    Item,
    ItemSet,
)

__all__ = [
    "ASKED_PER_ITEM_MAX",
    "DEPTH_MAX",
    "DIGEST_BYTES",
    "FAN_OUT",
    "FINGERPRINT_BYTES",
    "ITEMS_MAX",
    "KEY_BYTES",
    "LEAF_ITEMS_MAX",
    "SPANS_MAX",
    "THEIRS_MAX",
    "UNBOUNDED",
    "BadItemError",
    "BadReplyError",
    "BadRequestError",
    "Comparison",
    "Finding",
    "Item",
    "ItemSet",
    "Reply",
    "Span",
    "advance",
    "answer",
    "first",
]
