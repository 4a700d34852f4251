"""Which side is wrong about a document, and what mends it: never a guess."""

import msgspec
import numpy as np
import pytest

from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.identity import chunk_id
from causeway.proto.knowledge import ChunkEmbedded
from causeway.sync_delta.digests import content_hash
from causeway.sync_delta.findings import HubCopy, judge
from causeway.sync_delta.outbox_tables import Shared
from causeway.sync_delta.outgoing import manifest_hash
from causeway.sync_delta.replicas import Held

KEY = bytes(range(32))
KB = "docs"


def chunk(text: str) -> ChunkEmbedded:
    return ChunkEmbedded(
        kb=KB,
        chunk_id=chunk_id(KEY, KB, "m", f"context\n{text}"),
        model="m",
        language="en",
        context="context",
        text=text,
        dims=4,
        vector_f16=np.array([0.5, 0.5, 0.5, 0.5], np.float16).tobytes(),
    )


CHUNKS = [chunk("one"), chunk("two")]
MANIFEST = Manifest(
    kb=KB,
    document_id="a",
    document_key=bytes(16),
    revision=7,
    residency=Residency.PUBLIC,
    places=[Place(chunk_id=each.chunk_id) for each in CHUNKS],
)
HASHES = {each.chunk_id: content_hash(each) for each in CHUNKS}
HELD = Held(manifest=MANIFEST, repair=0)


def shared(manifest: Manifest = MANIFEST) -> Shared:
    return Shared(
        document_id="a",
        revision=manifest.revision,
        repair=0,
        deleted=False,
        runs=[],
        leftover=[],
        manifest_hash=manifest_hash(manifest),
        digest=b"",
        outbox_seq=1,
        at_ms=1,
    )


def copy(chunks: list[ChunkEmbedded], manifest: Manifest = MANIFEST, whole: bool = True) -> HubCopy:
    return HubCopy(
        manifest=manifest,
        repair=0,
        chunks={each.chunk_id: each for each in chunks},
        hashes={each.chunk_id: content_hash(each) for each in chunks},
        whole=whole,
    )


def changed(each: ChunkEmbedded) -> ChunkEmbedded:
    return msgspec.structs.replace(each, text="something else")


def test_a_document_that_the_hub_lacks_is_sent_again() -> None:
    verdict = judge(HELD, None, shared(), HASHES, KEY)
    assert (verdict.wrong_at, verdict.send_again) == ("hub", True)


def test_a_document_with_a_lost_chunk_is_not_sent_again_as_it_is() -> None:
    verdict = judge(HELD, None, shared(), {CHUNKS[0].chunk_id: HASHES[CHUNKS[0].chunk_id]}, KEY)
    assert not verdict.send_again


@pytest.mark.parametrize(
    ("theirs", "what"),
    [
        (copy([CHUNKS[0], changed(CHUNKS[1])]), "1 chunks changed, 0 missing"),
        (copy([CHUNKS[0]], whole=False), "0 chunks changed, 1 missing"),
        (copy(CHUNKS, msgspec.structs.replace(MANIFEST, revision=5)), "revision 5 instead of 7"),
        (copy(CHUNKS, msgspec.structs.replace(MANIFEST, title="x")), "the manifest says something else"),
        (copy(CHUNKS), "Milvus holds something else than the hub's log"),
    ],
)
def test_what_is_wrong_at_the_hub_is_named_and_sent_again(theirs: HubCopy, what: str) -> None:
    verdict = judge(HELD, theirs, shared(), HASHES, KEY)
    assert (verdict.wrong_at, verdict.what, verdict.send_again) == ("hub", what, True)


def test_a_chunk_that_was_lost_here_comes_back_from_the_hub() -> None:
    verdict = judge(HELD, copy(CHUNKS), shared(), {CHUNKS[0].chunk_id: HASHES[CHUNKS[0].chunk_id]}, KEY)
    assert (verdict.wrong_at, verdict.chunks_from_hub) == ("site", (CHUNKS[1],))


def test_a_chunk_that_was_changed_here_comes_back_from_the_hub() -> None:
    here = HASHES | {CHUNKS[1].chunk_id: content_hash(changed(CHUNKS[1]))}
    verdict = judge(HELD, copy(CHUNKS), shared(), here, KEY)
    assert (verdict.wrong_at, verdict.chunks_from_hub) == ("site", (CHUNKS[1],))


def test_a_changed_chunk_of_the_hub_never_replaces_a_lost_one_here() -> None:
    here = {CHUNKS[0].chunk_id: HASHES[CHUNKS[0].chunk_id]}
    verdict = judge(HELD, copy([CHUNKS[0], changed(CHUNKS[1])]), shared(), here, KEY)
    assert (verdict.wrong_at, verdict.chunks_from_hub) == ("site", ())


def test_a_manifest_that_was_changed_here_comes_back_from_the_hub() -> None:
    held = Held(manifest=msgspec.structs.replace(MANIFEST, title="by hand"), repair=0)
    verdict = judge(held, copy(CHUNKS), shared(), HASHES, KEY)
    assert (verdict.wrong_at, verdict.manifest_from_hub) == ("site", True)


def test_a_manifest_that_was_lost_here_comes_back_if_it_is_the_one_that_was_shared() -> None:
    assert judge(None, copy(CHUNKS), shared(), HASHES, KEY).manifest_from_hub
    other = shared(msgspec.structs.replace(MANIFEST, revision=8))
    assert judge(None, copy(CHUNKS), other, HASHES, KEY).withdraw


def test_a_document_that_this_site_does_not_share_is_withdrawn_from_the_hub() -> None:
    verdict = judge(None, copy(CHUNKS), None, {}, KEY)
    assert (verdict.wrong_at, verdict.withdraw) == ("hub", True)
