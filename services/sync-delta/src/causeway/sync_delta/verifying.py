"""The site's side of a comparison: what it shares against what the hub holds, named document by document, and mended.

Reading only, unless a repair is asked for. A repair never guesses: a chunk is right where its text gives its id, a
manifest where it is what was shared. What is wrong at the hub is sent again, what is wrong here is taken from the hub.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec

from causeway.bus import Bus
from causeway.proto import Message, encode, link, subjects
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from causeway.proto.outbox import ChunkShared, DocumentShared
from causeway.reconciliation import Comparison, Finding, Item, Reply
from causeway.sync_delta import residency
from causeway.sync_delta.comparing import from_wire, to_wire
from causeway.sync_delta.digests import content_hash
from causeway.sync_delta.encoding import BadSharedChunkError, decode
from causeway.sync_delta.findings import HubCopy, Verdict, judge
from causeway.sync_delta.outbox_tables import Shared
from causeway.sync_delta.outgoing import Outgoing
from causeway.sync_delta.replicas import Held, Replica, read_replica
from causeway.sync_delta.runs import BadRunsError, MissingChunksError, places_of
from causeway.sync_delta.state import State, Tables

KNOWLEDGE = subjects.KNOWLEDGE_DOCUMENT.stream
ROUND_TIMEOUT_S = 120.0
NAMED_MAX = 1_000
"""Differences that one answer names; beyond it only their number is right, and a repair is asked for again."""
Quiet = Callable[[], Awaitable[bool]]
"""Whether all that was shared has been applied on the other side and nothing waits."""


@dataclass(kw_only=True)
class _Tally:
    documents: int = 0
    sent: int = 0
    received: int = 0
    rounds: int = 0
    differences: list[link.Difference] = field(default_factory=list)


@dataclass(kw_only=True)
class Verifying:
    """`knowledge` is the site's own bus, `peer` the one that reaches over the link."""

    site: str
    chunk_key: bytes
    knowledge: Bus
    peer: Bus
    state: State
    outgoing: Outgoing
    quiet: Quiet
    settle_s: float = 30.0
    poll_s: float = 0.2
    last_unix_ms: int = 0
    last_equal: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def verify(self, asked: link.VerifyAsked) -> link.Verified:
        """Compare one kb or all that is shared, and mend on request; one comparison at a time."""
        async with self._turn:
            settled = await self._settled()
            tally = await self._compare_all(asked)
            if asked.repair and tally.differences:
                settled = await self._settled() and settled
                again = await self._compare_all(link.VerifyAsked(kb=asked.kb))
                left = {(each.kb, each.document_key) for each in again.differences}
                tally.differences = [
                    msgspec.structs.replace(each, repaired=(each.kb, each.document_key) not in left)
                    for each in tally.differences
                ]
            equal = all(each.repaired for each in tally.differences)
            if settled and not asked.kb:
                self.last_unix_ms, self.last_equal = time.time_ns() // 1_000_000, equal
            return link.Verified(
                place=self.site,
                documents=tally.documents,
                equal=equal,
                differences=tally.differences,
                bytes_sent=tally.sent,
                bytes_received=tally.received,
                rounds=tally.rounds,
                unsettled=not settled,
            )

    async def _settled(self) -> bool:
        """Wait until nothing is under way, so that what differs is wrong and not late."""
        deadline = time.monotonic() + self.settle_s
        while not await self.quiet():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(self.poll_s)
        return True

    async def _compare_all(self, asked: link.VerifyAsked) -> _Tally:
        tally = _Tally()
        for kb in [asked.kb] if asked.kb else await self.state.read(lambda tables: tables.outbox.kbs()):
            shared = await self.state.read(partial(_live, kb=kb))
            replica = await read_replica(self.knowledge, self.site, kb, partial(_shareable, shared=shared))
            tally.documents += len(replica.documents)
            found = await self._differing(kb, replica, tally)
            for start in range(0, min(len(found), NAMED_MAX), link.KEYS_MAX):
                await self._name(kb, replica, shared, found[start : start + link.KEYS_MAX], asked.repair, tally)
        return tally

    async def _differing(self, kb: str, replica: Replica, tally: _Tally) -> list[Finding]:
        comparison = Comparison(replica.items())
        found: list[Finding] = []
        while spans := comparison.ask():
            request = link.Compare(kb=kb, spans=[to_wire(span) for span in spans], thorough=True)
            reply = await self.peer.request(
                subjects.SYNC_COMPARE.at(self.site), request, link.Compared, ROUND_TIMEOUT_S
            )
            _count(tally, [request], [reply])
            tally.rounds += 1
            found += comparison.take(_reply(reply))
        return found

    async def _name(
        self,
        kb: str,
        replica: Replica,
        shared: dict[bytes, Shared],
        found: Sequence[Finding],
        repair: bool,
        tally: _Tally,
    ) -> None:
        copies = await self._copies(kb, [each.key for each in found if each.theirs is not None], tally)
        for each in found:
            held, copy = replica.documents.get(each.key), copies.get(each.key)
            verdict = judge(held, copy, shared.get(each.key), replica.hashes, self.chunk_key)
            tally.differences.append(_difference(kb, each.key, held, copy, verdict))
            if repair:
                await self._mend(kb, held, copy, verdict)

    async def _copies(self, kb: str, keys: list[bytes], tally: _Tally) -> dict[bytes, HubCopy]:
        """What the hub holds of these."""
        copies: dict[bytes, HubCopy] = {}
        if not keys:
            return copies
        request = link.FetchDocuments(kb=kb, document_keys=keys)
        chunks: dict[int, ChunkEmbedded] = {}
        _count(tally, [request], [])
        stream = self.peer.request_stream(subjects.SYNC_DOCUMENTS.at(self.site), request, (ChunkShared, DocumentShared))
        async for part in stream:
            _count(tally, [], [part])
            if isinstance(part, ChunkShared):
                try:
                    chunks[part.number] = decode(part)
                except BadSharedChunkError:
                    continue
            elif isinstance(part, DocumentShared):
                copies[part.manifest.document_key] = _copy(part, chunks)
                chunks = {}
        return copies

    async def _mend(self, kb: str, held: Held | None, copy: HubCopy | None, verdict: Verdict) -> None:
        for chunk in verdict.chunks_from_hub:
            await self._put_chunk(chunk)
        if verdict.manifest_from_hub and copy is not None:
            await self._put_manifest(copy.manifest)
        elif verdict.withdraw and copy is not None:
            await self.outgoing.withdraw(copy.manifest, copy.repair)
        elif verdict.send_again and held is not None:
            await self.outgoing.resend(kb, [(held.manifest, True)])

    async def _put_chunk(self, chunk: ChunkEmbedded) -> None:
        subject = subjects.KNOWLEDGE_CHUNK.at(self.site, chunk.kb, chunk.chunk_id.hex())
        seq = await self.knowledge.last_seq(KNOWLEDGE)
        await self.knowledge.publish(subject, chunk, msg_id=f"repair:{chunk.chunk_id.hex()}:{seq}")

    async def _put_manifest(self, manifest: Manifest) -> None:
        subject = subjects.KNOWLEDGE_DOCUMENT.at(self.site, manifest.kb, manifest.document_key.hex())
        last = await self.knowledge.last(KNOWLEDGE, subject)
        seq = last.seq if last else 0
        await self.knowledge.publish(
            subject,
            DocumentRevised(manifest=manifest),
            msg_id=f"repair:{manifest.document_key.hex()}:{manifest.revision}:{seq}",
            expected_last_subject_seq=seq,
        )


def _live(tables: Tables, kb: str) -> dict[bytes, Shared]:
    """What is shared of a kb now."""
    found = ((item.key, tables.outbox.shared(kb, item.key)) for item in tables.outbox.items(kb))
    return {key: shared for key, shared in found if shared is not None}


def _shareable(revised: DocumentRevised, shared: dict[bytes, Shared]) -> Held | None:
    """What the hub should have of a record of this site: the same gate as when it was shared."""
    manifest = revised.manifest
    known = shared.get(manifest.document_key)
    decision = residency.gate(manifest, known is not None)
    if not decision.leaves:
        return None
    return Held(manifest=residency.leaving(manifest, decision), repair=known.repair if known else 0)


def _reply(compared: link.Compared) -> Reply:
    return Reply(
        spans=tuple(from_wire(span) for span in compared.spans),
        listings=tuple(
            (each.low, each.high, tuple(Item(key=item.document_key, digest=item.digest) for item in each.items))
            for each in compared.listings
        ),
    )


def _copy(part: DocumentShared, chunks: dict[int, ChunkEmbedded]) -> HubCopy:
    by_number = {number: chunk.chunk_id for number, chunk in chunks.items()}
    try:
        places = places_of(part.runs, by_number)
    except (BadRunsError, MissingChunksError):
        places = []
    return HubCopy(
        manifest=msgspec.structs.replace(part.manifest, places=places),
        repair=part.stamp.repair,
        chunks={chunk.chunk_id: chunk for chunk in chunks.values()},
        hashes={chunk.chunk_id: content_hash(chunk) for chunk in chunks.values()},
        whole=bool(places) or not part.runs,
    )


def _difference(kb: str, key: bytes, held: Held | None, copy: HubCopy | None, verdict: Verdict) -> link.Difference:
    known = held.manifest if held is not None else copy.manifest if copy is not None else None
    return link.Difference(
        kb=kb,
        document_key=key,
        document_id=known.document_id if known is not None else "",
        wrong_at=verdict.wrong_at,
        what=verdict.what,
    )


def _count(tally: _Tally, sent: Iterable[Message], received: Iterable[Message]) -> None:
    tally.sent += sum(len(encode(message)) for message in sent)
    tally.received += sum(len(encode(message)) for message in received)
