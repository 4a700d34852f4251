"""What is wrong with a request, as the typed reply that the asker gets: what happened, and what to do about it."""

from collections.abc import Sequence

from causeway.bus import ProblemReply
from causeway.proto.answers import Problem

_NAMES_SHOWN_MAX = 10


class EmptyQuestionError(ProblemReply):
    """The question is only white space."""

    def __init__(self) -> None:
        super().__init__(
            Problem(
                code="empty_question", message="the question is empty", mend="send a question of 1 to 2,000 characters"
            )
        )


class UnknownKbError(ProblemReply):
    """Nothing was ever published to the knowledge base."""

    def __init__(self, kb: str, known: Sequence[str]) -> None:
        shown = ", ".join(known[:_NAMES_SHOWN_MAX]) + (" …" if len(known) > _NAMES_SHOWN_MAX else "")
        mend = f"ask one of: {shown}" if known else f"publish documents to it first: `causeway publish --kb {kb} PATH`"
        super().__init__(Problem(code="unknown_kb", message=f"the knowledge base {kb!r} holds nothing", mend=mend))


class TermsBehindError(ProblemReply):
    """A search would miss what lexical search does not know yet, and its result has no place to say so."""

    def __init__(self, kb: str, behind: int, chunks: int) -> None:
        message = f"the lexical index of {kb!r} is being built: {behind} of {chunks} chunks to go"
        mend = "search again in some seconds, or by mode `dense` now"
        super().__init__(Problem(code="terms_behind", message=message, mend=mend, retryable=True))


class WrongSubjectError(ProblemReply):
    """The kb in the message is not the one in the subject, which is what permissions go by."""

    def __init__(self, kb: str, subject: str) -> None:
        message = f"the message asks {kb!r} but came on {subject}"
        super().__init__(Problem(code="wrong_subject", message=message, mend="send it to the subject of its own kb"))


class DeadlinePassedError(ProblemReply):
    """There was no answer within the asker's own deadline."""

    def __init__(self, deadline_ms: int) -> None:
        message = f"no answer within the deadline of {deadline_ms} ms"
        mend = "allow more time (`deadline_ms`), or run more replicas of edge-inference"
        super().__init__(Problem(code="deadline", message=message, mend=mend, retryable=True))


class UnknownDocumentError(ProblemReply):
    """No document of this name was ever held in the knowledge base."""

    def __init__(self, kb: str, document_id: str) -> None:
        message = f"nothing is held of a document {document_id!r} in {kb!r}"
        mend = f"`causeway kb log --kb {kb}` names the documents that there are"
        super().__init__(Problem(code="unknown_document", message=message, mend=mend))


class UnknownRevisionError(ProblemReply):
    """The document is known, and this revision of it is not held, or no longer."""

    def __init__(self, kb: str, document_id: str, revision: int, at_seq: int) -> None:
        which = f"revision {revision}" if revision else f"revision at epoch {at_seq}"
        message = f"no {which} of {document_id!r} is held in {kb!r}: there was none, or it was too old to be kept"
        mend = f"choose one that `causeway kb log --kb {kb} DOCUMENT` shows"
        super().__init__(Problem(code="unknown_revision", message=message, mend=mend))


class RevisionNotWholeError(ProblemReply):
    """Texts of the revision were gone from the log before this replica could keep them."""

    def __init__(self, document_id: str, revision: int, missing: int) -> None:
        message = f"revision {revision} of {document_id!r} is not whole: {missing} of its chunks never came"
        mend = "choose another revision, or publish the document again"
        super().__init__(Problem(code="revision_not_whole", message=message, mend=mend))
