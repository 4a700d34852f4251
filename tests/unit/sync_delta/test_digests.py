"""Both sides of a link have the same digest of a document, and any damage to it another one."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded
from causeway.sync_delta.digests import ABSENT, content_hash, document_digest
from causeway.sync_delta.encoding import decode, encode


def chunk(seed: int, dims: int = 384, text: str = "A valve. 阀门。") -> ChunkEmbedded:
    vector = np.random.default_rng(seed).standard_normal(dims)
    return ChunkEmbedded(
        kb="kb",
        chunk_id=bytes([seed % 256]) * 16,
        model="e5",
        language="en",
        context="Boiler",
        text=text,
        dims=dims,
        vector_f16=(vector / np.linalg.norm(vector)).astype("<f2").tobytes(),
    )


CHUNKS = {each.chunk_id: each for each in (chunk(1), chunk(2))}
MANIFEST = Manifest(
    kb="kb",
    document_id="plan",
    document_key=b"k" * 16,
    revision=4,
    title="Plan",
    residency=Residency.PUBLIC,
    metadata={"b": "1", "a": "2"},
    places=[Place(chunk_id=key, page_first=1, page_last=2) for key in CHUNKS],
)


def held(chunks: dict[bytes, ChunkEmbedded]) -> Callable[[bytes], bytes]:
    return lambda key: content_hash(chunks[key]) if key in chunks else ABSENT


@given(st.integers(0, 2**32 - 1), st.integers(1, 1_024), st.text(max_size=50))
def test_a_chunk_has_the_same_content_on_both_sides_of_the_link(seed: int, dims: int, text: str) -> None:
    here = chunk(seed, dims, text)
    there = decode(encode(here, 1))
    assert content_hash(there) == content_hash(here)
    assert content_hash(decode(encode(there, 2))) == content_hash(here)


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "A valve. 阀门"},
        {"context": "Boile"},
        {"language": "zh"},
        {"model": "e6"},
        {"dims": 383},
        {"vector_f16": chunk(3).vector_f16},
        {"vector_f16": b""},
        {"vector_f16": bytes(768)},
    ],
)
def test_any_damage_to_a_chunk_changes_its_content_hash(changes: dict[str, object]) -> None:
    assert content_hash(msgspec.structs.replace(chunk(1), **changes)) != content_hash(chunk(1))


@pytest.mark.parametrize(
    "changes",
    [
        {"document_id": "plan2"},
        {"revision": 5},
        {"deleted": True},
        {"title": "Plans"},
        {"filename": "x"},
        {"residency": Residency.INTERNAL},
        {"metadata": {"a": "2"}},
        {"metadata": {"a": "1", "b": "2"}},
        {"pages": 3},
        {"places": MANIFEST.places[::-1]},
        {"places": MANIFEST.places[:1]},
        {"places": [Place(chunk_id=place.chunk_id, page_first=1, page_last=3) for place in MANIFEST.places]},
    ],
)
def test_any_damage_to_a_manifest_changes_the_digest(changes: dict[str, object]) -> None:
    damaged = msgspec.structs.replace(MANIFEST, **changes)
    assert document_digest(damaged, 0, held(CHUNKS)) != document_digest(MANIFEST, 0, held(CHUNKS))


def test_a_repair_a_missing_chunk_and_a_damaged_one_each_change_the_digest() -> None:
    whole = document_digest(MANIFEST, 0, held(CHUNKS))
    first, second = CHUNKS.values()
    others = {
        document_digest(MANIFEST, 1, held(CHUNKS)),
        document_digest(MANIFEST, 0, held({first.chunk_id: first})),
        document_digest(MANIFEST, 0, held({**CHUNKS, second.chunk_id: msgspec.structs.replace(second, text="other")})),
    }
    assert len(others | {whole}) == 4


def test_the_order_of_metadata_says_nothing() -> None:
    turned = msgspec.structs.replace(MANIFEST, metadata={"a": "2", "b": "1"})
    assert document_digest(turned, 0, held(CHUNKS)) == document_digest(MANIFEST, 0, held(CHUNKS))
