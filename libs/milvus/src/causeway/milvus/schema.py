"""The collections as values: names, fields, limits and indexes. Pure; `collections.py` makes them in Milvus."""

import enum
import hashlib
import re
from dataclasses import dataclass

DOCUMENTS = "causeway_documents"
STATE = "causeway_state"
CHUNKS_PREFIX = "causeway_chunks_"

# The most that Milvus takes in a VARCHAR, in bytes of UTF-8.
TEXT_BYTES_MAX = 65_535
# A manifest of thousands of chunks is longer than a VARCHAR: it goes in parts.
PART_CHARS_MAX = 60_000
ROWS_PER_CALL_MAX = 1_000
_PUNCTUATION = [*"，。、；：？！“”‘’（）《》【】…—·,.;:?!\"'()[]{}<>-_/\\|@#$%^&*+=~`"]  # jieba makes tokens of these.
ANALYZER: dict[str, object] = {
    "tokenizer": "jieba",
    "filter": ["lowercase", {"type": "stop", "stop_words": _PUNCTUATION}],
}


class Kind(enum.StrEnum):
    """The types of field in use: those that Milvus Lite and Milvus 2.3 have, and sparse vectors where there are any."""

    VARCHAR = "VARCHAR"
    INT64 = "INT64"
    BOOL = "BOOL"
    DENSE = "FLOAT_VECTOR"
    SPARSE = "SPARSE_FLOAT_VECTOR"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A column. `size` is bytes of a VARCHAR or dimensions of a vector."""

    name: str
    kind: Kind
    size: int = 0
    primary: bool = False
    partition_key: bool = False
    analyzed: bool = False


@dataclass(frozen=True, kw_only=True)
class Index:
    """How a vector column is searched."""

    field: str
    kind: str
    metric: str
    parameters: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A collection. `bm25` names the (text, sparse) columns of which Milvus makes the second from the first."""

    name: str
    fields: tuple[Field, ...]
    indexes: tuple[Index, ...]
    bm25: tuple[str, str] | None = None


# Milvus 2.3 wants a vector in every collection, so that tables have one of no meaning.
_ANCHOR = Field(name="anchor", kind=Kind.DENSE, size=2)
ANCHOR = [0.0, 1.0]
_ANCHOR_INDEX = Index(field="anchor", kind="FLAT", metric="L2")
HNSW = (("M", 16), ("efConstruction", 128))


def chunks_name(model: str) -> str:
    """The collection of an embedding space: readable, and told apart by a hash where names would meet."""
    slug = re.sub(r"[^a-z0-9]+", "_", model.lower()).strip("_")[:60]
    return f"{CHUNKS_PREFIX}{slug}_{hashlib.blake2b(model.encode(), digest_size=4).hexdigest()}"


def chunks(model: str, dims: int, *, hybrid: bool, partitions: bool) -> Collection:
    """The collection of an embedding space, with words where the server has them, in partitions where it can."""
    fields = (
        Field(name="id", kind=Kind.VARCHAR, size=80, primary=True),
        Field(name="kb", kind=Kind.VARCHAR, size=64, partition_key=partitions),
        Field(name="origin", kind=Kind.VARCHAR, size=32),
        Field(name="document_key", kind=Kind.VARCHAR, size=64),
        Field(name="chunk_id", kind=Kind.VARCHAR, size=64),
        Field(name="language", kind=Kind.VARCHAR, size=64),
        Field(name="context", kind=Kind.VARCHAR, size=TEXT_BYTES_MAX),
        Field(name="text", kind=Kind.VARCHAR, size=TEXT_BYTES_MAX, analyzed=hybrid),
        Field(name="live", kind=Kind.BOOL),
        Field(name="dense", kind=Kind.DENSE, size=dims),
    )
    indexes = (Index(field="dense", kind="HNSW", metric="COSINE", parameters=HNSW),)
    if not hybrid:
        return Collection(name=chunks_name(model), fields=fields, indexes=indexes)
    return Collection(
        name=chunks_name(model),
        fields=(*fields, Field(name="sparse", kind=Kind.SPARSE)),
        indexes=(*indexes, Index(field="sparse", kind="SPARSE_INVERTED_INDEX", metric="BM25")),
        bm25=("text", "sparse"),
    )


DOCUMENTS_COLLECTION = Collection(
    name=DOCUMENTS,
    fields=(
        Field(name="id", kind=Kind.VARCHAR, size=80, primary=True),
        Field(name="document_key", kind=Kind.VARCHAR, size=64),
        Field(name="part", kind=Kind.INT64),
        Field(name="parts", kind=Kind.INT64),
        Field(name="kb", kind=Kind.VARCHAR, size=64),
        Field(name="origin", kind=Kind.VARCHAR, size=32),
        Field(name="document_id", kind=Kind.VARCHAR, size=4_096),
        Field(name="title", kind=Kind.VARCHAR, size=4_096),
        Field(name="revision", kind=Kind.INT64),
        Field(name="repair", kind=Kind.INT64),
        Field(name="deleted", kind=Kind.BOOL),
        Field(name="shadowed", kind=Kind.INT64),
        Field(name="revised", kind=Kind.VARCHAR, size=TEXT_BYTES_MAX),
        _ANCHOR,
    ),
    indexes=(_ANCHOR_INDEX,),
)
STATE_COLLECTION = Collection(
    name=STATE,
    fields=(
        Field(name="id", kind=Kind.VARCHAR, size=200, primary=True),
        Field(name="value", kind=Kind.VARCHAR, size=4_096),
        _ANCHOR,
    ),
    indexes=(_ANCHOR_INDEX,),
)
