"""Examples of the messages that have to do with the link, the history and other places: see `golden`."""

import hashlib

from causeway.proto import chunks, codec, documents, history, knowledge, link, outbox, space

_CHUNK_ID = bytes(range(16))
_DOCUMENT_KEY = bytes(range(16, 32))
_REVISION = 1_760_000_000_123
_AT_UNIX_MS = 1_760_000_000_456
_DIGEST = hashlib.sha256(b"records").digest()[:16]
_STAMP = knowledge.Stamp(wall_ms=_AT_UNIX_MS, counter=1, origin="branch-1", seen={"hub": 70_000}, repair=1)


def examples(manifest: chunks.Manifest) -> tuple[codec.Message, ...]:
    """One of each type, every field set; `manifest` has places and no stamp."""
    return (*_knowledge(manifest), *_outbox(manifest), *_requests(), *_operators(), *_space(), *_history(manifest))


def _knowledge(manifest: chunks.Manifest) -> tuple[codec.Message, ...]:
    return (
        knowledge.DocumentRevised(manifest=manifest, stamp=_STAMP),
        knowledge.ChunkReembedded(
            kb="handbook",
            chunk_id=_CHUNK_ID,
            model="multilingual-e5-small-fp32",
            dims=2,
            vector_f16=bytes((0, 60, 0, 0)),
        ),
        knowledge.DocumentShadowed(
            kb="handbook",
            document_id="policies/贷款-2025.pdf",
            document_key=_DOCUMENT_KEY,
            revision=_REVISION,
            winner="hub",
            winner_revision=70_000,
            concurrent=True,
        ),
        knowledge.Watermark(origin="branch-1", outbox_seq=300, inbox_seq=70_000, inbox_created_ns=_AT_UNIX_MS * 10**6),
    )


def _space() -> tuple[codec.Message, ...]:
    return (
        space.SpaceAsked(action=space.SpaceAction.START, model="multilingual-e5-small", precision="fp32"),
        space.SpaceStatus(
            phase=space.SpacePhase.EMBEDDING,
            model="multilingual-e5-small",
            precision="int8",
            next_model="multilingual-e5-small",
            next_precision="fp32",
            chunks_total=70_000,
            chunks_done=300,
            documents_total=5_000,
            documents_done=20,
            lag=69_700,
            eta_s=1_800.5,
            reason="it was killed",
        ),
    )


def _outbox(manifest: chunks.Manifest) -> tuple[codec.Message, ...]:
    return (
        outbox.ChunkShared(
            kb="handbook",
            number=300,
            chunk_id=_CHUNK_ID,
            model="multilingual-e5-small-int8",
            language="zh",
            context="个人贷款管理办法 › 第二章 › 利率",
            text="贷款利率不得高于合同约定。".encode(),
            zstd=True,
            scale=0.0009765625,
            vector_i8=bytes((0, 127, 129, 1)),
        ),
        outbox.DocumentShared(
            manifest=manifest,
            runs=[outbox.Run(start=0, count=300, page_first=1, page_last=2), outbox.Run(start=70_000, count=1)],
            stamp=_STAMP,
        ),
        outbox.ArtifactOffered(
            kind=outbox.ArtifactKind.CALIBRATION,
            name="handbook",
            version="2026-01",
            filename="handbook.json",
            object_name="calibration/handbook/2026-01",
            size_bytes=5_000_000_000,
            sha256=hashlib.sha256(b"artifact").hexdigest(),
            withdrawn=True,
        ),
    )


def _requests() -> tuple[codec.Message, ...]:
    span = link.Span(low=_CHUNK_ID, high=_DOCUMENT_KEY, count=300, fingerprint=_DIGEST)
    listing = link.Listing(
        low=_CHUNK_ID, high=_DOCUMENT_KEY, items=[link.Item(document_key=_DOCUMENT_KEY, digest=_DIGEST)]
    )
    return (
        link.SiteReport(
            site="branch-1",
            at_unix_ms=_AT_UNIX_MS,
            outbox_seq=70_000,
            closed_seq=69_999,
            queued=3,
            withheld=2,
            siblings=1,
            inbox_seq=300,
            verified_unix_ms=_AT_UNIX_MS,
            verified_equal=True,
            artifacts={"calibration/handbook": "2026-01"},
        ),
        link.HubReport(
            at_unix_ms=_AT_UNIX_MS, applied_seq=300, outbox_seq=70_000, siblings=1, shared={"handbook": b"\x01" * 16}
        ),
        link.Compare(kb="handbook", spans=[span], thorough=True),
        link.Compared(kb="handbook", spans=[span], listings=[listing]),
        link.FetchDocuments(kb="handbook", document_keys=[_DOCUMENT_KEY]),
        link.FetchArtifact(object_name="calibration/handbook/2026-01", offset=70_000, bytes_max=300),
        link.OffersAsked(),
        link.ArtifactBytes(offset=70_000, total=5_000_000_000, data=b"\x00\x01 bytes \xff"),
    )


def _operators() -> tuple[codec.Message, ...]:
    peer = link.PeerStatus(
        origin="branch-1",
        replica="hub",
        connected=True,
        outbox_seq=70_000,
        applied_seq=69_700,
        lag_messages=300,
        lag_bytes=70_000,
        lag_s=1.5,
        queued=3,
        withheld=2,
        verified_unix_ms=_AT_UNIX_MS,
        verified_equal=True,
    )
    difference = link.Difference(
        kb="handbook",
        document_key=_DOCUMENT_KEY,
        document_id="policies/贷款-2025.pdf",
        wrong_at="hub",
        what="chunk text differs",
        repaired=True,
    )
    return (
        link.LinkStatusAsked(),
        link.LinkStatus(
            place="branch-1",
            role="site",
            epoch={"branch-1": 70_000, "hub": 300},
            peers=[peer],
            siblings=["handbook/policies/贷款-2025.pdf~hub"],
            artifacts={"calibration/handbook": "2026-01"},
        ),
        link.VerifyAsked(kb="handbook", repair=True),
        link.LedgerAsked(after=300, lines_max=70, newest=True, verify=True),
        link.Ledger(
            lines=[
                link.LedgerLine(
                    number=301,
                    at_unix_ms=_AT_UNIX_MS,
                    kb="handbook",
                    document_id="policies/贷款-2025.pdf",
                    revision=_REVISION,
                    label="public",
                    action="share",
                    reason="Public documents travel.",
                    chunks=3,
                    bytes_out=70_000,
                    hash=_DIGEST,
                )
            ],
            total=301,
            broken_at=17,
            broken_reason="it is not what was written: its hash does not fit",
        ),
        link.Verified(
            place="branch-1",
            documents=300,
            equal=False,
            differences=[difference],
            bytes_sent=70_000,
            bytes_received=300,
            rounds=3,
            unsettled=True,
        ),
    )


def _history(manifest: chunks.Manifest) -> tuple[codec.Message, ...]:
    entry = history.RevisionEntry(
        document_id="policies/贷款-2025.pdf",
        document_key=_DOCUMENT_KEY,
        origin="branch-1",
        revision=_REVISION,
        seq=300,
        at_unix_ms=_AT_UNIX_MS,
        deleted=True,
        title="个人贷款管理办法",
        chunks=2,
        current=True,
        sibling_of="hub",
        shadowed_by="hub",
        earlier_gone=True,
    )
    text = history.ChunkText(chunk_id=_CHUNK_ID, language="zh", context="第二章 › 利率", text="贷款利率不得高于合同。")
    return (
        history.HistoryAsked(kb="handbook", document_id="policies/贷款-2025.pdf", revisions_max=300, before=70_000),
        history.History(kb="handbook", revisions=[entry], next_before=300, complete_from=300),
        history.RevisionAsked(
            kb="handbook", document_id="policies/贷款-2025.pdf", revision=_REVISION, at_seq=300, origin="branch-1"
        ),
        history.RevisionText(
            manifest=manifest,
            origin="branch-1",
            chunks=[text],
            standing_residency=documents.Residency.PUBLIC,
            last=False,
        ),
    )
