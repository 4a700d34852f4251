"""Of a document on which two sides differ: which side is wrong, in what, and what mends it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from causeway.proto.chunks import Manifest
from causeway.proto.identity import chunk_id
from causeway.proto.knowledge import ChunkEmbedded
from causeway.sync_delta.outbox_tables import Shared
from causeway.sync_delta.outgoing import manifest_hash
from causeway.sync_delta.replicas import Held

HUB = "hub"
SITE = "site"


@dataclass(frozen=True, kw_only=True)
class HubCopy:
    """What the hub sent of a document; not `whole` when chunks of it are missing there."""

    manifest: Manifest
    repair: int
    chunks: Mapping[bytes, ChunkEmbedded]
    hashes: Mapping[bytes, bytes]
    whole: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is wrong and where; the rest says what mends it."""

    wrong_at: str
    what: str
    send_again: bool = False
    withdraw: bool = False
    manifest_from_hub: bool = False
    chunks_from_hub: tuple[ChunkEmbedded, ...] = ()


def judge(
    held: Held | None, copy: HubCopy | None, shared: Shared | None, hashes: Mapping[bytes, bytes], chunk_key: bytes
) -> Verdict:
    """`held` is the site's record as the hub should have it, `shared` what the site remembers to have shared."""
    if held is None:
        return _only_at_hub(copy, shared)
    damaged = _damaged_here(held, copy, hashes, chunk_key)
    if copy is None:
        return Verdict(wrong_at=HUB, what="the document is not there", send_again=not damaged)
    if shared is not None and _foreign(held, shared) and not _foreign_copy(copy, shared):
        return Verdict(wrong_at=SITE, what="the manifest is not the one that was shared", manifest_from_hub=True)
    if damaged:
        mends = tuple(copy.chunks[each] for each in damaged if _right(copy.chunks.get(each), chunk_key))
        what = f"{len(damaged)} of {len(held.manifest.places)} chunks missing or changed"
        return Verdict(wrong_at=SITE, what=what, chunks_from_hub=mends)
    return Verdict(wrong_at=HUB, what=_what(held, copy, hashes), send_again=True)


def _only_at_hub(copy: HubCopy | None, shared: Shared | None) -> Verdict:
    if shared is not None and copy is not None and not _foreign_copy(copy, shared):
        return Verdict(wrong_at=SITE, what="the manifest is gone from KNOWLEDGE", manifest_from_hub=True)
    return Verdict(wrong_at=HUB, what="the hub has a document that this site does not share", withdraw=True)


def _foreign(held: Held, shared: Shared) -> bool:
    return held.manifest.revision == shared.revision and manifest_hash(held.manifest) != shared.manifest_hash


def _foreign_copy(copy: HubCopy, shared: Shared) -> bool:
    return manifest_hash(copy.manifest) != shared.manifest_hash


def _damaged_here(held: Held, copy: HubCopy | None, hashes: Mapping[bytes, bytes], chunk_key: bytes) -> list[bytes]:
    """Chunks that are missing here, or that differ from the hub's, of which the hub's is the one that fits its id."""
    theirs = copy.chunks if copy is not None else {}
    named = dict.fromkeys(place.chunk_id for place in held.manifest.places)
    return [
        chunk
        for chunk in named
        if chunk not in hashes
        or (
            copy is not None
            and copy.hashes.get(chunk, hashes[chunk]) != hashes[chunk]
            and _right(theirs[chunk], chunk_key)
        )
    ]


def _right(chunk: ChunkEmbedded | None, chunk_key: bytes) -> bool:
    """Whether the text of a chunk gives its id: only the place with the key can tell."""
    if chunk is None:
        return False
    text = f"{chunk.context}\n{chunk.text}" if chunk.context else chunk.text
    return chunk_id(chunk_key, chunk.kb, chunk.model, text) == chunk.chunk_id


def _what(held: Held, copy: HubCopy, hashes: Mapping[bytes, bytes]) -> str:
    if copy.manifest.revision != held.manifest.revision:
        return f"revision {copy.manifest.revision} instead of {held.manifest.revision}"
    differing = [chunk for chunk in copy.hashes if hashes.get(chunk) != copy.hashes[chunk]]
    if not copy.whole or differing:
        absent = len({place.chunk_id for place in held.manifest.places} - copy.hashes.keys())
        return f"{len(differing)} chunks changed, {absent} missing"
    if copy.repair != held.repair:
        return "it was repaired there more often than here is known"
    if manifest_hash(copy.manifest) != manifest_hash(held.manifest):
        return "the manifest says something else"
    return "Milvus holds something else than the hub's log"
