"""One example of every message type, every field set: the source of the golden bytes, which never change.

A field that is added with a default gives a new edition of the bytes (`document.v1-2.msgpack`) and leaves the old
one, which must go on decoding. Any other change of a type is a new type: add a v2 beside it.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec

from causeway.proto import answers, chunks, codec, dead, documents, golden_answers, golden_link, knowledge

SUMS = "SHA256SUMS"
_CHUNK_ID = bytes(range(16))
_DOCUMENT_KEY = bytes(range(16, 32))
_REVISION = 1_760_000_000_123
_AT_UNIX_MS = 1_760_000_000_456

_MANIFEST = chunks.Manifest(
    kb="handbook",
    document_id="policies/贷款-2025.pdf",
    document_key=_DOCUMENT_KEY,
    revision=_REVISION,
    deleted=False,
    title="个人贷款管理办法",
    filename="贷款-2025.pdf",
    media_type="application/pdf",
    language="zh",
    residency=documents.Residency.INTERNAL,
    metadata={"部门": "信贷", "year": "2025"},
    content_sha256=hashlib.sha256(b"example").hexdigest(),
    model="multilingual-e5-small-int8",
    pages=12,
    places=[
        chunks.Place(chunk_id=_CHUNK_ID, page_first=1, page_last=2),
        chunks.Place(chunk_id=_DOCUMENT_KEY, page_first=0, page_last=0),
    ],
)
_CITATION = answers.Citation(
    document_id="policies/贷款-2025.pdf",
    revision=_REVISION,
    title="个人贷款管理办法",
    page=2,
    heading="第二章 › 利率",
    chunk_id=_CHUNK_ID,
    quote="贷款利率不得高于合同约定。",
    score=0.8125,
    origin="hub",
)
_ANSWER = answers.Answer(
    kb="handbook",
    text="贷款利率不得高于合同约定。",
    sentences=["贷款利率不得高于合同约定。"],
    written_by=answers.Author.EXTRACT,
    model="multilingual-e5-small-int8",
    route=answers.Route.EDGE,
    abstained=False,
    reason="supported",
    language="zh",
    confidence=0.9375,
    calibrated=True,
    features={"dense_top": 0.875, "lexical_share": 0.5},
    citations=[_CITATION],
    epoch={"branch-1": 300},
    latency_ms={"encode": 4.5, "search": 1.25},
    cost_usd=0.0,
    answer_id="0199c1f2-7d7a-7000-8000-000000000001",
    decision="confident",
    promise=0.875,
    residency=documents.Residency.PUBLIC,
    prompt_tokens=1_800,
    completion_tokens=64,
    watt_hours=0.125,
    hub_seq=300,
)

EXAMPLES: tuple[codec.Message, ...] = (
    documents.Document(
        kb="handbook",
        document_id="policies/贷款-2025.pdf",
        filename="贷款-2025.pdf",
        media_type="application/pdf",
        title="个人贷款管理办法",
        residency=documents.Residency.INTERNAL,
        metadata={"部门": "信贷", "year": "2025"},
        body=b"\x00\x01 bytes \xff",
        object=documents.ObjectRef(
            bucket="BODIES", name="policies/1", size_bytes=5_000_000_000, sha256=hashlib.sha256(b"body").hexdigest()
        ),
    ),
    documents.DocumentDeleted(kb="handbook", document_id="policies/贷款-2025.pdf"),
    documents.DocumentRestored(kb="handbook", document_id="policies/贷款-2025.pdf", revision=_REVISION),
    documents.DocumentStatus(
        kb="handbook",
        document_id="policies/贷款-2025.pdf",
        revision=_REVISION,
        state=documents.State.FAILED,
        reason="The file is encrypted: publish it without a password.",
        code="encrypted",
        service="ingestor",
        at_unix_ms=_AT_UNIX_MS,
        chunks_total=70_000,
        chunks_new=300,
        pages=12,
        origin="hub",
    ),
    chunks.ChunkCut(
        kb="handbook",
        chunk_id=_CHUNK_ID,
        model="multilingual-e5-small-int8",
        language="zh",
        context="个人贷款管理办法 › 第二章 › 利率",
        text="贷款利率不得高于合同约定。",
    ),
    chunks.RevisionDrafted(manifest=_MANIFEST, chunks_new=1),
    knowledge.ChunkEmbedded(
        kb="handbook",
        chunk_id=_CHUNK_ID,
        model="multilingual-e5-small-int8",
        language="zh",
        context="个人贷款管理办法 › 第二章 › 利率",
        text="贷款利率不得高于合同约定。",
        dims=4,
        vector_f16=bytes.fromhex("0038003800380038"),
    ),
    answers.Ask(
        kb="handbook",
        question="利率上限是多少？",
        language="zh",
        stream=True,
        generate=False,
        deadline_ms=500,
        asker="teller-7",
        tenant="counter",
        cloud=False,
        cache=False,
        residency=documents.Residency.RESTRICTED,
        passages_max=3,
    ),
    _ANSWER,
    answers.AnswerPart(kind=answers.PartKind.FINAL, index=2, text="", answer=_ANSWER),
    answers.Search(kb="handbook", question="利率上限是多少？", mode=answers.SearchMode.DENSE, documents_max=100),
    answers.SearchResult(
        kb="handbook", passages=[_CITATION], epoch={"branch-1": 300}, latency_ms={"encode": 4.5, "search": 1.25}
    ),
    answers.Problem(code="busy", message="Too many questions at once.", mend="Ask again in a moment.", retryable=True),
    dead.DeadLetter(
        service="ingestor",
        reason="not a io.causeway.document.v1",
        origin_stream="DOCUMENTS",
        origin_subject="site.branch-1.document.handbook",
        origin_seq=_REVISION,
        attempts=5,
        at_unix_ms=_AT_UNIX_MS,
        headers={"Nats-Msg-Id": "a1", "ce-type": "io.causeway.document.v1"},
        body=b"\xc1",
    ),
    dead.Canary(site="branch-1", at_unix_ms=_AT_UNIX_MS),
    *golden_link.examples(_MANIFEST),
    *golden_answers.examples(_ANSWER),
)


class GoldenChangedError(Exception):
    """The golden bytes of a type do not decode to its example: undo the change, and add a v2 of the type beside it."""


@dataclass(frozen=True, kw_only=True)
class Edition:
    """The frozen bytes of one type at one time; number 1 is the first."""

    short_name: str
    number: int
    body: bytes

    @property
    def stem(self) -> str:
        """The name of its files, without the suffix."""
        return self.short_name if self.number == 1 else f"{self.short_name}-{self.number}"


def short_name(kind: type[codec.Message]) -> str:
    """`document.v1` of `io.causeway.document.v1`: how files are named for a type."""
    return kind.type_name.removeprefix("io.causeway.")


def editions(folder: Path, kind: type[codec.Message]) -> list[Edition]:
    """The frozen editions of a type, oldest first."""
    found: list[Edition] = []
    while True:
        edition = Edition(short_name=short_name(kind), number=len(found) + 1, body=b"")
        path = folder / f"{edition.stem}.msgpack"
        if not path.exists():
            return found
        found.append(Edition(short_name=edition.short_name, number=edition.number, body=path.read_bytes()))


def readable(body: bytes) -> str:
    """msgpack bytes as indented JSON; binary values as base64, which is how the JSON Schema has them."""
    value = msgspec.msgpack.decode(body)
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def contains(newer: object, older: object) -> bool:
    """Whether `newer` keeps every key and value of `older`; maps may have grown."""
    if isinstance(newer, dict) and isinstance(older, dict):
        grown = cast(dict[object, object], newer)
        return all(key in grown and contains(grown[key], value) for key, value in older.items())
    if isinstance(newer, list) and isinstance(older, list):
        return len(newer) == len(older) and all(map(contains, newer, older))
    return newer == older


def missing_editions(folder: Path) -> list[Edition]:
    """The editions that are to be frozen: types without golden bytes, and types that gained a field.

    Raises:
        GoldenChangedError: a type no longer gives what its newest edition has.
    """
    missing: list[Edition] = []
    for example in EXAMPLES:
        known, body = editions(folder, type(example)), codec.encode(example)
        if known and known[-1].body == body:
            continue
        if known and not contains(msgspec.msgpack.decode(body), msgspec.msgpack.decode(known[-1].body)):
            raise GoldenChangedError(f"{known[-1].stem}.msgpack: {GoldenChangedError.__doc__}")
        missing.append(Edition(short_name=short_name(type(example)), number=len(known) + 1, body=body))
    return missing


def freeze(folder: Path) -> list[Path]:
    """Write the missing editions and their lines in SHA256SUMS; touch nothing that is there."""
    written: list[Path] = []
    for edition in missing_editions(folder):
        binary, text = (folder / f"{edition.stem}{suffix}" for suffix in (".msgpack", ".json"))
        binary.write_bytes(edition.body)
        text.write_text(readable(edition.body), encoding="utf-8")
        written += [binary, text]
    sums = folder / SUMS
    lines = sums.read_text().splitlines() if sums.exists() else []
    lines += [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in written]
    sums.write_text("".join(f"{line}\n" for line in sorted(lines, key=lambda line: line.split()[1])))
    return written
