"""The newest answers of each knowledge base by the documents that they cite, and what has been told of them. Pure."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from causeway.proto.answers import Route
from causeway.proto.feedback import AnswerGiven, CitedChunk


@dataclass(frozen=True, slots=True)
class DocumentName:
    """A document of a place; `origin` empty: of this one."""

    kb: str
    origin: str
    document_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What is kept in memory of an answer: nothing of its text.

    `since`: the sequence of KNOWLEDGE that it was given at; None where it does not say. `hub_seq` as in `Answer`."""

    answer_id: str
    kb: str
    language: str
    asker: str
    route: Route
    abstained: bool
    confidence: float
    since: int | None
    at_unix_ms: int
    cited: tuple[CitedChunk, ...]
    hub_seq: int = 0
    calibrated: bool = False

    def documents(self) -> dict[DocumentName, list[CitedChunk]]:
        """The cited documents, each with its chunks."""
        named: dict[DocumentName, list[CitedChunk]] = {}
        for chunk in self.cited:
            named.setdefault(DocumentName(self.kb, chunk.origin, chunk.document_id), []).append(chunk)
        return named

    def chunks_of(self, document: DocumentName) -> Iterator[bytes]:
        """The chunks of one document that it cites."""
        for chunk in self.cited:
            if chunk.document_id == document.document_id and chunk.origin == document.origin:
                yield chunk.chunk_id


def followed(answer: AnswerGiven, site: str) -> Followed:
    """What is kept of an answer of the place `site`."""
    return Followed(
        answer_id=answer.answer_id,
        kb=answer.kb,
        language=answer.language,
        asker=answer.asker,
        route=answer.route,
        abstained=answer.abstained,
        confidence=answer.confidence,
        since=answer.epoch.get(site),
        at_unix_ms=answer.at_unix_ms,
        cited=tuple(answer.cited),
        hub_seq=answer.hub_seq,
        calibrated=answer.calibrated,
    )


class AnswerIndex:
    """At most `per_kb_max` answers of each knowledge base; the oldest gives way."""

    def __init__(self, per_kb_max: int) -> None:
        self._per_kb_max = per_kb_max
        self._by_id: dict[str, Followed] = {}
        self._order: dict[str, OrderedDict[str, None]] = {}
        self._citing: dict[DocumentName, OrderedDict[str, None]] = {}

    def add(self, answer: Followed) -> Followed | None:
        """Take an answer; the same one again changes nothing. Returns the one that had to give way."""
        if answer.answer_id in self._by_id:
            return None
        self._by_id[answer.answer_id] = answer
        order = self._order.setdefault(answer.kb, OrderedDict())
        order[answer.answer_id] = None
        for name in answer.documents():
            self._citing.setdefault(name, OrderedDict())[answer.answer_id] = None
        return self._drop(next(iter(order))) if len(order) > self._per_kb_max else None

    def of(self, answer_id: str) -> Followed | None:
        """The answer of an id, while it is kept."""
        return self._by_id.get(answer_id)

    def citing(self, document: DocumentName) -> list[Followed]:
        """The answers that cite a document, oldest first."""
        return [self._by_id[answer_id] for answer_id in self._citing.get(document, ())]

    def documents(self) -> Iterable[DocumentName]:
        """All cited documents."""
        return self._citing.keys()

    def oldest_since(self) -> int | None:
        """The first sequence of KNOWLEDGE that any of them was given at."""
        return min((answer.since for answer in self._by_id.values() if answer.since is not None), default=None)

    def oldest_at(self) -> int | None:
        """When the first of them was given, in unix milliseconds."""
        return min((answer.at_unix_ms for answer in self._by_id.values()), default=None)

    def counts(self) -> dict[str, int]:
        """How many of each knowledge base."""
        return {kb: len(order) for kb, order in self._order.items()}

    def __iter__(self) -> Iterator[Followed]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def _drop(self, answer_id: str) -> Followed:
        answer = self._by_id.pop(answer_id)
        del self._order[answer.kb][answer_id]
        for name in answer.documents():
            del self._citing[name][answer_id]
            if not self._citing[name]:
                del self._citing[name]
        return answer


class Told:
    """Which answers were invalidated on account of which documents: the newest `pairs_max` of these pairs."""

    def __init__(self, pairs_max: int) -> None:
        self._pairs_max = pairs_max
        self._pairs: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def add(self, answer_id: str, origin: str, document_id: str) -> None:
        """It was told."""
        self._pairs[answer_id, origin, document_id] = None
        if len(self._pairs) > self._pairs_max:
            self._pairs.popitem(last=False)

    def has(self, answer_id: str, document: DocumentName) -> bool:
        """Whether it was told."""
        return (answer_id, document.origin, document.document_id) in self._pairs
