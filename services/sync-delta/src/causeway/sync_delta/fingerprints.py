"""One value for all documents of a kb, and what a site does when the hub's is another. Pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

FINGERPRINT_BYTES = 16


def fingerprint_of(documents: Iterable[tuple[bytes, bytes]]) -> bytes:
    """BLAKE2b-128 over keys and digests in the order of the keys; empty where there is nothing."""
    hasher, some = hashlib.blake2b(digest_size=FINGERPRINT_BYTES, person=b"kb"), False
    for key, digest in documents:
        some = True
        hasher.update(key)
        hasher.update(digest)
    return hasher.digest() if some else b""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How a kb of the hub stands here. `equal_seq`: up to where of its outbox nothing is missing.

    `differs_since_s`: since when its fingerprint has been this other one while nothing was under way; below 0: it
    is not.
    """

    equal_seq: int = 0
    theirs: bytes = b""
    differs_since_s: float = -1.0
    rewound_s: float = float("-inf")
    rewinds: int = 0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a difference may last before the feed is set back, and how long that is given to work."""

    differs_s: float = 3.0
    rewound_s: float = 15.0


def observed(before: Agreement, theirs: bytes, mine: bytes, outbox_seq: int, now_s: float, quiet: bool) -> Agreement:
    """After a report of the hub, which said `theirs` when its outbox stood at `outbox_seq` or later."""
    if theirs == mine:
        return Agreement(equal_seq=outbox_seq, theirs=theirs)
    since_s = before.differs_since_s if before.theirs == theirs and before.differs_since_s >= 0 else now_s
    return Agreement(
        equal_seq=before.equal_seq,
        theirs=theirs,
        differs_since_s=since_s if quiet else -1.0,
        rewound_s=before.rewound_s,
        rewinds=before.rewinds,
    )


def rewind(state: Agreement, now_s: float, patience: Patience) -> int | None:
    """The sequence after which the feed is to begin again, if it is time; from its start where that did not help."""
    if state.differs_since_s < 0 or now_s - state.differs_since_s < patience.differs_s:
        return None
    if now_s - state.rewound_s < patience.rewound_s:
        return None
    return state.equal_seq if state.rewinds == 0 else 0
