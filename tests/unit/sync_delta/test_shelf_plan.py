"""What is written and deleted for a document: only what differs, all of it after a repair, nothing of a tombstone."""

import dataclasses

import numpy as np
import pytest

from causeway.milvus.values import ShelvedChunk, ShelvedDocument
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, Stamp
from causeway.sync_delta.shelf_plan import as_shared, embedded_of, newest, plan, row_of
from causeway.sync_delta.shelving import RecentChunks

KEY = b"k" * 16


def revised(
    revision: int,
    *names: str,
    repair: int = 0,
    deleted: bool = False,
    model: str = "m",
    residency: Residency = Residency.PUBLIC,
) -> DocumentRevised:
    """A manifest that names chunks."""
    manifest = Manifest(
        kb="kb",
        document_id="d",
        document_key=KEY,
        revision=revision,
        deleted=deleted,
        model=model,
        title="Salaries",
        residency=residency,
        places=[Place(chunk_id=name.encode()) for name in names],
    )
    return DocumentRevised(manifest=manifest, stamp=Stamp(wall_ms=1, counter=0, origin="s", repair=repair))


def document(revision: int, *names: str, repair: int = 0, deleted: bool = False) -> ShelvedDocument:
    """The same on the shelf."""
    return ShelvedDocument(origin="s", revised=revised(revision, *names, repair=repair, deleted=deleted))


def row(name: str, *, live: bool = True, model: str = "m") -> ShelvedChunk:
    """A row of the document."""
    return ShelvedChunk(
        kb="kb",
        origin="s",
        document_key=KEY,
        chunk_id=name.encode(),
        model=model,
        language="en",
        context="",
        text=name,
        live=live,
    )


def test_only_what_is_not_there_is_written_and_what_is_not_named_is_deleted() -> None:
    made = plan(document(2, "a", "b", "c", "a"), document(1, "a", "x"), [row("a"), row("x")])
    assert made.wanted == (b"b", b"c")
    assert made.surplus == (row("x"),)


def test_a_row_of_another_model_gives_way() -> None:
    made = plan(document(2, "a"), document(1, "a"), [row("a", model="old")])
    assert made.wanted == (b"a",)
    assert made.surplus == (row("a", model="old"),)


def test_a_document_that_gives_way_has_its_rows_written_hidden() -> None:
    hidden = dataclasses.replace(document(2, "a"), shadowed=2)
    assert plan(hidden, document(2, "a"), [row("a")]).wanted == (b"a",)
    assert plan(hidden, document(2, "a"), [row("a", live=False)]).wanted == ()
    assert not hidden.live
    assert dataclasses.replace(hidden, shadowed=1).live


def test_a_tombstone_wants_nothing_and_deletes_all() -> None:
    made = plan(document(3, deleted=True), document(2, "a"), [row("a")])
    assert (made.wanted, made.surplus) == ((), (row("a"),))


@pytest.mark.parametrize("label", [Residency.RESTRICTED, Residency.INTERNAL])
def test_of_a_document_that_is_not_public_the_shelf_has_nothing_or_a_bare_tombstone(label: Residency) -> None:
    hidden = ShelvedDocument(origin="hub", revised=revised(3, "a", repair=1, residency=label))
    assert as_shared(hidden, held=False) is None
    assert as_shared(document(3, "a"), held=False) == document(3, "a")
    bare = as_shared(hidden, held=True)
    assert bare is not None
    assert bare.version == (3, 1)
    assert bare.manifest == Manifest(
        kb="kb", document_id="d", document_key=KEY, revision=3, deleted=True, residency=Residency.PUBLIC
    )
    # Also of one that came here all the same, no row stays.
    assert plan(hidden, None, [row("a")]).surplus == (row("a"),)
    assert not hidden.live


@pytest.mark.parametrize(("repair", "thorough", "expected"), [(0, False, ()), (1, False, (b"a",)), (0, True, (b"a",))])
def test_a_repair_trusts_no_row(repair: int, thorough: bool, expected: tuple[bytes, ...]) -> None:
    assert plan(document(1, "a", repair=repair), document(1, "a"), [row("a")], thorough=thorough).wanted == expected


def test_the_newer_of_what_came_and_what_is_held_stands() -> None:
    held = document(5, "a", repair=1)
    for came, stands in (
        (revised(4, "b", repair=9), "a"),
        (revised(5, "b"), "a"),
        (revised(5, "b", repair=1), "b"),
        (revised(6, "b"), "b"),
    ):
        found = newest("s", came, held)
        assert found is not None
        assert found.manifest.places[0].chunk_id == stands.encode()
    assert newest("s", None, held) == held
    assert newest("s", None, None) is None


def test_a_chunk_comes_back_from_its_row_with_every_bit() -> None:
    vector = np.linspace(-1, 1, 8).astype("<f2").tobytes()
    chunk = ChunkEmbedded(
        kb="kb", chunk_id=b"a", model="m", language="zh", context="标题", text="文", dims=8, vector_f16=vector
    )
    assert embedded_of(row_of(document(1, "a"), chunk)) == chunk


def test_recent_chunks_are_forgotten_by_their_size_the_oldest_first() -> None:
    chunk = ChunkEmbedded(
        kb="kb", chunk_id=b"a", model="m", language="en", context="", text="x" * 50, dims=1, vector_f16=b"12"
    )
    recent = RecentChunks(bytes_max=900)
    for name in ("one", "two", "two", "three"):
        recent.put(name, chunk)
    assert [recent.get(name) is not None for name in ("one", "two", "three")] == [False, True, True]
