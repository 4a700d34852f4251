"""What became searchable is told when it can be asked for, not while a replica is still catching up."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import Delivery, Stored
from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.handlers import Following
from causeway.edge_inference.knowledge_index import KnowledgeIndexes
from causeway.edge_inference.metrics import Metrics
from causeway.edge_inference.replica import Replica, SweepRule
from causeway.proto import Message
from causeway.proto.documents import DocumentStatus
from tests.support.hashed_encoder import HashedEncoder
from tests.support.knowledge_builders import open_vault
from tests.support.knowledge_log import document_entries

SITE = "branch-1"


class Place:
    """The log that statuses go to, and what happened at the place, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def publish(self, subject: str, message: Message, *, msg_id: str) -> object:
        assert isinstance(message, DocumentStatus)
        self.events.append(f"{message.document_id} is searchable")
        return None

    async def last_many(self, stream: str, names: Sequence[str]) -> dict[str, Stored]:
        return {}

    async def purge(self, stream: str, subject: str, below_seq: int | None = None) -> None:
        raise AssertionError("nothing is swept here")

    async def serve(self) -> None:
        self.events.append("asks are taken")


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def following(place: Place, tmp_path: Path) -> Iterator[Following]:
    encoder = HashedEncoder()
    indexes = KnowledgeIndexes(encoder.model_id, encoder.dims, lambda: ExactIndex(encoder.dims))
    with ThreadPoolExecutor(1) as storage:
        vault = storage.submit(open_vault, tmp_path).result()
        replica = Replica(vault, indexes, SweepRule(), lambda: 1_000)
        yield Following(
            SITE,
            place,
            replica,
            storage,
            Metrics(CollectorRegistry()),
            clock_ms=lambda: 1_000,
            on_caught_up=place.serve,
        )
        storage.submit(replica.close).result()


def deliveries(document_id: str, first_seq: int) -> list[Delivery]:
    return [
        Delivery(
            subject=subject,
            message=message,
            stream="KNOWLEDGE",
            stream_seq=seq,
            num_delivered=1,
            timestamp=datetime.now(UTC),
            headers={},
            size_bytes=0,
        )
        for seq, (subject, message, _) in enumerate(document_entries(SITE, document_id, ["one"], 1), first_seq)
    ]


async def test_a_replica_that_catches_up_tells_nothing_before_it_takes_asks(place: Place, following: Following) -> None:
    await following.handle(deliveries("leave.md", 1))
    assert place.events == []
    await following.at_end()
    assert place.events == ["asks are taken", "leave.md is searchable"]


async def test_what_comes_later_is_told_at_once_and_once(place: Place, following: Following) -> None:
    await following.at_end()
    await following.handle(deliveries("leave.md", 1))
    await following.at_end()
    assert place.events == ["asks are taken", "leave.md is searchable"]
