"""The hub's own documents on their way from its log over the shelf to a site: only what is public arrives."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from causeway.bus import Bus
from causeway.milvus.errors import ShelfUnavailable
from causeway.milvus.shelf import MilvusShelf
from causeway.models import Encoder
from causeway.proto import encode, subjects
from causeway.proto.cloud import CitationsAsked, CitationsStanding, CitedDocument, Refusal
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded
from tests.support.cloud_hub import KB, SITE, Asked, Hub, encoder, hub
from tests.support.knowledge_builders import chunk_id
from tests.support.knowledge_log import manifest_entry, publish
from tests.support.milvus_servers import embedded_milvus
from tests.support.nats_server import NatsServer
from tests.support.openai_engine import StandIn, stand_in
from tests.support.shelved import shelving
from tests.support.waiting import until_async

pytestmark = pytest.mark.model
OPEN = "Employees are entitled to ten days of paid annual leave."
SECRET = "Directors are entitled to ninety days of paid annual leave and a bonus."
QUESTION = "How many days of paid annual leave are directors and employees entitled to?"
LABELS = (Residency.RESTRICTED, Residency.INTERNAL)


@pytest.fixture(scope="module")
def using() -> Encoder:
    return encoder()


@pytest.fixture
def milvus_uri(tmp_path: Path) -> Iterator[str]:
    """The address of an empty shelf."""
    with embedded_milvus(tmp_path / "milvus") as milvus:
        yield milvus.uri


async def write(bus: Bus, using: Encoder, name: str, text: str, revision: int, label: Residency) -> None:
    """Publish a document of the hub itself, and return once the shelf is there."""
    vector = using.encode_passages([text])[0].astype("<f2")
    chunk = ChunkEmbedded(
        kb=KB,
        chunk_id=chunk_id(text),
        model=using.model_id,
        language="en",
        context="Leave",
        text=text,
        dims=len(vector),
        vector_f16=vector.tobytes(),
    )
    at = subjects.KNOWLEDGE_CHUNK.at("hub", KB, chunk.chunk_id.hex())
    await publish(
        bus, (at, chunk, f"{name}/{revision}"), manifest_entry("hub", name, [text], revision, residency=label)
    )


async def shelved(bus: Bus, shelf: MilvusShelf) -> None:
    """Return once the shelf is where the log is."""

    async def there() -> bool:
        # Who else opens it makes it at the same time: until then it is away.
        with suppress(ShelfUnavailable):
            return (await shelf.position()).seq >= await bus.last_seq("KNOWLEDGE")
        return False

    await until_async(there)


def told(engine: StandIn, got: Asked) -> str:
    """All that an ask has let out: what the engine was asked last, and every part of the reply."""
    prompt = "".join(message["content"] for message in engine.requests[-1]["messages"])
    return prompt + b"".join(encode(part) for part in got.parts).decode("utf-8", "replace")


async def standing(running: Hub, name: str, text: str) -> tuple[bool, int]:
    """Whether a cited document stands, and the revision that is told where not."""
    cited = CitedDocument(origin="hub", document_id=name, chunk_ids=[chunk_id(text)])
    said = await running.site.request(
        subjects.CLOUD_STANDING.at(SITE), CitationsAsked(kb=KB, documents=[cited]), CitationsStanding
    )
    return not said.documents, said.documents[0].revision if said.documents else 0


async def test_what_is_not_public_does_not_leave_and_what_becomes_public_or_ceases_to_be_is_followed(
    nats_server: NatsServer, milvus_uri: str, using: Encoder
) -> None:
    shelf = MilvusShelf(milvus_uri, timeout_s=20.0)
    async with (
        stand_in() as engine,
        hub(nats_server, milvus_uri, engine.url) as running,
        shelving(running.bus, shelf),
    ):
        for revision, label in enumerate(LABELS, 1):
            await write(running.bus, using, "directors", SECRET, revision, label)
        await shelved(running.bus, shelf)
        alone = await running.ask(QUESTION)
        assert alone.problem is not None
        assert alone.problem.code == Refusal.UNKNOWN_KB
        assert await standing(running, "directors", SECRET) == (False, 0)

        await write(running.bus, using, "employees", OPEN, 1, Residency.PUBLIC)
        await shelved(running.bus, shelf)
        got = await running.ask(QUESTION)
        assert "ten days" in got.answer.text
        assert "ninety" not in told(engine, got)

        await write(running.bus, using, "directors", SECRET, 3, Residency.PUBLIC)
        await shelved(running.bus, shelf)
        assert "ninety" in told(engine, await running.ask(QUESTION))
        assert await standing(running, "directors", SECRET) == (True, 0)

        for revision, label in enumerate(LABELS, 4):
            await write(running.bus, using, "directors", SECRET, revision, label)
            await shelved(running.bus, shelf)
            got = await running.ask(QUESTION)
            assert "ten days" in got.answer.text
            assert "ninety" not in told(engine, got)
            assert await standing(running, "directors", SECRET) == (False, revision)
    await asyncio.wait_for(shelf.close(), 20.0)
