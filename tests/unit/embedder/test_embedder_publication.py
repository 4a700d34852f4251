"""A draft becomes knowledge once, in order of revisions, and only when all its chunks are there."""

import pytest

from causeway.embedder.publication import Verdict, unproven, verdict
from causeway.proto.chunks import Manifest, Place

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16


def manifest(revision: int, *chunk_ids: bytes) -> Manifest:
    places = [Place(chunk_id=chunk_id) for chunk_id in chunk_ids]
    return Manifest(kb="hr", document_id="d", document_key=b"k", revision=revision, places=places)


@pytest.mark.parametrize(
    ("published", "missing", "expected"),
    [
        (None, set(), Verdict.PUBLISH),
        (None, {A}, Verdict.WAIT),
        (manifest(4), set(), Verdict.PUBLISH),
        (manifest(5), {A}, Verdict.ALREADY_PUBLISHED),
        (manifest(6), {A}, Verdict.SUPERSEDED),
    ],
)
def test_the_verdict_on_revision_5(published: Manifest | None, missing: set[bytes], expected: Verdict) -> None:
    assert verdict(manifest(5, A), published, missing) is expected


def test_only_chunks_that_nothing_vouches_for_are_looked_up() -> None:
    assert unproven(manifest(5, A, B, C), manifest(4, A), {B}) == {C}
    assert unproven(manifest(5, A), None, set()) == {A}
