"""One suite for every shelf: in memory, on the embedded Milvus, and on a real Milvus 2.3.5, which has no words."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from causeway.cli.ports import free_port
from causeway.milvus.errors import ShelfRefused, ShelfUnavailable
from causeway.milvus.port import Shelf
from causeway.milvus.shelf import MilvusShelf
from causeway.milvus.values import ShelfPosition, ShelvedChunk, ShelvedDocument, Vector
from causeway.proto.chunks import Manifest, Place
from causeway.proto.knowledge import DocumentRevised, Stamp
from tests.support.knowledge_builders import chunk_id, document_key, unit_vector
from tests.support.memory_shelf import MemoryShelf
from tests.support.milvus_servers import embedded_milvus, standalone_milvus

DIMS = 16
KB = "handbook"
MODEL = "model-a-int8"
KINDS = ["memory", "embedded", pytest.param("standalone", marks=[pytest.mark.slow, pytest.mark.timeout(300)])]


@pytest.fixture(scope="module", params=KINDS)
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that all tests of this file share; empty: in memory."""
    root: Path = tmp_path_factory.mktemp("milvus")
    with ExitStack() as stack:
        if request.param == "embedded":
            yield stack.enter_context(embedded_milvus(root)).uri
        elif request.param == "standalone":
            yield stack.enter_context(standalone_milvus(root))
        else:
            yield ""


@pytest.fixture
async def shelf(uri: str) -> AsyncIterator[Shelf]:
    made: Shelf = MilvusShelf(uri, timeout_s=30.0) if uri else MemoryShelf()
    await made.start()
    await made.clear()
    await made.put_position(ShelfPosition())
    yield made
    await made.close()


def vector(seed: int | str) -> Vector:
    """As the log has them: what float16 can say."""
    return unit_vector(seed, DIMS).astype("<f2").astype(np.float32)


def chunk(text: str, document: str = "d", kb: str = KB, model: str = MODEL, *, live: bool = True) -> ShelvedChunk:
    """A chunk of a document, its vector made from its text."""
    return ShelvedChunk(
        kb=kb,
        origin="branch-1",
        document_key=document_key(document),
        chunk_id=chunk_id(text, kb),
        model=model,
        language="en",
        context="Handbook › Leave",
        text=text,
        live=live,
        vector=vector(text),
    )


def document(
    name: str, revision: int = 1, *, origin: str = "branch-1", kb: str = KB, places: int = 2, deleted: bool = False
) -> ShelvedDocument:
    """A revision that names so many chunks."""
    manifest = Manifest(
        kb=kb,
        document_id=name,
        document_key=document_key(name),
        revision=revision,
        deleted=deleted,
        title="员工手册 · Handbook",
        metadata={"author": 'O\'Neil "quoted"'},
        places=[Place(chunk_id=chunk_id(f"{name}{n}"), page_first=n, page_last=n) for n in range(places)],
    )
    stamp = Stamp(wall_ms=5, counter=1, origin=origin, seen={"hub": 3}, repair=2)
    return ShelvedDocument(origin=origin, revised=DocumentRevised(manifest=manifest, stamp=stamp), shadowed=revision)


async def texts(shelf: Shelf, *documents: str) -> set[str]:
    """The texts of all rows of documents."""
    return {row.text for row in await shelf.chunks([document_key(name) for name in documents])}


async def test_an_empty_shelf_begins_at_the_beginning(shelf: Shelf) -> None:
    assert await shelf.position() == ShelfPosition()
    assert await shelf.documents([document_key("d")]) == {}
    assert await shelf.chunks([document_key("d")]) == []
    assert await shelf.spaces() == {}
    assert [page async for page in shelf.scan()] == []
    assert await shelf.dense_search(MODEL, KB, vector(1), 5) == []


async def test_the_position_is_the_last_that_was_put(shelf: Shelf) -> None:
    await shelf.put_position(ShelfPosition(seq=7, stream_created=1_767_225_600_000_000_001))
    await shelf.put_position(ShelfPosition(seq=9, stream_created=1_767_225_600_000_000_001, clearing=True))
    assert await shelf.position() == ShelfPosition(seq=9, stream_created=1_767_225_600_000_000_001, clearing=True)


async def test_rows_are_read_back_as_they_were_written_with_every_bit_of_their_vectors(shelf: Shelf) -> None:
    rows = [chunk("Leave is fifteen days."), chunk("员工每年享有十五天带薪年假。"), chunk("x", live=False)]
    await shelf.upsert_chunks(rows)
    found = {row.chunk_id: row for row in await shelf.chunks([document_key("d")], vectors=True)}
    assert found == {row.chunk_id: row for row in rows}
    for row in rows:
        held = found[row.chunk_id].vector
        assert held is not None
        np.testing.assert_array_equal(held, vector(row.text))
    (without, *_) = await shelf.chunks([document_key("d")])
    assert without.vector is None


async def test_a_row_written_twice_is_there_once_with_the_last_content(shelf: Shelf) -> None:
    await shelf.upsert_chunks([chunk("a"), chunk("b")])
    await shelf.upsert_chunks([chunk("a"), dataclasses.replace(chunk("b"), context="other", live=False)])
    assert await shelf.spaces() == {MODEL: 2}
    rows = {row.text: row for row in await shelf.chunks([document_key("d")])}
    assert (rows["b"].context, rows["b"].live) == ("other", False)


async def test_one_chunk_in_two_documents_is_two_rows_that_are_deleted_apart(shelf: Shelf) -> None:
    await shelf.upsert_chunks([chunk("a", "d"), chunk("a", "e")])
    await shelf.delete_chunks([chunk("a", "d"), chunk("absent", "d"), chunk("a", "d", model="absent")])
    assert await texts(shelf, "d") == set()
    assert await texts(shelf, "e") == {"a"}
    assert await shelf.spaces() == {MODEL: 1}


async def test_more_rows_than_one_call_takes_go_in_whole(shelf: Shelf) -> None:
    rows = [chunk(f"text {n}", f"d{n % 7}") for n in range(2_300)]
    await shelf.upsert_chunks(rows)
    assert await texts(shelf, *(f"d{n}" for n in range(7))) == {row.text for row in rows}
    assert await shelf.spaces() == {MODEL: 2_300}


async def test_what_is_too_long_is_refused_with_its_name(shelf: Shelf) -> None:
    with pytest.raises(ShelfRefused, match=chunk_id("词" * 22_000).hex()):
        await shelf.upsert_chunks([chunk("词" * 22_000)])
    await shelf.upsert_chunks([chunk("词" * 21_800)])
    assert await texts(shelf, "d") == {"词" * 21_800}


async def test_a_document_is_read_back_whole_with_its_stamp_and_shadow(shelf: Shelf) -> None:
    documents = [document("a", 3), document("b/中文?#'\"\\", 1 << 45, deleted=True), document("c", places=0)]
    await shelf.put_documents(documents)
    found = await shelf.documents([each.key for each in documents] + [document_key("absent")])
    assert found == {each.key: each for each in documents}


async def test_a_manifest_longer_than_a_field_goes_in_and_out_whole_and_may_shrink(shelf: Shelf) -> None:
    long = document("long", 1, places=5_000)
    await shelf.put_documents([long])
    assert (await shelf.documents([long.key]))[long.key] == long
    assert [len(page) async for page in shelf.scan()] == [1]
    await shelf.put_documents([short := document("long", 2)])
    assert (await shelf.documents([long.key]))[long.key] == short
    await shelf.remove_documents([long.key])
    assert await shelf.documents([long.key]) == {}


async def test_a_scan_gives_each_document_once_by_origin_and_kb(shelf: Shelf) -> None:
    ours = [document(f"a{n}") for n in range(150)]
    others = [document("b", origin="hub"), document("c", kb="other")]
    await shelf.put_documents([*ours, *others])
    for asked, expected in (
        (("branch-1", KB), ours),
        (("hub", ""), [others[0]]),
        (("", "other"), [others[1]]),
        (("", ""), [*ours, *others]),
    ):
        found = [each async for page in shelf.scan(*asked) for each in page]
        assert sorted(each.key for each in found) == sorted(each.key for each in expected)


async def test_documents_are_found_by_their_origin_and_name_whatever_is_in_the_name(shelf: Shelf) -> None:
    odd = [
        "O'Neil.md",
        'the "big" one.md',
        "C:\\shares\\a",
        'both \\" ends\\',
        "a\nb",
        "tab\t",
        "贷款-2025.pdf",
        "😀",
        "\x01",
    ]
    gone = document("gone", 3, deleted=True)
    ours = [document(name) for name in (*odd, *(f"d{n}" for n in range(120)))]
    await shelf.put_documents([*ours, gone, document("theirs", origin="hub"), document("elsewhere", kb="other")])
    found = await shelf.named(
        KB, "branch-1", [*odd, *(f"d{n}" for n in range(60)), "gone", "theirs", "elsewhere", "no"]
    )
    expected = [*ours[: len(odd) + 60], gone]
    assert sorted(found, key=lambda one: one.key) == sorted(expected, key=lambda one: one.key)
    assert await shelf.named(KB, "branch-1", ['" or part == 0 or document_id == "']) == []
    assert await shelf.named(KB, "branch-1", []) == []


async def test_the_nearest_live_chunks_of_the_kb_come_first(shelf: Shelf) -> None:
    rows = [chunk(str(n), f"d{n}") for n in range(40)]
    hidden = [chunk("hidden", "h", live=False), chunk("elsewhere", "o", kb="other"), chunk("x", "m", model="b")]
    question = vector("7") + 0.1 * vector("hidden")
    await shelf.upsert_chunks(rows + hidden)
    hits = await shelf.dense_search(MODEL, KB, question, 10)
    expected = sorted(rows, key=lambda row: -float(vector(row.text) @ question))[:10]
    assert [hit.chunk.text for hit in hits] == [row.text for row in expected]
    assert [hit.chunk.text for hit in await shelf.dense_search(MODEL, "other", question, 10)] == ["elsewhere"]
    assert [hit.chunk.text for hit in await shelf.dense_search("b", KB, question, 10)] == ["x"]
    assert await shelf.dense_search("absent", KB, question, 10) == []


async def test_words_find_unspaced_chinese_and_english_of_any_case(shelf: Shelf) -> None:
    passages = [
        "员工每年享有十五天带薪年假，须提前两周申请。",
        "资本充足率不得低于百分之八。",
        "Overtime is paid at one and a half times the hourly wage.",
        "The capital adequacy ratio must not fall below eight percent.",
    ]
    fillers = [f"Section {n} of the appendix lists form {n}." for n in range(30)]
    await shelf.upsert_chunks([chunk(text, f"d{n}") for n, text in enumerate([*passages, *fillers])])
    # The vector knows nothing: what comes first comes by words.
    nothing = vector("unrelated")
    for question, expected in (
        ("年假要提前多久申请", passages[0]),
        ("资本充足率", passages[1]),
        ("OVERTIME wage", passages[2]),
        ("Capital Adequacy", passages[3]),
    ):
        hits = await shelf.hybrid_search(MODEL, KB, nothing, question, 3)
        assert expected in [hit.chunk.text for hit in hits], question
    assert len(await shelf.hybrid_search(MODEL, KB, nothing, " ", 3)) == 3


async def test_what_is_hidden_is_not_found_by_its_words(shelf: Shelf) -> None:
    await shelf.upsert_chunks([chunk("年假十五天", "a"), chunk("年假二十天", "b", live=False)])
    hits = await shelf.hybrid_search(MODEL, KB, vector("x"), "年假", 5)
    assert [hit.chunk.text for hit in hits] == ["年假十五天"]


async def test_a_space_that_another_process_made_after_the_first_search_is_searched(uri: str, shelf: Shelf) -> None:
    reader: Shelf = MilvusShelf(uri, timeout_s=30.0) if uri else shelf
    for model, text in ((MODEL, "one"), ("model-b", "two")):
        assert await reader.hybrid_search(model, KB, vector(text), text, 5) == []
        await shelf.upsert_chunks([chunk(text, model=model)])
        assert [hit.chunk.text for hit in await reader.hybrid_search(model, KB, vector(text), text, 5)] == [text]
    if reader is not shelf:
        await reader.close()


async def test_two_embedding_spaces_stand_side_by_side_until_one_is_dropped(shelf: Shelf) -> None:
    other = dataclasses.replace(chunk("a", model="model-b"), vector=unit_vector("a", 2 * DIMS))
    await shelf.upsert_chunks([chunk("a"), other])
    assert await shelf.spaces() == {MODEL: 1, "model-b": 1}
    assert {row.model for row in await shelf.chunks([document_key("d")])} == {MODEL, "model-b"}
    await shelf.drop_space(MODEL)
    assert await shelf.spaces() == {"model-b": 1}
    assert {row.model for row in await shelf.chunks([document_key("d")])} == {"model-b"}


async def test_clearing_leaves_the_position_only(shelf: Shelf) -> None:
    await shelf.put_position(ShelfPosition(seq=4, stream_created=5))
    await shelf.put_documents([document("a")])
    await shelf.upsert_chunks([chunk("a")])
    await shelf.clear()
    assert (await shelf.documents([document_key("a")]), await shelf.spaces()) == ({}, {})
    assert await shelf.position() == ShelfPosition(seq=4, stream_created=5)
    await shelf.upsert_chunks([chunk("a")])
    assert await shelf.spaces() == {MODEL: 1}


async def test_another_client_finds_what_one_has_written(shelf: Shelf, uri: str) -> None:
    if not uri:
        pytest.skip("memory has one client")
    await shelf.put_documents([document("a")])
    await shelf.upsert_chunks([chunk("a")])
    other = MilvusShelf(uri, timeout_s=30.0)
    assert await other.spaces() == {MODEL: 1}
    await other.start()
    assert len(await other.documents([document_key("a")])) == 1
    assert [hit.chunk.text for hit in await other.dense_search(MODEL, KB, vector("a"), 1)] == ["a"]
    await other.close()


async def test_a_server_that_is_away_is_an_error_with_the_mend() -> None:
    shelf = MilvusShelf(f"http://127.0.0.1:{free_port()}", timeout_s=0.5)
    with pytest.raises(ShelfUnavailable, match="causeway-milvus --data"):
        await shelf.start()
    await shelf.close()
