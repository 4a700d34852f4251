"""Which documents give way to those of another origin: sealed records beside the documents that they hide."""

from causeway.edge_inference.envelope import Kind, Slot
from causeway.edge_inference.records import ShadowRecord, pack_shadow, unpack_shadow
from causeway.edge_inference.sealed_rows import SealedRows
from causeway.proto.knowledge import DocumentShadowed


class Shadows:
    """One shadow for each document; it is kept when the document has moved on, and hides nothing then."""

    def __init__(self, rows: SealedRows) -> None:
        self._rows = rows

    def put(self, kb: int, message: DocumentShadowed) -> None:
        """Cast the shadow of the message, or lift the one that is there."""
        if message.revision == 0:
            self._rows.drop(Kind.SHADOW, kb, message.document_key)
            return
        record = ShadowRecord(winner=message.winner, concurrent=message.concurrent)
        self._rows.put(Slot(Kind.SHADOW, kb, message.document_key, message.revision), pack_shadow(record))

    def hides(self, kb: int, document: bytes) -> bool:
        """Whether the revision that stands now is hidden."""
        revision = self._rows.version_of(Kind.SHADOW, kb, document)
        return revision is not None and revision == self._rows.version_of(Kind.DOCUMENT, kb, document)


def hidden_by(rows: SealedRows, kb: int, document: bytes, revision: int) -> ShadowRecord | None:
    """The shadow over a revision, or None."""
    held = rows.get(Kind.SHADOW, kb, document)
    return None if held is None or held.version != revision else unpack_shadow(held.record)
