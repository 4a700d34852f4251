"""What answers cite that this site's log does not carry: what to ask the hub of it, and what its word means. Pure.

A document is asked about while some chunk of it is not known to stand at the position that the hub is at.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from causeway.edge_inference.answer_index import DocumentName
from causeway.edge_inference.doubts import Changed, Standing
from causeway.proto.cloud import (
    CHUNKS_ASKED_MAX,
    DOCUMENTS_ASKED_MAX,
    CitationsAsked,
    CitationsStanding,
    CitedDocument,
    DocumentStanding,
)

REQUEST_BYTES_MAX = 200_000
# Of a document beside its id and its chunks, and of a chunk: more than msgpack takes.
_DOCUMENT_BYTES, _CHUNK_BYTES = 64, 20
Cited = Mapping[DocumentName, Set[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubPosition:
    """A place in the hub's log. `log_created` tells one log from another."""

    hub_seq: int
    log_created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """The chunks of a document that stood when the hub was at a position."""

    at: HubPosition
    chunk_ids: frozenset[bytes]


@dataclass(kw_only=True)
class Vouched:
    """What the hub has said so far. `failed`: the chunks of a document that did not stand when it was asked last."""

    stood: dict[DocumentName, Stood] = field(default_factory=dict)
    failed: dict[DocumentName, frozenset[bytes]] = field(default_factory=dict)

    def due(self, cited: Cited, at: HubPosition | None, most: int) -> list[DocumentName]:
        """What is to be asked now, the longest unasked first. `at` None: the hub's position is not known."""
        due = [document for document, chunks in cited.items() if not self._stands(document, chunks, at)]
        return sorted(due, key=self._asked_at)[:most]

    def forget_but(self, cited: Cited) -> None:
        """Nothing else is cited any more."""
        self.stood = {document: stood for document, stood in self.stood.items() if document in cited}
        self.failed = {document: chunks for document, chunks in self.failed.items() if document in cited}

    def hear(self, asked: CitationsAsked, said: CitationsStanding) -> list[Changed]:
        """Take a reply. Returns the documents that are not as they were cited, as they bear on what cites them."""
        at = HubPosition(hub_seq=said.hub_seq, log_created=said.log_created)
        listed = {(one.origin, one.document_id): one for one in said.documents}
        changed = []
        for one in asked.documents:
            document = DocumentName(asked.kb, one.origin, one.document_id)
            standing = listed.get((one.origin, one.document_id))
            stood = _standing_chunks(one, standing)
            self.stood[document] = Stood(at=at, chunk_ids=stood)
            self.failed[document] = frozenset(one.chunk_ids) - stood
            if standing is not None and standing.revision:
                heard = _standing(one, standing)
                changed.append(Changed(document=document, standing=heard, hub_seq=said.hub_seq))
        return changed

    def _stands(self, document: DocumentName, chunks: Set[bytes], at: HubPosition | None) -> bool:
        stood = self.stood.get(document)
        return stood is not None and stood.at == at and chunks <= stood.chunk_ids

    def _asked_at(self, document: DocumentName) -> int:
        stood = self.stood.get(document)
        return -1 if stood is None else stood.at.hub_seq


def requests(cited: Cited, due: list[DocumentName]) -> Iterator[CitationsAsked]:
    """`due` in as few requests as their limits allow, each of one kb. Of one document, chunks beyond CHUNKS_ASKED_MAX
    are left out."""
    by_kb: dict[str, list[CitedDocument]] = {}
    for document in due:
        chunks = sorted(cited[document])[:CHUNKS_ASKED_MAX]
        one = CitedDocument(origin=document.origin, document_id=document.document_id, chunk_ids=chunks)
        by_kb.setdefault(document.kb, []).append(one)
    for kb, documents in by_kb.items():
        batch: list[CitedDocument] = []
        room = REQUEST_BYTES_MAX
        for one in documents:
            size = _DOCUMENT_BYTES + len(one.document_id.encode()) + _CHUNK_BYTES * len(one.chunk_ids)
            if batch and (size > room or len(batch) == DOCUMENTS_ASKED_MAX):
                yield CitationsAsked(kb=kb, documents=batch)
                batch, room = [], REQUEST_BYTES_MAX
            batch.append(one)
            room -= size
        yield CitationsAsked(kb=kb, documents=batch)


def merged(*parts: Cited) -> dict[DocumentName, set[bytes]]:
    """All of them together."""
    together: dict[DocumentName, set[bytes]] = {}
    for part in parts:
        for document, chunks in part.items():
            together.setdefault(document, set()).update(chunks)
    return together


def _standing_chunks(asked: CitedDocument, standing: DocumentStanding | None) -> frozenset[bytes]:
    if standing is None:
        return frozenset(asked.chunk_ids)
    if standing.deleted or standing.replaced or not standing.revision:
        return frozenset()
    return frozenset(asked.chunk_ids) - set(standing.gone_chunk_ids)


def _standing(asked: CitedDocument, standing: DocumentStanding) -> Standing:
    return Standing(
        revision=standing.revision,
        deleted=standing.deleted,
        chunks=frozenset(asked.chunk_ids) - set(standing.gone_chunk_ids),
        shadowed=standing.revision if standing.replaced else 0,
    )
