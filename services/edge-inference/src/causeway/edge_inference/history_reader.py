"""Reads the past of documents by the side of the vault's writer. Not for two threads at once."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from causeway.edge_inference import schema
from causeway.edge_inference.answer_index import DocumentName
from causeway.edge_inference.envelope import Kind
from causeway.edge_inference.problems import (
    RevisionNotWholeError,
    UnknownDocumentError,
    UnknownKbError,
    UnknownRevisionError,
)
from causeway.edge_inference.records import (
    ChunkRecord,
    DocumentRecord,
    position,
    sequence_in,
    unpack_chunk,
    unpack_document,
    unpack_history,
)
from causeway.edge_inference.sealed_rows import SealedRows, tampering_named
from causeway.edge_inference.shadows import hidden_by
from causeway.edge_inference.vault import State, Vault, read_state
from causeway.proto.documents import Residency
from causeway.proto.history import History, HistoryAsked, RevisionAsked, RevisionEntry

_LOG = """SELECT document, revision, position, at_ms, until_ms FROM moment
    WHERE kb = ? AND position < ? ORDER BY position DESC LIMIT ?"""
_LOG_OF_NAME = """SELECT moment.document, revision, position, at_ms, until_ms
    FROM known JOIN moment ON moment.kb = known.kb AND moment.document = known.document
    WHERE known.kb = ? AND known.tag = ? AND position < ? ORDER BY position DESC LIMIT ?"""
_ANY_POSITION = (1 << 63) - 1
# By what may become of the document if it leaves: the strictest first.
_STRICTEST_FIRST = tuple(Residency)
_Row = tuple[bytes, int, int, int, int | None]


@dataclass(frozen=True, kw_only=True)
class Recalled:
    """One revision of a document; `standing` is the strictest residency of its newest states that are no deletions."""

    record: DocumentRecord
    standing: Residency
    texts: tuple[ChunkRecord, ...]


@dataclass(frozen=True, kw_only=True)
class _Life:
    """What is held of one document of one origin, oldest first; the last is current."""

    key: bytes
    revisions: tuple[DocumentRecord, ...]
    hidden: bool
    earlier_gone: bool

    @property
    def current(self) -> DocumentRecord:
        return self.revisions[-1]

    def at(self, place: int) -> DocumentRecord | None:
        """What stood at a position."""
        return next((record for record in reversed(self.revisions) if record.position <= place), None)

    def numbered(self, revision: int) -> DocumentRecord | None:
        return next((record for record in self.revisions if record.is_numbered(revision)), None)


class HistoryReader:
    """A connection of its own; every request reads one state of the vault."""

    def __init__(self, site: str, vault: Vault) -> None:
        self._site = site
        self._vault = vault
        self._sql: sqlite3.Connection = schema.connect(vault.folder, writes=False)
        self._rows = SealedRows(self._sql, vault.envelope)

    def close(self) -> None:
        """Let go of the connection."""
        self._sql.close()

    def log(self, asked: HistoryAsked) -> History:
        """Revisions newest first.

        Raises:
            UnknownKbError, UnknownDocumentError: with what the asker can do about it.
        """
        with self._snapshot() as state:
            kb = self._number(asked.kb)
            rows = self._moments(kb, asked)
            if not rows and asked.document_id and not asked.before:
                raise UnknownDocumentError(asked.kb, asked.document_id)
            lives: dict[bytes, _Life] = {}
            for document, *_ in rows:
                if document not in lives:
                    lives[document] = self._life(kb, document)
            entries = [self._entry(kb, row, lives[row[0]], state) for row in rows]
            return History(
                kb=asked.kb,
                revisions=[entry for entry in entries if entry is not None],
                next_before=rows[-1][2] if len(rows) == asked.revisions_max else 0,
                complete_from=sequence_in(state.generation, max(0, state.complete_from)),
            )

    def revision(self, asked: RevisionAsked) -> Recalled:
        """One revision with its texts.

        Raises:
            UnknownKbError, UnknownDocumentError, UnknownRevisionError, RevisionNotWholeError.
        """
        with self._snapshot() as state:
            kb = self._number(asked.kb)
            lives = [self._life(kb, document) for document in self._named(kb, asked.document_id)]
            if asked.origin:
                lives = [life for life in lives if (life.current.origin or self._site) == asked.origin]
            if not lives:
                raise UnknownDocumentError(asked.kb, asked.document_id)
            record = _chosen(lives, asked, state)
            if record is None:
                raise UnknownRevisionError(asked.kb, asked.document_id, asked.revision, asked.at_seq)
            return Recalled(record=record, standing=_standing(lives), texts=self._texts(kb, record))

    def carried(self, documents: Iterable[DocumentName]) -> set[DocumentName]:
        """Those of the documents that ever came into the log, tombstones too."""
        with self._snapshot():
            return {document for document in documents if document.origin in self._origins(document)}

    def _origins(self, document: DocumentName) -> Iterator[str]:
        number = self._vault.kb_numbers.get(document.kb)
        for key in () if number is None else self._named(number, document.document_id):
            assert number is not None
            for kind in (Kind.DOCUMENT, Kind.TOMBSTONE):
                held = self._rows.get(kind, number, key)
                if held is not None:
                    yield unpack_document(held.record).origin

    @contextmanager
    def _snapshot(self) -> Iterator[State]:
        self._sql.execute("BEGIN")
        try:
            self._rows.envelope = self._vault.envelope
            with tampering_named(self._vault.folder):
                yield read_state(self._rows)
        finally:
            self._sql.execute("ROLLBACK")

    def _number(self, kb: str) -> int:
        numbers = self._vault.kb_numbers
        if kb not in numbers:
            raise UnknownKbError(kb, sorted(numbers))
        return numbers[kb]

    def _moments(self, kb: int, asked: HistoryAsked) -> list[_Row]:
        before = asked.before or _ANY_POSITION
        if not asked.document_id:
            return self._sql.execute(_LOG, (kb, before, asked.revisions_max)).fetchall()
        tag = self._rows.envelope.tag_of(kb, asked.document_id)
        return self._sql.execute(_LOG_OF_NAME, (kb, tag, before, asked.revisions_max)).fetchall()

    def _named(self, kb: int, document_id: str) -> list[bytes]:
        tag = self._rows.envelope.tag_of(kb, document_id)
        rows = self._sql.execute("SELECT document FROM known WHERE kb = ? AND tag = ?", (kb, tag))
        return [document for (document,) in rows]

    def _life(self, kb: int, document: bytes) -> _Life:
        past = self._rows.get(Kind.HISTORY, kb, document)
        revisions = [] if past is None else [revision.document for revision in unpack_history(past.record)]
        for kind in (Kind.DOCUMENT, Kind.TOMBSTONE):
            held = self._rows.get(kind, kb, document)
            if held is not None:
                revisions.append(unpack_document(held.record))
        pruned = self._sql.execute("SELECT pruned FROM known WHERE kb = ? AND document = ?", (kb, document)).fetchone()
        return _Life(
            key=document,
            revisions=tuple(revisions),
            hidden=hidden_by(self._rows, kb, document, revisions[-1].manifest.revision) is not None,
            earlier_gone=bool(pruned and pruned[0]),
        )

    def _entry(self, kb: int, row: _Row, life: _Life, state: State) -> RevisionEntry | None:
        document, number, place, at_ms, until_ms = row
        record = life.numbered(number)
        if record is None:
            return None
        shadow = hidden_by(self._rows, kb, document, number) if until_ms is None else None
        manifest = record.manifest
        return RevisionEntry(
            document_id=manifest.document_id,
            document_key=document,
            origin=record.origin or self._site,
            revision=number,
            seq=sequence_in(state.generation, place),
            at_unix_ms=at_ms,
            deleted=manifest.deleted,
            title=manifest.title,
            chunks=len(manifest.places),
            current=until_ms is None,
            sibling_of=shadow.winner if shadow is not None and shadow.concurrent else "",
            shadowed_by=shadow.winner if shadow is not None else "",
            earlier_gone=life.earlier_gone and record is life.revisions[0],
        )

    def _texts(self, kb: int, record: DocumentRecord) -> tuple[ChunkRecord, ...]:
        names = [place.chunk_id for place in record.manifest.places]
        packed = self._rows.get_many(Kind.TEXT, kb, names) | self._rows.get_many(Kind.CHUNK, kb, names)
        if missing := len(set(names) - packed.keys()):
            raise RevisionNotWholeError(record.manifest.document_id, record.manifest.revision, missing)
        return tuple(unpack_chunk(packed[name]) for name in names)


def _chosen(lives: list[_Life], asked: RevisionAsked, state: State) -> DocumentRecord | None:
    """Of several origins: the one that is searched, then that of this place, then the newest."""
    lives = sorted(lives, key=lambda life: (life.hidden, life.current.origin != "", -life.current.position))
    if asked.revision:
        # Numbers of two places may lie between each other: one that is the very number goes first.
        said = [record for life in lives if (record := life.numbered(asked.revision)) is not None]
        return next((record for record in said if record.manifest.revision == asked.revision), next(iter(said), None))
    if asked.at_seq:
        found = (life.at(position(state.generation, asked.at_seq)) for life in lives)
    else:
        found = (life.current for life in lives)
    return next((record for record in found if record is not None), None)


def _standing(lives: list[_Life]) -> Residency:
    newest = (
        next((record for record in reversed(life.revisions) if not record.manifest.deleted), None) for life in lives
    )
    found = {record.manifest.residency for record in newest if record is not None}
    return next((residency for residency in _STRICTEST_FIRST if residency in found), Residency.RESTRICTED)
