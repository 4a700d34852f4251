"""Earlier answers of one knowledge base in memory: by question, by vector, by what they cite. No bus, no clock."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causeway.edge_inference.answer_index import DocumentName
from causeway.proto.cache import AnswerCached
from causeway.proto.feedback import CitedChunk
from causeway.semantic_cache import Question, read

Vector = NDArray[np.float32]
_ROWS_AT_FIRST = 64


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A cached answer, its question read, and the row of its vector."""

    message: AnswerCached
    question: Question
    row: int

    def documents(self, site: str) -> dict[DocumentName, list[CitedChunk]]:
        """The cited documents, each with its chunks; `site` is the place whose own documents have no origin."""
        named: dict[DocumentName, list[CitedChunk]] = {}
        for chunk in self.message.cited:
            origin = "" if chunk.origin == site else chunk.origin
            named.setdefault(DocumentName(self.message.kb, origin, chunk.document_id), []).append(chunk)
        return named


class CachedAnswers:
    """At most `entries_max` of them; the one that was given longest ago makes room. One thread only."""

    def __init__(self, site: str, dims: int, entries_max: int) -> None:
        self._site = site
        self._entries_max = entries_max
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._citing: dict[DocumentName, set[bytes]] = {}
        self._rows = np.zeros((min(_ROWS_AT_FIRST, entries_max), dims), np.float32)
        self._keys: list[bytes | None] = [None] * len(self._rows)
        self._free = list(range(len(self._rows)))[::-1]

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> Entry | None:
        """The entry of a key."""
        return self._entries.get(key)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def put(self, message: AnswerCached) -> list[Entry]:
        """Hold an answer, in the place of an earlier one of its key. Returns what had to make room."""
        self.remove(message.key)
        evicted = []
        while len(self._entries) >= self._entries_max:
            oldest = self.remove(next(iter(self._entries)))
            assert oldest is not None
            evicted.append(oldest)
        row = self._row(message.key)
        self._rows[row] = np.frombuffer(message.vector_f16, np.float16).astype(np.float32)
        entry = Entry(message=message, question=read(message.question), row=row)
        self._entries[message.key] = entry
        for document in entry.documents(self._site):
            self._citing.setdefault(document, set()).add(message.key)
        return evicted

    def remove(self, key: bytes) -> Entry | None:
        """Let go of an answer."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._keys[entry.row] = None
        self._rows[entry.row] = 0
        self._free.append(entry.row)
        for document in entry.documents(self._site):
            keys = self._citing[document]
            keys.discard(key)
            if not keys:
                del self._citing[document]
        return entry

    def used(self, key: bytes) -> None:
        """It was given now."""
        self._entries.move_to_end(key)

    def citing(self, document: DocumentName) -> list[Entry]:
        """The entries that cite a document."""
        return [self._entries[key] for key in self._citing.get(document, ())]

    def documents(self) -> Iterable[DocumentName]:
        """All cited documents."""
        return self._citing.keys()

    def nearest(
        self, vector: Vector, cosine_min: float, most: int, may: Callable[[Entry], bool]
    ) -> list[tuple[float, Entry]]:
        """Entries that `may` be given, nearest first, none further than `cosine_min`. `vector` has length 1."""
        cosines = self._rows @ vector
        near = np.flatnonzero(cosines >= cosine_min)
        found: list[tuple[float, Entry]] = []
        for row in near[np.argsort(-cosines[near], kind="stable")]:
            key = self._keys[row]
            entry = self._entries[key] if key is not None else None
            if entry is not None and may(entry):
                found.append((float(cosines[row]), entry))
            if len(found) == most:
                break
        return found

    def _row(self, key: bytes) -> int:
        if not self._free:
            held = len(self._rows)
            more = min(2 * held, self._entries_max) - held
            self._rows = np.concatenate([self._rows, np.zeros((more, self._rows.shape[1]), np.float32)])
            self._keys += [None] * more
            self._free = list(range(held, held + more))[::-1]
        row = self._free.pop()
        self._keys[row] = key
        return row
