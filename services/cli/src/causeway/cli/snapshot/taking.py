"""From KNOWLEDGE to a snapshot: reads what stands now, writes what changed, commits."""

import hmac
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from causeway.bus import Bus
from causeway.cli.snapshot.layout import Contents, Head, Record, files_of, head_bytes
from causeway.cli.snapshot.repository import Repository
from causeway.proto import subjects
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised

KEY_CHECK_CHARS = 16
_STREAM = subjects.KNOWLEDGE_DOCUMENT.stream


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a snapshot holds, and how many files are other than before."""

    commit: str
    documents: dict[str, int]
    chunks: int
    files_changed: int


def key_check(chunk_key: str) -> str:
    """A value that tells two chunk keys apart and nothing else."""
    return hmac.new(chunk_key.encode(), b"causeway chunk key check", "sha256").hexdigest()[:KEY_CHECK_CHARS]


async def read_kbs(bus: Bus, kbs: list[str], progress: Callable[[int], None]) -> dict[str, Contents]:
    """The standing documents and their chunks, of all kbs or of those named. `progress` hears of each record."""
    wanted = kbs or ["*"]
    filters = [
        subject.at("*", kb) for kb in wanted for subject in (subjects.KNOWLEDGE_DOCUMENT, subjects.KNOWLEDGE_CHUNK)
    ]
    found: dict[str, Contents] = {}
    async for delivery in bus.scan(_STREAM, filters):
        message = delivery.message
        progress(1)
        if isinstance(message, DocumentRevised | ChunkEmbedded):
            kb = message.manifest.kb if isinstance(message, DocumentRevised) else message.kb
            found.setdefault(kb, Contents()).add(Record(origin=origin_of(delivery.subject), message=message))
    for contents in found.values():
        contents.keep_named()
    return {kb: contents for kb, contents in sorted(found.items()) if contents.documents}


def origin_of(subject: str) -> str:
    """The place that a record of KNOWLEDGE came from: the second token of its subject."""
    return subject.split(".", 2)[1]


def only_public(contents: Contents) -> Contents:
    """Those documents that may leave the place."""
    kept = Contents(chunks=dict(contents.chunks))
    kept.documents = {
        key: revised
        for key, revised in contents.documents.items()
        if revised.manifest.residency is Residency.PUBLIC or revised.manifest.deleted
    }
    kept.keep_named()
    return kept


def write(repository: Repository, kbs: dict[str, Contents], head: Head) -> Taken:
    """Write and commit."""
    changed = sum(repository.write(kb, files_of(kb, contents)) for kb, contents in kbs.items())
    documents = Counter({kb: _standing(contents) for kb, contents in kbs.items()})
    message = f"snapshot of {head.place}: " + (
        ", ".join(f"{kb} {count} documents" for kb, count in documents.items()) or "empty"
    )
    commit = repository.commit(head_bytes(head), message)
    return Taken(
        commit=commit,
        documents=dict(documents),
        chunks=sum(len(contents.chunks) for contents in kbs.values()),
        files_changed=changed,
    )


def _standing(contents: Contents) -> int:
    return sum(not revised.manifest.deleted for revised in contents.documents.values())
