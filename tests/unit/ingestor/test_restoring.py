"""What an earlier revision becomes when it is restored, decided without any server."""

import msgspec
import pytest

from causeway.ingestor import revision as revisions
from causeway.ingestor.archive import PartsLostError, whole
from causeway.ingestor.revision import Naming
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import DocumentRestored, Residency
from causeway.proto.history import ChunkText, RevisionText

NAMING = Naming(key=bytes(range(32)), model="model-2")
TEXTS = [
    ChunkText(chunk_id=bytes([number]) * 16, language="en", context="Rules", text=f"t{number}") for number in (1, 2)
]
PAST = Manifest(
    kb="handbook",
    document_id="rules",
    document_key=b"foreign key of16",
    revision=5,
    title="Rules",
    residency=Residency.PUBLIC,
    model="model-1",
    places=[Place(chunk_id=text.chunk_id, page_first=page, page_last=page) for page, text in enumerate(TEXTS, start=1)],
)


@pytest.mark.parametrize("first", list(Residency))
@pytest.mark.parametrize("second", list(Residency))
def test_the_strictest_residency_stands_whatever_the_order(first: Residency, second: Residency) -> None:
    one = revisions.tightened(msgspec.structs.replace(PAST, residency=first), second)
    other = revisions.tightened(msgspec.structs.replace(PAST, residency=second), first)
    assert one == other
    ranks = list(Residency)
    assert ranks.index(one.residency) == min(ranks.index(first), ranks.index(second))


def test_chunks_are_named_by_the_model_and_key_of_now_and_keep_their_pages() -> None:
    cuts = revisions.cuts_of(TEXTS, PAST.places)
    messages = revisions.chunk_cuts(cuts, "handbook", NAMING)
    message = DocumentRestored(kb="handbook", document_id="rules", revision=5)
    manifest = revisions.restored(message, 9, PAST, messages, NAMING)
    assert [place.chunk_id for place in manifest.places] == [message.chunk_id for message in messages]
    assert [place.page_first for place in manifest.places] == [1, 2]
    assert (manifest.revision, manifest.model, manifest.title) == (9, "model-2", "Rules")
    assert manifest.document_key == revisions.key_of(message, NAMING) != PAST.document_key


def test_a_revision_is_whole_only_with_all_its_texts_in_order() -> None:
    def part(texts: list[ChunkText], manifest: Manifest = PAST) -> RevisionText:
        return RevisionText(manifest=manifest, origin="hub", chunks=texts)

    rest = msgspec.structs.replace(PAST, places=[])
    assert whole([part([]), part(TEXTS[:1], rest), part(TEXTS[1:], rest)]).texts == TEXTS
    for parts in ([], [part([]), part(TEXTS[:1], rest)], [part([]), part(TEXTS[1:], rest), part(TEXTS[:1], rest)]):
        with pytest.raises(PartsLostError):
            whole(parts)
