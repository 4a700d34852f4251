"""From a snapshot to KNOWLEDGE: what is missing or older there is published, chunks first.

At least once: publishing again what stands changes nothing, so that a restore that was broken off is simply run again.
A document that is newer in the log than in the snapshot stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from causeway.bus import Bus, Stored
from causeway.cli.errors import BadDataError, UserError
from causeway.cli.snapshot.layout import Contents, Head
from causeway.proto import subjects
from causeway.proto.chunks import Manifest, RevisionDrafted
from causeway.proto.knowledge import DocumentRevised

_KNOWLEDGE = subjects.KNOWLEDGE_DOCUMENT.stream
BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was published, and how many documents stood already, the same or newer."""

    documents: int
    chunks: int
    stood: int


def refuse_other_place(head: Head, place: str, chunk_key_check: str) -> None:
    """Document and chunk ids are keyed: with another key every document would come a second time when it is edited.

    Raises:
        UserError: the snapshot is of another place, or of another chunk key.
    """
    if head.place != place:
        raise UserError(
            f"the snapshot is of {head.place!r}, this is {place!r}", f"Start the place with --name {head.place}."
        )
    if head.chunk_key_check != chunk_key_check:
        raise UserError(
            "the snapshot was made with another chunk.key",
            "Put the chunk.key of the place that it was taken at into the folder of keys, then start again.",
        )


async def refuse_newer_revisions(bus: Bus, kbs: dict[str, Contents]) -> None:
    """A revision is a sequence of DOCUMENTS: the next one must be above all that the snapshot brings.

    Raises:
        UserError: it would not be, because the clock was wrong when one of the two was made.
    """
    newest = max(
        (
            revised.manifest.revision
            for contents in kbs.values()
            for (origin, _), revised in contents.documents.items()
            if origin == bus.settings.site
        ),
        default=0,
    )
    if newest > await bus.last_seq(subjects.DOCUMENT.stream):
        raise UserError(
            f"the snapshot has revision {newest}, and this place would give the next document a lower one",
            "Its clock was behind when it was made: set the clock, remove the data folder, start and restore again.",
        )


async def restore(bus: Bus, kb: str, contents: Contents, progress: Callable[[int], None]) -> Restored:
    """Publish what KNOWLEDGE lacks of a kb.

    Raises:
        BadDataError: the snapshot lacks chunks of a document.
    """
    missing = contents.missing()
    if missing:
        raise BadDataError(f"the snapshot lacks chunks of {missing[0]!r}", "Take another commit with --commit.")
    chunks = await _restore_chunks(bus, contents, progress)
    stood = 0
    for (origin, key), revised in contents.documents.items():
        subject = subjects.KNOWLEDGE_DOCUMENT.at(origin, kb, key.hex())
        last = await bus.last(_KNOWLEDGE, subject)
        progress(1)
        if _revision(last) >= revised.manifest.revision:
            stood += 1
            continue
        if origin == bus.settings.site:
            await _restore_draft(bus, revised.manifest)
        msg_id = f"restore:{kb}:{key.hex()}:{revised.manifest.revision}:{last.seq if last else 0}"
        await bus.publish(subject, revised, msg_id=msg_id, expected_last_subject_seq=last.seq if last else 0)
    return Restored(documents=len(contents.documents) - stood, chunks=chunks, stood=stood)


async def _restore_chunks(bus: Bus, contents: Contents, progress: Callable[[int], None]) -> int:
    by_subject = {
        subjects.KNOWLEDGE_CHUNK.at(origin, chunk.kb, chunk_id.hex()): chunk
        for (origin, chunk_id), chunk in contents.chunks.items()
    }
    published = 0
    names = list(by_subject)
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        present = await bus.exists_many(_KNOWLEDGE, batch)
        end = await bus.last_seq(_KNOWLEDGE)
        absent = [(name, by_subject[name], f"restore:{name}:{end}") for name in batch if name not in present]
        await bus.publish_many(absent)
        published += len(absent)
        progress(len(batch))
    return published


async def _restore_draft(bus: Bus, manifest: Manifest) -> None:
    """What the ingestor compares the next revision with."""
    subject = subjects.DRAFT.at(bus.settings.site, manifest.kb, manifest.document_key.hex())
    last = await bus.last(subjects.DRAFT.stream, subject)
    if _revision(last) >= manifest.revision:
        return
    msg_id = f"restore:{manifest.kb}:{manifest.document_key.hex()}:{manifest.revision}:draft"
    draft = RevisionDrafted(manifest=manifest, chunks_new=0)
    await bus.publish(subject, draft, msg_id=msg_id, expected_last_subject_seq=last.seq if last else 0)


def _revision(stored: Stored | None) -> int:
    message = stored.message if stored else None
    return message.manifest.revision if isinstance(message, DocumentRevised | RevisionDrafted) else 0
