"""From chunks to citations: which document, which revision, where in it."""

from collections.abc import Iterable

from causeway.edge_inference.finding import Scored
from causeway.edge_inference.routing import strictest
from causeway.edge_inference.vault_reader import Origin, VaultReader
from causeway.proto.answers import Citation
from causeway.proto.documents import Residency

_HEADING_SEPARATOR = " › "


def cite_chunks(reader: VaultReader, kb: str, chunks: Iterable[Scored], citations_max: int) -> list[Citation]:
    """One citation for each chunk, in order; where several documents share the chunk, the newest is cited."""
    cited = ((chunk, reader.origins(kb, chunk.chunk_id)) for chunk in chunks)
    citations = (
        citation_of(chunk, max(origins, key=lambda origin: origin.manifest.revision))
        for chunk, origins in cited
        if origins
    )
    return [citation for _, citation in zip(range(citations_max), citations, strict=False)]


def cite_documents(reader: VaultReader, kb: str, chunks: Iterable[Scored], documents_max: int) -> list[Citation]:
    """Each document once, by its best chunk, best first; documents that share a chunk follow each other."""
    cited: dict[bytes, Citation] = {}
    for chunk in chunks:
        for origin in reader.origins(kb, chunk.chunk_id):
            cited.setdefault(origin.manifest.document_key, citation_of(chunk, origin))
        if len(cited) >= documents_max:
            break
    return list(cited.values())[:documents_max]


def citation_of(chunk: Scored, origin: Origin) -> Citation:
    """The citation of a chunk in a document."""
    return Citation(
        document_id=origin.manifest.document_id,
        revision=origin.manifest.revision,
        title=origin.manifest.title,
        page=origin.place.page_first,
        heading=heading_of(chunk.record.context, origin.manifest.title),
        chunk_id=chunk.chunk_id,
        quote=chunk.record.text,
        score=round(chunk.score, 4),
        origin=chunk.record.origin,
    )


def residency_of(reader: VaultReader, kb: str, chunks: Iterable[Scored]) -> Residency:
    """The strictest label of all documents that these chunks are part of; public where there is no chunk."""
    return strictest(*(label for chunk in chunks for label in _labels(reader, kb, chunk.chunk_id)))


def _labels(reader: VaultReader, kb: str, chunk_id: bytes) -> list[Residency]:
    # A chunk that no document names any more has lost its label, and not what is in it.
    return [origin.manifest.residency for origin in reader.origins(kb, chunk_id)] or [Residency.RESTRICTED]


def heading_of(context: str, title: str) -> str:
    """The heading path of a chunk's context, without the title that it begins with."""
    return context.removeprefix(title).removeprefix(_HEADING_SEPARATOR) if title else context
