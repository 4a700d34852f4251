"""What is asked of the hub about documents that never come here, and that its word means what a log's would."""

from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud_inference.standing import standing_of
from causeway.edge_inference.answer_index import DocumentName
from causeway.edge_inference.doubts import Changed, Standing, Standings, doubt_of
from causeway.edge_inference.foreign_citations import (
    REQUEST_BYTES_MAX,
    HubPosition,
    Vouched,
    merged,
    requests,
)
from causeway.milvus.values import ShelvedDocument
from causeway.proto import encode
from causeway.proto.chunks import Manifest, Place
from causeway.proto.cloud import (
    CHUNKS_ASKED_MAX,
    DOCUMENTS_ASKED_MAX,
    CitationsAsked,
    CitationsStanding,
    DocumentStanding,
)
from causeway.proto.documents import Residency
from causeway.proto.feedback import CitedChunk
from causeway.proto.knowledge import DocumentRevised, DocumentShadowed
from tests.support.knowledge_builders import KB, chunk_id, document_key

PLANT = "plant-1"
LEAVE, LUNCH = DocumentName(KB, PLANT, "leave.md"), DocumentName(KB, PLANT, "lunch.md")
A, B = chunk_id("a"), chunk_id("b")
HERE, LATER = HubPosition(hub_seq=10, log_created=1), HubPosition(hub_seq=11, log_created=1)
WORDS = ["a", "b", "c", "d"]
names = st.builds(
    DocumentName,
    st.sampled_from(["handbook", "rules"]),
    st.sampled_from(["hub", "plant-1", "plant-2"]),
    st.one_of(st.text(min_size=1, max_size=40), st.integers(0, 999).map(lambda number: "贷" * 900 + str(number))),
)
chunks = st.sets(st.binary(min_size=16, max_size=16), min_size=1, max_size=30)


def said(at: HubPosition, *documents: DocumentStanding) -> CitationsStanding:
    return CitationsStanding(hub_seq=at.hub_seq, log_created=at.log_created, documents=list(documents))


def only(cited: dict[DocumentName, set[bytes]]) -> CitationsAsked:
    (asked,) = requests(cited, list(cited))
    return asked


@given(st.dictionaries(names, chunks, max_size=300))
def test_every_document_is_asked_about_once_with_its_chunks_within_the_limits(
    cited: dict[DocumentName, set[bytes]],
) -> None:
    made = list(requests(cited, list(cited)))
    found = {
        DocumentName(asked.kb, one.origin, one.document_id): set(one.chunk_ids)
        for asked in made
        for one in asked.documents
    }
    assert found == cited
    assert sum(len(asked.documents) for asked in made) == len(cited)
    for asked in made:
        assert 0 < len(asked.documents) <= DOCUMENTS_ASKED_MAX
        assert len(encode(asked)) <= REQUEST_BYTES_MAX + 10_000


def test_a_document_with_more_cited_chunks_than_can_be_asked_about_is_asked_about_all_the_same() -> None:
    many = {number.to_bytes(16, "big") for number in range(CHUNKS_ASKED_MAX + 5)}
    (one,) = only({LEAVE: many}).documents
    assert len(one.chunk_ids) == CHUNKS_ASKED_MAX


def test_what_stands_is_asked_again_when_the_hub_has_moved_or_another_chunk_is_cited() -> None:
    vouched, cited = Vouched(), {LEAVE: {A}, LUNCH: {A}}
    assert set(vouched.due(cited, None, 9)) == {LEAVE, LUNCH}
    assert vouched.hear(only(cited), said(HERE)) == []
    assert vouched.due(cited, HERE, 9) == []
    assert vouched.due({LEAVE: {A, B}, LUNCH: {A}}, HERE, 9) == [LEAVE]
    assert set(vouched.due(cited, LATER, 9)) == {LEAVE, LUNCH}
    assert set(vouched.due(cited, HubPosition(hub_seq=10, log_created=2), 9)) == {LEAVE, LUNCH}


def test_the_longest_unasked_go_first_where_not_all_can() -> None:
    vouched, cited = Vouched(), {LEAVE: {A}, LUNCH: {A}}
    vouched.hear(only({LEAVE: {A}}), said(HERE))
    assert vouched.due(cited, LATER, 1) == [LUNCH]
    vouched.hear(only({LUNCH: {A}}), said(LATER))
    assert vouched.due(cited, LATER, 1) == [LEAVE]


def test_what_does_not_stand_is_asked_again_until_nothing_cites_it() -> None:
    """Telling of it may fail, and an answer that was under way may come to be known after it."""
    vouched, cited = Vouched(), {LEAVE: {A, B}}
    gone = DocumentStanding(origin=PLANT, document_id="leave.md", revision=2, gone_chunk_ids=[A])
    (changed,) = vouched.hear(only(cited), said(HERE, gone))
    assert changed.standing == Standing(revision=2, chunks=frozenset({B}))
    assert vouched.failed[LEAVE] == {A}
    assert vouched.due(cited, HERE, 9) == [LEAVE]
    assert vouched.due({LEAVE: {B}}, HERE, 9) == []
    vouched.forget_but({})
    assert (vouched.stood, vouched.failed) == ({}, {})


def test_a_document_that_the_hub_does_not_hold_is_no_change_and_is_not_vouched_for() -> None:
    vouched, cited = Vouched(), {LEAVE: {A}}
    assert vouched.hear(only(cited), said(HERE, DocumentStanding(origin=PLANT, document_id="leave.md"))) == []
    assert vouched.failed[LEAVE] == {A}
    assert vouched.due(cited, HERE, 9) == [LEAVE]
    vouched.hear(only(cited), said(HERE))
    assert vouched.failed[LEAVE] == frozenset()


def test_what_was_not_asked_about_is_not_heard() -> None:
    other = DocumentStanding(origin=PLANT, document_id="lunch.md", revision=9, deleted=True)
    assert Vouched().hear(only({LEAVE: {A}}), said(HERE, other)) == []


def test_a_shadow_counts_only_from_a_hub_that_has_come_to_where_the_answer_was_made() -> None:
    cited = [CitedChunk(origin=PLANT, document_id="leave.md", revision=2, chunk_id=A)]
    replaced = DocumentStanding(origin=PLANT, document_id="leave.md", revision=2, replaced=True)
    (changed,) = Vouched().hear(only({LEAVE: {A}}), said(HERE, replaced))
    assert doubt_of(cited, changed.for_answer(made_at=11)) is None
    assert doubt_of(cited, changed.for_answer(made_at=10)) is not None
    here = Changed(document=LEAVE, standing=changed.standing)
    assert doubt_of(cited, here.for_answer(made_at=11)) is not None


@given(
    now=st.lists(st.sampled_from(WORDS), unique=True),
    revision=st.integers(1, 4),
    deleted=st.booleans(),
    shadowed=st.booleans(),
    cited=st.sets(st.sampled_from(WORDS), min_size=1),
    at=st.integers(1, 4),
)
def test_the_hub_s_word_makes_the_same_doubt_as_the_document_in_this_site_s_own_log_would(
    now: list[str], revision: int, deleted: bool, shadowed: bool, cited: set[str], at: int
) -> None:
    manifest = Manifest(
        kb=KB,
        document_id="leave.md",
        document_key=document_key("leave.md", PLANT),
        revision=revision,
        deleted=deleted,
        residency=Residency.PUBLIC,
        places=[] if deleted else [Place(chunk_id=chunk_id(text), page_first=1) for text in now],
    )
    shade = revision if shadowed and not deleted else 0
    log = Standings(documents_max=9, chunks_max=99)
    log.revise(LEAVE, manifest, 1)
    shadow = DocumentShadowed(
        kb=KB,
        document_id="leave.md",
        document_key=manifest.document_key,
        revision=shade,
        winner="hub",
        winner_revision=1,
        concurrent=False,
    )
    by_log = log.shade(LEAVE, shadow, 2)
    asked = only({LEAVE: {chunk_id(text) for text in cited}})
    held = ShelvedDocument(origin=PLANT, revised=DocumentRevised(manifest=manifest), shadowed=shade)
    listed = [one for one in [standing_of(asked.documents[0], held)] if one is not None]
    heard = Vouched().hear(asked, said(HERE, *listed))
    one_by_one = [CitedChunk(origin=PLANT, document_id="leave.md", revision=at, chunk_id=chunk_id(t)) for t in cited]
    by_hub = heard[0].for_answer(made_at=HERE.hub_seq) if heard else None
    for chunk in one_by_one:
        assert doubt_of([chunk], by_log) == (None if by_hub is None else doubt_of([chunk], by_hub))


def test_what_answers_and_entries_cite_is_put_together() -> None:
    assert merged({LEAVE: {A}}, {LEAVE: {B}, LUNCH: {A}}) == {LEAVE: {A, B}, LUNCH: {A}}
