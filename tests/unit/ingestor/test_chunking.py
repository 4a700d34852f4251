"""Chunks hold all the text once, fit the model, and move little when a document is edited."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.ingestor.chunking import Measure, chunk, embed_text, weight
from causeway.ingestor.parsing.block import Block, Kind
from causeway.ingestor.parsing.document import parse
from causeway.proto.identity import chunk_id

MEASURE = Measure()
PARAGRAPHS_PER_PAGE = 6
KEY = bytes(range(32))

kinds: st.SearchStrategy[Kind] = st.sampled_from(["heading", "paragraph", "item", "row", "code"])
words = st.text(alphabet=st.sampled_from("abc déZ.,!?；。，设备维护检查\n0123456789 ()-|🙂"), min_size=1, max_size=2500)
paths = st.lists(st.sampled_from(["Safety", "安装", "A very long heading " * 6]), max_size=3).map(tuple)
blocks = st.lists(
    st.builds(
        Block, text=words.filter(str.strip), kind=kinds, heading_path=paths, page=st.integers(0, 9), lead=st.just("")
    ),
    max_size=25,
)


def bare(text: str) -> str:
    return "".join(text.split())


@settings(deadline=None, max_examples=150)
@given(blocks)
def test_every_character_is_in_exactly_one_chunk(document: list[Block]) -> None:
    cuts = chunk(document, "Title")
    assert bare("".join(cut.text for cut in cuts)) == bare("".join(block.text for block in document))
    assert [cut.ordinal for cut in cuts] == list(range(len(cuts)))


@settings(deadline=None, max_examples=150)
@given(blocks, st.text(max_size=400))
def test_no_chunk_is_larger_than_the_model_reads(document: list[Block], title: str) -> None:
    for cut in chunk(document, title):
        assert weight(cut.text) <= MEASURE.max + len(document)
        assert weight(cut.context) <= MEASURE.context_max
        assert cut.text.strip()


@settings(deadline=None, max_examples=50)
@given(blocks)
def test_the_same_document_gives_the_same_chunks(document: list[Block]) -> None:
    assert chunk(document, "T") == chunk(list(document), "T")


def prose(seed: int, chinese: bool) -> str:
    source = random.Random(seed)
    if chinese:
        return "".join(
            "".join(chr(source.randrange(0x4E00, 0x9F00)) for _ in range(source.randrange(8, 40))) + "。"
            for _ in range(4)
        )
    return " ".join(
        " ".join("".join(source.choices("etaoinshrdlu", k=source.randrange(2, 9))) for _ in range(12)) + "."
        for _ in range(source.randrange(2, 7))
    )


def book(pages: int, *, chinese: bool) -> list[Block]:
    made = []
    for page in range(1, pages + 1):
        path = (f"Chapter {page // 10}", f"Section {page // 3}")
        for number in range(PARAGRAPHS_PER_PAGE):
            text = prose(page * 100 + number, chinese)
            made.append(Block(text=text, heading_path=path, page=page, page_last=page))
    return made


def ids(document: list[Block]) -> list[bytes]:
    return [chunk_id(KEY, "kb", "m", embed_text(cut.context, cut.text)) for cut in chunk(document, "Book")]


@pytest.mark.parametrize("chinese", [False, True])
def test_editing_one_paragraph_of_a_hundred_pages_changes_at_most_five_chunks(chinese: bool) -> None:
    document = book(100, chinese=chinese)
    before = ids(document)
    assert len(before) > 150
    worst = 0
    for place in range(0, len(document), 37):
        edited = list(document)
        edited[place] = Block(
            text=prose(10**6 + place, chinese), heading_path=document[place].heading_path, page=document[place].page
        )
        worst = max(worst, len(set(ids(edited)) - set(before)))
    assert 1 <= worst <= 5


@pytest.mark.parametrize("chinese", [False, True])
def test_inserting_a_page_in_the_middle_leaves_the_other_chunks_as_they_are(chinese: bool) -> None:
    document = book(100, chinese=chinese)
    new = [
        Block(text=prose(10**7 + number, chinese), heading_path=document[300].heading_path, page=51)
        for number in range(PARAGRAPHS_PER_PAGE)
    ]
    later = [
        Block(text=b.text, heading_path=b.heading_path, page=b.page + 1, page_last=b.page + 1) for b in document[300:]
    ]
    changed = set(ids(document[:300] + new + later)) - set(ids(document))
    text_share = sum(weight(block.text) for block in new) / (MEASURE.target * MEASURE.min_share)
    assert len(changed) <= text_share + 5


def test_chunks_are_about_as_long_as_they_should_be() -> None:
    for chinese in (False, True):
        sizes = [weight(cut.text) for cut in chunk(book(60, chinese=chinese), "Book")]
        assert 400 <= sum(sizes) / len(sizes) <= 1000


def test_context_is_title_and_headings_and_pages_are_a_range() -> None:
    document = [
        Block(text="Pumps", kind="heading", page=3, page_last=3),
        Block(text="Grease", kind="heading", heading_path=("Pumps",), page=3, page_last=3),
        Block(text="Monthly. " * 60, heading_path=("Pumps", "Grease"), page=3, page_last=4),
        Block(text="Or weekly. " * 60, heading_path=("Pumps", "Grease"), page=4, page_last=4),
    ]
    cuts = chunk(document, "Manual")
    assert cuts[0].context == "Manual"
    assert cuts[0].text.startswith("Pumps\nGrease\nMonthly.")
    assert {cut.context for cut in cuts[1:]} == {"Manual › Pumps › Grease"}
    assert (cuts[0].page_first, cuts[-1].page_last) == (3, 4)


def test_rows_stay_whole_and_take_their_header_along() -> None:
    lines = "\n".join(f"{number},valve {number},{'open' if number % 2 else 'shut'} since May" for number in range(200))
    parsed = parse(f"id,part,state\n{lines}\n".encode(), "a.csv")
    cuts = chunk(parsed.blocks, "Valves")
    assert len(cuts) > 5
    assert all(cut.context == "Valves › id | part | state" for cut in cuts[1:])
    rows = [line for cut in cuts for line in cut.text.split("\n")]
    assert rows == [block.text for block in parsed.blocks]


def test_each_chunk_knows_its_language() -> None:
    document = [
        Block(text="设备维护手册要求先关闭电源，再打开泵的阀门。" * 20, heading_path=("中",)),
        Block(text="The pump must be stopped before the filter is opened. " * 20, heading_path=("en",)),
    ]
    assert {cut.language for cut in chunk(document, "")} == {"zh", "en"}
