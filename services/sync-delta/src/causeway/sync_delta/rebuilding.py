"""A lost state folder is filled again from what OUTBOX holds: numbers, stamps and what is shared."""

import logging
from dataclasses import dataclass, replace

import msgspec

from causeway.bus import Position
from causeway.merge import Timestamp, witness
from causeway.proto import encode, streams, subjects
from causeway.proto.identity import document_key
from causeway.proto.outbox import ChunkShared, DocumentShared
from causeway.sync_delta.digests import content_hash
from causeway.sync_delta.encoding import decode
from causeway.sync_delta.numbering import first_number
from causeway.sync_delta.outbox_tables import Shared
from causeway.sync_delta.outgoing import manifest_hash
from causeway.sync_delta.ports import Log
from causeway.sync_delta.publication import digest
from causeway.sync_delta.runs import numbers_of, places_of
from causeway.sync_delta.state import State, Tables
from causeway.sync_delta.versions import version_of

_AT_ONCE = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A message of OUTBOX with where and when it lies."""

    message: ChunkShared | DocumentShared
    seq: int
    at_ms: int


async def rebuild(state: State, outbox: Log, place: str, chunk_key: bytes, now_ms: int) -> None:
    """Fill a state that is fresh, or whose OUTBOX was made anew or has lost its end; another one stays as it is.

    May be begun again when it was cut off. The ledger of a fresh state begins anew: what it said is not in OUTBOX.
    """
    last_seq = await outbox.last_seq(streams.outbox(place).name)
    if not state.fresh and await state.read(lambda tables: tables.outbox.last_seq()) <= last_seq:
        return
    await state.write(_forget)
    found = await _read(outbox, place)
    chunks = [each for each in found if isinstance(each.message, ChunkShared)]
    documents = [each for each in found if isinstance(each.message, DocumentShared)]
    for start in range(0, len(chunks), _AT_ONCE):
        some = chunks[start : start + _AT_ONCE]
        await state.write(lambda tables, some=some: _put_chunks(tables, some))  # type: ignore[misc]
    await state.write(lambda tables: _put_next(tables, chunks, now_ms))
    for start in range(0, len(documents), _AT_ONCE):
        some = documents[start : start + _AT_ONCE]
        await state.write(lambda tables, some=some: _put_documents(tables, some, chunk_key))  # type: ignore[misc]
    await state.settle()
    if found:
        _log.warning("the state was lost and is filled again from OUTBOX", extra={"documents": len(documents)})


def _forget(tables: Tables) -> None:
    """What OUTBOX does not hold any more is not shared any more: everything is decided anew."""
    tables.outbox.clear()
    tables.marks.knowledge = Position()


async def _read(outbox: Log, place: str) -> list[Found]:
    filters = [subjects.OUTBOX_CHUNK.at(place), subjects.OUTBOX_DOCUMENT.at(place)]
    return [
        Found(message=each.message, seq=each.stream_seq, at_ms=int(each.timestamp.timestamp() * 1000))
        async for each in outbox.scan(streams.outbox(place).name, filters)
        if isinstance(each.message, ChunkShared | DocumentShared)
    ]


def _put_chunks(tables: Tables, found: list[Found]) -> None:
    for each in found:
        chunk = each.message
        assert isinstance(chunk, ChunkShared)
        row = (chunk.chunk_id, 0, content_hash(decode(chunk)), each.seq, len(encode(chunk)), each.at_ms)
        tables.outbox.put_number(chunk.kb, chunk.number, row)


def _put_next(tables: Tables, found: list[Found], now_ms: int) -> None:
    """Numbering goes on above everything that may have been given out."""
    highest: dict[str, int] = {}
    for each in found:
        assert isinstance(each.message, ChunkShared)
        highest[each.message.kb] = max(highest.get(each.message.kb, 0), each.message.number)
    for kb, number in highest.items():
        tables.outbox.put_next(kb, max(first_number(now_ms), number + 1))


def _put_documents(tables: Tables, found: list[Found], chunk_key: bytes) -> None:
    clock = tables.marks.clock
    for each in found:
        shared = each.message
        assert isinstance(shared, DocumentShared)
        stamp = shared.stamp
        version = version_of(stamp, shared.manifest)
        name = document_key(chunk_key, shared.manifest.kb, shared.manifest.document_id)
        # A retraction says nothing of the version that stands here.
        if stamp.wall_ms:
            tables.versions.put(name, replace(version, repair=0), shared.manifest.document_key)
        clock = witness(clock, Timestamp(stamp.wall_ms, stamp.counter, stamp.origin))
        _put_document(tables, shared, each)
    tables.marks.clock = clock


def _put_document(tables: Tables, shared: DocumentShared, found: Found) -> None:
    kb, key = shared.manifest.kb, shared.manifest.document_key
    numbers = numbers_of(shared.runs)
    chunk_of = tables.outbox.chunk_ids(kb, numbers)
    whole = all(number in chunk_of for number in numbers)
    places = places_of(shared.runs, chunk_of) if whole else []
    manifest = msgspec.structs.replace(shared.manifest, places=places)
    hashes = tables.outbox.content_hashes(kb, [place.chunk_id for place in places])
    tables.outbox.count_documents(kb, numbers)
    row = Shared(
        document_id=manifest.document_id,
        # A document that lacks a chunk is decided on anew.
        revision=manifest.revision if whole else 0,
        repair=shared.stamp.repair,
        deleted=manifest.deleted,
        runs=shared.runs,
        leftover=[],
        manifest_hash=manifest_hash(manifest),
        digest=digest(manifest, shared.stamp.repair, hashes),
        outbox_seq=found.seq,
        at_ms=found.at_ms,
    )
    tables.outbox.put_shared(kb, key, row, len(encode(shared)))
