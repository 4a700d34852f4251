"""How a document that a site's answers cite stands by its newest revision on the shelf. Pure."""

from collections.abc import Sequence

from causeway.milvus.values import ShelvedDocument
from causeway.proto.cloud import CitedDocument, DocumentStanding

STANDS, REVISED, DELETED, REPLACED, UNKNOWN = "stands", "revised", "deleted", "replaced", "unknown"


def standing_of(asked: CitedDocument, held: ShelvedDocument | None) -> DocumentStanding | None:
    """None where all chunks that are asked for stand.

    A document that the shelf does not hold is unknown and not deleted: of a deleted one there is a tombstone, but a
    shelf that is being filled has not come to every document yet. One that is not public any more is as one deleted.
    """
    if held is None:
        return DocumentStanding(origin=asked.origin, document_id=asked.document_id)
    manifest = held.manifest
    named = set() if held.withdrawn else {place.chunk_id for place in manifest.places}
    gone = [chunk_id for chunk_id in asked.chunk_ids if chunk_id not in named]
    if held.live and not gone:
        return None
    return DocumentStanding(
        origin=asked.origin,
        document_id=asked.document_id,
        revision=manifest.revision,
        deleted=held.withdrawn,
        replaced=not held.withdrawn and not held.live,
        gone_chunk_ids=gone,
    )


def change_of(standing: DocumentStanding | None) -> str:
    """What it says, in one word."""
    if standing is None:
        return STANDS
    if not standing.revision:
        return UNKNOWN
    if standing.deleted:
        return DELETED
    return REPLACED if standing.replaced else REVISED


def by_origin(documents: Sequence[CitedDocument]) -> dict[str, list[str]]:
    """The ids that are asked for, each once, by their origin."""
    asked: dict[str, dict[str, None]] = {}
    for document in documents:
        asked.setdefault(document.origin, {})[document.document_id] = None
    return {origin: list(ids) for origin, ids in asked.items()}
