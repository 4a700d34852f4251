"""What is found: only what is public; and while the shelf is emptied a refusal that passes, never an unknown kb."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from causeway.cloud_inference.retrieving import Found, Retrieving, cited
from causeway.cloud_inference.settled import ShelfRebuilding
from causeway.cloud_inference.stopwatch import Stopwatch
from causeway.milvus.values import Hit, ShelfPosition, ShelvedChunk, ShelvedDocument
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.knowledge import DocumentRevised
from tests.support.memory_shelf import MemoryShelf


class StillEncoder:
    model_id = "still"

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        return np.zeros((len(texts), 4), np.float32)


class SearchedShelf(MemoryShelf):
    """It begins to be emptied while it is searched, if `emptied_within`."""

    def __init__(self, *, emptied_within: bool = False) -> None:
        super().__init__()
        self._emptied_within = emptied_within

    async def hybrid_search(self, model: str, kb: str, vector: np.ndarray, text: str, k: int) -> list[Hit]:
        if self._emptied_within:
            await self.put_position(ShelfPosition(clearing=True))
        return []


async def found(shelf: SearchedShelf) -> Found:
    with ThreadPoolExecutor(1) as executor:
        retrieving = Retrieving(shelf, StillEncoder(), executor, lambda seq: {"hub": seq})
        return await retrieving.find("k", "How many days?", 4, Stopwatch())


async def test_a_whole_shelf_without_the_kb_says_that_it_is_not_known() -> None:
    assert await found(SearchedShelf()) == Found(citations=[], epoch={"hub": 0}, known=False)


async def test_a_shelf_that_is_being_emptied_is_not_searched() -> None:
    shelf = SearchedShelf()
    await shelf.put_position(ShelfPosition(clearing=True))
    with pytest.raises(ShelfRebuilding):
        await found(shelf)


async def test_a_shelf_that_is_emptied_within_the_search_does_not_say_that_the_kb_is_unknown() -> None:
    with pytest.raises(ShelfRebuilding):
        await found(SearchedShelf(emptied_within=True))


@pytest.mark.parametrize("label", list(Residency))
def test_only_a_public_document_is_cited_whatever_its_rows_say(label: Residency) -> None:
    manifest = Manifest(
        kb="k", document_id="d", document_key=b"d", revision=1, residency=label, places=[Place(chunk_id=b"c")]
    )
    row = ShelvedChunk(
        kb="k", origin="hub", document_key=b"d", chunk_id=b"c", model="m", language="en", context="", text="A secret."
    )
    document = ShelvedDocument(origin="hub", revised=DocumentRevised(manifest=manifest))
    found = [each.quote for each in cited([Hit(chunk=row, score=1.0)], {b"d": document}, 4)]
    assert found == (["A secret."] if label is Residency.PUBLIC else [])
