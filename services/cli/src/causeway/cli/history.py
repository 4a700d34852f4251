"""Asks a replica for the past, and the ingestor to bring it back."""

from contextlib import aclosing
from dataclasses import dataclass, replace

import msgspec

from causeway.bus import ProblemReply
from causeway.cli.errors import UserError
from causeway.client import Client
from causeway.proto import subjects
from causeway.proto.documents import DocumentRestored
from causeway.proto.history import REVISIONS_MAX, History, HistoryAsked, RevisionAsked, RevisionEntry, RevisionText

REPLY_WAIT_S = 60.0
PUBLISH_TIMEOUT_S = 60.0
ORIGIN_MARK = "~"


@dataclass(frozen=True, kw_only=True)
class Log:
    """Revisions newest first; `more` says that there were more than asked for."""

    entries: list[RevisionEntry]
    complete_from: int
    more: bool


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which revision: by number, at an epoch, or with neither the one that is searched."""

    revision: int = 0
    at_seq: int = 0


async def read_log(client: Client, kb: str, document: str = "", count_max: int = 0) -> Log:
    """The revisions of a kb or a document, all of them if `count_max` is 0, in as many pages as it takes.

    `ID~ORIGIN` names another place's document, unless one has that very id.

    Raises:
        ProblemReply: there is no such kb or document.
    """
    try:
        return await _pages(client, kb, document, count_max)
    except ProblemReply as reply:
        document_id, origin = _named(document, reply)
    log = await _pages(client, kb, document_id, count_max)
    return replace(log, entries=[entry for entry in log.entries if entry.origin == origin])


async def _pages(client: Client, kb: str, document_id: str, count_max: int) -> Log:
    entries: list[RevisionEntry] = []
    before = 0
    while True:
        left = min(REVISIONS_MAX, count_max - len(entries)) if count_max else REVISIONS_MAX
        asked = HistoryAsked(kb=kb, document_id=document_id, revisions_max=left, before=before)
        page = await client.bus.request(subjects.HISTORY.at(client.site, kb), asked, History, REPLY_WAIT_S)
        entries += page.revisions
        before = page.next_before
        if not before or (count_max and len(entries) >= count_max):
            return Log(entries=entries, complete_from=page.complete_from, more=bool(before))


async def recall(client: Client, kb: str, document: str, wanted: Wanted) -> RevisionText:
    """One revision, whole. `ID~ORIGIN` names another place's, unless a document has that very id.

    Raises:
        ProblemReply: it is not held. UserError: parts of it were lost on the way.
    """
    asked = RevisionAsked(kb=kb, document_id=document, revision=wanted.revision, at_seq=wanted.at_seq)
    try:
        return await _whole(client, asked)
    except ProblemReply as reply:
        document_id, origin = _named(document, reply)
        return await _whole(client, msgspec.structs.replace(asked, document_id=document_id, origin=origin))


async def restore(client: Client, kb: str, document_id: str, revision: int, over: int) -> int:
    """Make an earlier revision the newest; `over` is the one that stands, so that a repeat is not a second wish.

    Returns the number that it gets.
    """
    message = DocumentRestored(kb=kb, document_id=document_id, revision=revision)
    msg_id = f"restore/{kb}/{document_id}/{revision}/{over}"
    subject = subjects.DOCUMENT.at(client.site, kb)
    ack = await client.bus.publish(subject, message, msg_id=msg_id, timeout_s=PUBLISH_TIMEOUT_S)
    return ack.seq


async def _whole(client: Client, asked: RevisionAsked) -> RevisionText:
    subject = subjects.REVISION.at(client.site, asked.kb)
    async with aclosing(client.bus.request_stream(subject, asked, RevisionText, wait_s=REPLY_WAIT_S)) as stream:
        parts = [part async for part in stream]
    texts = [text for part in parts for text in part.chunks]
    if not parts or len(texts) != len(parts[0].manifest.places):
        raise UserError("parts of the revision were lost on the way", "Try again.")
    return msgspec.structs.replace(parts[0], chunks=texts, last=True)


def _named(document: str, reply: ProblemReply) -> tuple[str, str]:
    """The id and the origin in `ID~ORIGIN`, after no document was found by that id; else the problem again."""
    document_id, _, origin = document.rpartition(ORIGIN_MARK)
    if reply.problem.code != "unknown_document" or not (document_id and origin):
        raise reply
    return document_id, origin
