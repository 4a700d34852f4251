"""What must hold, read from the logs themselves: knows the messages, and nothing of how sync-delta works."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from causeway.bus import Bus, Delivery, Position
from causeway.proto import subjects
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from tests.faults.writing import KB, Document, Writer

STREAM = subjects.KNOWLEDGE_DOCUMENT.stream


@dataclass(kw_only=True)
class Observer:
    """Sees every manifest that the hub's log takes, unless a newer one has replaced it before it was seen."""

    bus: Bus
    position: Position = field(default_factory=Position)
    effects: Counter[tuple[str, str, int, int]] = field(default_factory=Counter)
    newest: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    out_of_order: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Follow from the beginning."""
        self.bus.follow(
            STREAM, [subjects.KNOWLEDGE_DOCUMENT.at("*")], self._at, self._see, message_types=(DocumentRevised,)
        )

    async def _at(self) -> Position:
        return self.position

    async def _see(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.stream_seq <= self.position.seq or not isinstance(delivery.message, DocumentRevised):
                continue
            manifest, stamp = delivery.message.manifest, delivery.message.stamp
            origin = delivery.subject.split(".")[1]
            version = (manifest.revision, stamp.repair if stamp else 0)
            key = (origin, manifest.document_id)
            self.effects[*key, *version] += 1
            if version <= self.newest.get(key, (0, 0)):
                self.out_of_order.append(f"{key}: {version} after {self.newest[key]}")
            self.newest[key] = max(version, self.newest.get(key, (0, 0)))
            self.position = Position(seq=delivery.stream_seq)

    @property
    def twice(self) -> list[str]:
        """Effects that were seen more than once."""
        return [str(effect) for effect, count in self.effects.items() if count > 1]


@dataclass(frozen=True, kw_only=True)
class AtHub:
    """What the hub's log holds of a site."""

    manifests: dict[str, DocumentRevised]
    chunks: dict[bytes, str]


async def read_hub(bus: Bus, site: str) -> AtHub:
    """Everything of one origin, as it stands."""
    manifests: dict[str, DocumentRevised] = {}
    chunks: dict[bytes, str] = {}
    filters = [subjects.KNOWLEDGE_DOCUMENT.at(site, KB), subjects.KNOWLEDGE_CHUNK.at(site, KB)]
    async for delivery in bus.scan(STREAM, filters):
        if isinstance(delivery.message, DocumentRevised):
            manifests[delivery.message.manifest.document_id] = delivery.message
        elif isinstance(delivery.message, ChunkEmbedded):
            chunks[delivery.message.chunk_id] = delivery.message.text
    return AtHub(manifests=manifests, chunks=chunks)


def lost(writer: Writer, held: AtHub) -> list[str]:
    """Acknowledged documents of which the hub has not the last state, text by text."""
    return [name for name, document in writer.documents.items() if not _stands(document, held)]


def _stands(document: Document, held: AtHub) -> bool:
    revised = held.manifests.get(document.name)
    live = revised is not None and not revised.manifest.deleted
    if not document.shareable:
        return not live
    if revised is None or not live or revised.manifest.revision != document.revision:
        return False
    return [held.chunks.get(place.chunk_id) for place in revised.manifest.places] == document.texts


def leaked(secrets: Iterable[str], captured: bytes, held: AtHub) -> list[str]:
    """Secret texts that the hub holds, or that were seen on the link in the clear."""
    texts = set(held.chunks.values())
    return [secret for secret in secrets if secret in texts or secret.encode() in captured]
