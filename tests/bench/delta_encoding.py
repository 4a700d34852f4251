"""`python -m tests.bench.delta_encoding`: what int8 costs in recall, and what a chunk costs in bytes on the link.

Passages and questions are JSONL with `title`, `text` and `question`; without any, the few bundled ones are taken.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from causeway.ingestor.chunking import chunk, embed_text
from causeway.ingestor.parsing.block import Block
from causeway.language import detect
from causeway.models import Encoder
from causeway.models.chosen import embedding_folder
from causeway.proto import encode as to_bytes
from causeway.proto import headers, subjects
from causeway.proto.chunks import Manifest, Place
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, Stamp
from causeway.proto.outbox import ChunkShared, DocumentShared, Run
from causeway.sync_delta.digests import content_hash
from causeway.sync_delta.encoding import LEVEL, decode, encode
from causeway.sync_delta.numbering import Numbering, share

MODEL = "multilingual-e5-small"
LEVELS = (1, 3, 6, 9, 12, 19, 22)
DICTIONARY_BYTES = (16_384, 65_536)
NEAREST = 10
TIMED = 500

Vectors = npt.NDArray[np.float32]
Text: TypeAlias = "bytes | bytearray | memoryview[int]"


def read(path: Path, *fields: str) -> list[tuple[str, str]]:
    """Title and text of each row of a JSONL file, once for each of the fields that it has."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row.get("title", ""), row[field]) for row in rows for field in fields if field in row]


def chunks_of(passages: list[tuple[str, str]], encoder: Encoder, chunks_max: int) -> list[ChunkEmbedded]:
    """The passages as the ingestor cuts them, embedded, each text once."""
    cuts = [cut for title, text in passages for cut in chunk([Block(kind="paragraph", text=text)], title)]
    unique = list({(cut.context, cut.text): cut for cut in cuts}.values())[:chunks_max]
    vectors = encoder.encode_passages([embed_text(cut.context, cut.text) for cut in unique])
    return [
        ChunkEmbedded(
            kb="manuals",
            chunk_id=number.to_bytes(16, "big"),
            model=encoder.model_id,
            language=detect(cut.text),
            context=cut.context,
            text=cut.text,
            dims=encoder.dims,
            vector_f16=vector.astype("<f2").tobytes(),
        )
        for number, (cut, vector) in enumerate(zip(unique, vectors, strict=True))
    ]


def nearest(questions: Vectors, chunks: Sequence[ChunkEmbedded]) -> npt.NDArray[np.int64]:
    """The best chunks of each question, by exact search over the vectors as they are stored."""
    stored = np.frombuffer(b"".join(each.vector_f16 for each in chunks), dtype="<f2").astype(np.float32)
    scores = questions @ stored.reshape(len(chunks), -1).T
    return np.argsort(-scores, axis=1, kind="stable")[:, :NEAREST]


def recall(kept: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> tuple[float, float]:
    """The share of the true ten that were found, and how often the first is the same one."""
    found = [len(set(a) & set(b)) / NEAREST for a, b in zip(kept.tolist(), truth.tolist(), strict=True)]
    return float(np.mean(found)), float(np.mean(kept[:, 0] == truth[:, 0]))


def mean(sizes: Sequence[int]) -> float:
    """Bytes a chunk."""
    return float(np.mean(sizes))


def compressed(
    texts: Sequence[Text],
    level: int,
    dictionary: zstandard.ZstdCompressionDict | None = None,
) -> float:
    """Bytes a text, where a text that does not get smaller stays as it is."""
    compressor = zstandard.ZstdCompressor(level=level, dict_data=dictionary)
    return mean([min(len(text), len(compressor.compress(text))) for text in texts])


def milliseconds(work: Callable[[], object]) -> float:
    """Of one call."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1_000


def report_recall(name: str, questions: Vectors, chunks: list[ChunkEmbedded]) -> None:
    """One row of the recall table."""
    crossed = [decode(encode(each, 1)) for each in chunks]
    truth, kept = nearest(questions, chunks), nearest(questions, crossed)
    share, top = recall(kept, truth)
    assert [content_hash(each) for each in crossed[:50]] == [content_hash(each) for each in chunks[:50]]
    sys.stdout.write(f"recall | {name} | {len(chunks):,} | {len(questions)} | {share:.4f} | {top:.4f} |\n")


def envelope(number: int, example: ChunkShared) -> int:
    """Bytes of subject and headers around a chunk, as the bus writes them."""
    named = headers.link_headers(example, msg_id=f"manuals:{number}")
    subject = subjects.OUTBOX_CHUNK.at("branch-1", "manuals", str(number))
    lines = [f"{name}: {value}\r\n" for name, value in named.items()]
    return len(subject) + len("NATS/1.0\r\n\r\n") + sum(map(len, lines))


def report_bytes(name: str, chunks: list[ChunkEmbedded]) -> None:
    """What a chunk is before and after, and where its bytes are."""
    shared = [encode(each, 27_000_000_000_000 + number) for number, each in enumerate(chunks)]
    before, after = mean([len(to_bytes(each)) for each in chunks]), mean([len(to_bytes(each)) for each in shared])
    vector, text = mean([len(each.vector_i8) for each in shared]), mean([len(each.text) for each in shared])
    raw = mean([len(each.text.encode()) for each in chunks])
    context = mean([len(each.context.encode()) for each in chunks])
    rest, around = after - vector - text - context, envelope(shared[0].number, shared[0])
    sys.stdout.write(
        f"bytes | {name} | {before:.0f} | {after:.0f} | {after / before:.3f} | {vector:.0f} | {raw:.0f} | {text:.0f} "
        f"| {context:.0f} | {rest:.0f} | {around} | {np.mean([each.zstd for each in shared]):.2f} |\n"
    )


def report_levels(name: str, chunks: list[ChunkEmbedded]) -> None:
    """Bytes and time of each level, and what dictionaries trained on one half of the texts save on the other half."""
    texts: list[Text] = [each.text.encode() for each in chunks]
    for level in LEVELS:
        compressor = zstandard.ZstdCompressor(level=level)
        spent = milliseconds(lambda c=compressor: [c.compress(text) for text in texts[:TIMED]])  # type: ignore[misc]
        share = compressed(texts, level) / mean([len(text) for text in texts])
        sys.stdout.write(
            f"level | {name} | {level} | {share:.4f} | {spent * 1_000 / min(TIMED, len(texts)):.0f} us |\n"
        )
    half = len(texts) // 2
    for size in DICTIONARY_BYTES:
        try:
            dictionary = zstandard.train_dictionary(size, texts[:half])
        except zstandard.ZstdError:
            continue
        without, with_it = compressed(texts[half:], LEVEL), compressed(texts[half:], LEVEL, dictionary)
        sys.stdout.write(f"dictionary | {name} | {size} | {without:.0f} | {with_it:.0f} |\n")


def report_speed(name: str, chunks: list[ChunkEmbedded]) -> None:
    """Microseconds a chunk."""
    some = chunks[:TIMED]
    shared = [encode(each, 1) for each in some]
    for what, work in {
        "encode": lambda: [encode(each, 1) for each in some],
        "decode": lambda: [decode(each) for each in shared],
        "content hash": lambda: [content_hash(each) for each in some],
    }.items():
        sys.stdout.write(f"speed | {name} | {what} | {milliseconds(work) * 1_000 / len(some):.0f} us |\n")


def report_documents() -> None:
    """Bytes of a manifest in KNOWLEDGE and of the same on the link, new and after ten chunks of it were replaced."""
    source = random.Random(7)
    for count in (1, 20, 200, 2_000):
        places = [
            Place(chunk_id=source.randbytes(16), page_first=1 + n // 4, page_last=1 + n // 4) for n in range(count)
        ]
        numbering, runs, sizes = Numbering.empty(27_000_000_000_000), tuple[Run, ...](), list[int]()
        for edit in range(11):
            if edit:
                place = source.randrange(count)
                places[place] = Place(
                    chunk_id=source.randbytes(16), page_first=1 + place // 4, page_last=1 + place // 4
                )
            manifest = Manifest(
                kb="manuals",
                document_id="boiler-7.pdf",
                document_key=bytes(16),
                revision=1,
                title="Boiler 7",
                filename="boiler-7.pdf",
                media_type="application/pdf",
                content_sha256="0" * 64,
                model="multilingual-e5-small/int8@00000000",
                places=list(places),
            )
            sharing = share(manifest, runs, numbering)
            numbering, runs = numbering.after(sharing), sharing.runs
            bare = msgspec.structs.replace(manifest, places=[])
            stamp = Stamp(wall_ms=1_700_000_000_000, counter=0, origin="branch-1")
            sizes.append(len(to_bytes(DocumentShared(manifest=bare, runs=list(runs), stamp=stamp))))
        whole = len(to_bytes(DocumentRevised(manifest=manifest)))
        sys.stdout.write(f"document | {count:,} | {whole:,} | {sizes[0]:,} | {sizes[-1]:,} |\n")


def main() -> None:
    """Measure each set that is given, under its name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", nargs=3, action="append", metavar=("NAME", "PASSAGES", "QUESTIONS"), default=[])
    parser.add_argument("--chunks-max", type=int, default=4_000)
    options = parser.parse_args()
    report_documents()
    encoder = Encoder.load(embedding_folder(MODEL), threads=1)
    with as_file(files("causeway.models") / "devtexts") as bundled:
        sets = options.set or [("bundled", str(bundled / "passages.jsonl"), str(bundled / "questions.jsonl"))]
        for name, passages, questions in sets:
            chunks = chunks_of(read(Path(passages), "text", "en", "zh"), encoder, options.chunks_max)
            asked = encoder.encode_queries([text for _, text in read(Path(questions), "question", "q_en", "q_zh")])
            report_recall(name, asked, chunks)
            report_bytes(name, chunks)
            report_levels(name, chunks)
            report_speed(name, chunks)


if __name__ == "__main__":
    main()
