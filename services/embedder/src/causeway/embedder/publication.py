"""When a draft may become knowledge. Pure: what the log holds comes in, a verdict goes out."""

import enum
from collections.abc import Set as AbstractSet

from causeway.proto.chunks import Manifest


class Verdict(enum.Enum):
    """What to do with a draft now."""

    PUBLISH = "publish"
    ALREADY_PUBLISHED = "already_published"
    SUPERSEDED = "superseded"
    WAIT = "wait"


def chunk_ids(manifest: Manifest) -> set[bytes]:
    """The distinct chunks that a manifest names."""
    return {place.chunk_id for place in manifest.places}


def unproven(draft: Manifest, published: Manifest | None, sent: AbstractSet[bytes]) -> set[bytes]:
    """Chunks whose presence in the log must be looked up: not those of the manifest that stands there (its presence
    vouches for them), and not those that this process itself has put there."""
    vouched = chunk_ids(published) if published is not None else set()
    return chunk_ids(draft) - vouched - sent


def verdict(draft: Manifest, published: Manifest | None, missing: AbstractSet[bytes]) -> Verdict:
    """Publish, unless a newer revision stands in the log or a chunk is not there yet."""
    if published is not None and published.revision == draft.revision:
        return Verdict.ALREADY_PUBLISHED
    if published is not None and published.revision > draft.revision:
        return Verdict.SUPERSEDED
    return Verdict.WAIT if missing else Verdict.PUBLISH
