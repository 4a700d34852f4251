"""A typed client of a Causeway site, for producers of documents and for chat frontends."""

from causeway.bus.errors import (
    BusError,
    NoResponders,
    NotConnected,
    NotPublished,
    ObjectTooLarge,
    ProblemReply,
    RequestTimeout,
    StreamFull,
    StreamMissing,
)
from causeway.client.client import Client
from causeway.client.waiting import NotSearchableInTime
from causeway.proto.answers import Answer, AnswerPart, Citation, PartKind, SearchMode, SearchResult
from causeway.proto.documents import DocumentStatus, Residency, State
from causeway.proto.feedback import AnswerGiven, AnswerInvalidated, Change, Verdict

__all__ = [
    "Answer",
    "AnswerGiven",
    "AnswerInvalidated",
    "AnswerPart",
    "BusError",
    "Change",
    "Citation",
    "Client",
    "DocumentStatus",
    "NoResponders",
    "NotConnected",
    "NotPublished",
    "NotSearchableInTime",
    "ObjectTooLarge",
    "PartKind",
    "ProblemReply",
    "RequestTimeout",
    "Residency",
    "SearchMode",
    "SearchResult",
    "State",
    "StreamFull",
    "StreamMissing",
    "Verdict",
]
