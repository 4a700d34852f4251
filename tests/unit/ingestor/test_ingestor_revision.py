"""Which chunks a revision sends, and when it comes too late."""

from causeway.ingestor.chunking import Cut
from causeway.ingestor.revision import Naming, Standing, chunk_cuts, draft, standing, tombstone, vouched
from causeway.proto.chunks import ChunkCut, Manifest, Place
from causeway.proto.documents import DocumentDeleted

NAMING = Naming(key=bytes(32), model="m")


def messages(*texts: str) -> list[ChunkCut]:
    cuts = [Cut(ordinal=n, context="T", text=text, language="en") for n, text in enumerate(texts)]
    return chunk_cuts(cuts, "kb", NAMING)


def manifest(revision: int, *texts: str) -> Manifest:
    places = [Place(chunk_id=message.chunk_id) for message in messages(*texts)]
    return Manifest(kb="kb", document_id="d", document_key=bytes(16), revision=revision, places=places)


def test_an_older_revision_is_superseded_and_a_repeat_is_drafted() -> None:
    assert standing(None, 5) is Standing.NEW
    assert standing(manifest(4), 5) is Standing.NEW
    assert standing(manifest(5), 5) is Standing.DRAFTED
    assert standing(manifest(6), 5) is Standing.SUPERSEDED


def test_only_chunks_that_knowledge_holds_and_the_last_draft_kept_are_not_sent() -> None:
    published, last = manifest(1, "a", "b", "c"), manifest(2, "a", "c", "d")
    new = messages("a", "b", "c", "d", "e")
    sent = draft(manifest(3, "a", "b", "c", "d", "e"), new, vouched(last, published)).chunks
    assert [chunk.text for chunk in sent] == ["b", "d", "e"]


def test_without_a_published_manifest_everything_is_sent() -> None:
    assert vouched(manifest(1, "a"), None) == set()
    assert vouched(None, manifest(1, "a")) == set()


def test_equal_chunks_of_a_document_are_sent_once_and_placed_twice() -> None:
    made = draft(manifest(1, "a", "b", "a"), messages("a", "b", "a"), set())
    assert [chunk.text for chunk in made.chunks] == ["a", "b"]
    assert (made.drafted.chunks_new, len(made.drafted.manifest.places)) == (2, 3)


def test_a_tombstone_names_the_document_and_no_chunk() -> None:
    made = tombstone(DocumentDeleted(kb="kb", document_id="d"), 9, NAMING)
    assert (made.deleted, made.revision, made.places) == (True, 9, [])
