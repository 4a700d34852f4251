"""Whether what a site's answers cite still stands: by the newest revision that the shelf holds, and by nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from causeway.bus import ProblemReply
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.standing import change_of, standing_of
from causeway.cloud_inference.vouching import Vouching
from causeway.milvus.values import ShelfPosition, ShelvedDocument
from causeway.proto.chunks import Manifest, Place
from causeway.proto.cloud import CitationsAsked, CitedDocument, DocumentStanding
from causeway.proto.documents import Residency
from causeway.proto.knowledge import DocumentRevised
from tests.support.knowledge_builders import KB, chunk_id, document_key
from tests.support.memory_shelf import MemoryShelf

OLD, NEW, OTHER = "Leave is twelve days.", "Leave is thirty days.", "Lunch is at noon."
ORIGIN = "branch-2"


def held(
    *texts: str,
    revision: int = 2,
    deleted: bool = False,
    shadowed: int = 0,
    name: str = "d",
    residency: Residency = Residency.PUBLIC,
) -> ShelvedDocument:
    manifest = Manifest(
        kb=KB,
        document_id=name,
        document_key=document_key(name, ORIGIN),
        revision=revision,
        deleted=deleted,
        residency=residency,
        places=[Place(chunk_id=chunk_id(text), page_first=1) for text in texts],
    )
    return ShelvedDocument(origin=ORIGIN, revised=DocumentRevised(manifest=manifest), shadowed=shadowed)


def asked(*texts: str, name: str = "d", origin: str = ORIGIN) -> CitedDocument:
    return CitedDocument(origin=origin, document_id=name, chunk_ids=[chunk_id(text) for text in texts])


@pytest.mark.parametrize(
    ("document", "change"),
    [
        (held(OLD, OTHER), "stands"),
        (held(OLD, revision=9), "stands"),
        (held(OLD, shadowed=1), "stands"),
        (held(NEW, OTHER), "revised"),
        (held(), "revised"),
        (held(OLD, deleted=True), "deleted"),
        (held(deleted=True, shadowed=2), "deleted"),
        (held(OLD, shadowed=2), "replaced"),
        (held(NEW, shadowed=2), "replaced"),
        (held(OLD, residency=Residency.RESTRICTED), "deleted"),
        (held(OLD, residency=Residency.INTERNAL, shadowed=2), "deleted"),
        (None, "unknown"),
    ],
)
def test_a_document_stands_while_its_live_manifest_names_the_cited_chunk(
    document: ShelvedDocument | None, change: str
) -> None:
    assert change_of(standing_of(asked(OLD), document)) == change


texts = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), unique=True)


@given(cited=texts.filter(bool), now=texts, deleted=st.booleans(), shadowed=st.integers(0, 3))
def test_what_is_said_to_be_gone_is_what_was_asked_for_and_is_not_named(
    cited: list[str], now: list[str], deleted: bool, shadowed: int
) -> None:
    document = held(*now, deleted=deleted, shadowed=shadowed)
    standing = standing_of(asked(*cited), document)
    expected = [chunk_id(text) for text in cited if deleted or text not in now]
    if standing is None:
        assert expected == []
        assert document.live
    else:
        assert standing.gone_chunk_ids == expected
        assert (standing.revision, standing.deleted) == (2, deleted)
        assert not (standing.deleted and standing.replaced)


async def vouched(shelf: MemoryShelf, *documents: CitedDocument) -> list[DocumentStanding]:
    return (
        await Vouching(shelf, Metrics(CollectorRegistry())).standing(CitationsAsked(kb=KB, documents=list(documents)))
    ).documents


async def test_only_what_is_not_as_it_was_cited_is_listed_and_namesakes_are_told_apart() -> None:
    shelf = MemoryShelf()
    await shelf.put_documents([held(OLD, name="sound"), held(NEW, name="edited"), held(deleted=True, name="gone")])
    found = await vouched(
        shelf,
        asked(OLD, name="sound"),
        asked(OLD, OTHER, name="edited"),
        asked(OLD, name="gone"),
        asked(OLD, name="sound", origin="branch-3"),
    )
    assert [(one.origin, one.document_id, one.revision, one.deleted) for one in found] == [
        (ORIGIN, "edited", 2, False),
        (ORIGIN, "gone", 2, True),
        ("branch-3", "sound", 0, False),
    ]


async def test_nothing_is_asked_of_documents_where_only_the_position_is_wanted() -> None:
    shelf = MemoryShelf()
    await shelf.put_position(ShelfPosition(seq=900, stream_created=7))
    said = await Vouching(shelf, Metrics(CollectorRegistry())).standing(CitationsAsked(kb=KB))
    assert (said.hub_seq, said.log_created, said.documents) == (900, 7, [])


async def test_a_shelf_that_is_away_or_being_emptied_says_so_and_nothing_of_documents() -> None:
    shelf, registry = MemoryShelf(), CollectorRegistry()
    await shelf.put_documents([held(NEW)])
    vouching = Vouching(shelf, Metrics(registry))
    await shelf.put_position(ShelfPosition(clearing=True))
    for code, away in (("shelf_rebuilding", False), ("shelf_away", True)):
        shelf.away = away
        with pytest.raises(ProblemReply) as refused:
            await vouching.standing(CitationsAsked(kb=KB, documents=[asked(OLD)]))
        assert (refused.value.problem.code, refused.value.problem.retryable) == (code, True)
    with pytest.raises(ProblemReply) as never:
        await Vouching(None, Metrics(CollectorRegistry())).standing(CitationsAsked(kb=KB, documents=[asked(OLD)]))
    assert not never.value.problem.retryable
    assert registry.get_sample_value("causeway_cloud_inference_standings_total", {"standing": "refused"}) == 2
