"""One document from bytes to chunks: what a worker process is asked to do, and the three ways in which it answers."""

from collections import Counter
from pathlib import PurePosixPath

import msgspec

from causeway.ingestor.chunking import Cut, Measure, chunk, weight
from causeway.ingestor.parsing.block import Block, Code, Limits, Parsed

TITLE_CHARS_MAX = 300


class Job(msgspec.Struct, frozen=True, kw_only=True, tag="job"):
    """The body follows the job on the pipe. `cpu_s_max` bounds the work of this one document."""

    filename: str
    media_type: str
    title: str
    limits: Limits
    measure: Measure
    cpu_s_max: int


class Extraction(msgspec.Struct, frozen=True, kw_only=True, tag="extraction"):
    """A document as chunks, with what it says of itself."""

    media_type: str
    title: str
    language: str
    pages: int
    warnings: list[str]
    cuts: list[Cut]


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure"):
    """A `ParseFailure` on its way through the pipe."""

    code: Code
    reason: str


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The worker has loaded its parsers."""


Reply = Extraction | Failure | Ready


def extraction(parsed: Parsed, job: Job) -> Extraction:
    """The chunks of what a parser gave."""
    title = title_of(parsed, job)
    cuts = chunk(parsed.blocks, title, job.measure)
    return Extraction(
        media_type=parsed.media_type,
        title=title,
        language=language_of(cuts, parsed.language),
        pages=parsed.pages,
        warnings=parsed.warnings,
        cuts=cuts,
    )


def title_of(parsed: Parsed, job: Job) -> str:
    """What the producer calls it, else what the file does, else its first heading, else its name."""
    named = job.title or parsed.title or _first_heading(parsed.blocks) or PurePosixPath(job.filename).stem
    return " ".join(named.split())[:TITLE_CHARS_MAX]


def _first_heading(blocks: list[Block]) -> str:
    """A heading that opens the document is its title; one further down is not."""
    first = blocks[0] if blocks else None
    return first.text if first is not None and first.kind == "heading" and not first.heading_path else ""


def language_of(cuts: list[Cut], declared: str) -> str:
    """The language of most of the text; what the file declares only where the text does not tell."""
    sizes: Counter[str] = Counter()
    for cut in cuts:
        sizes[cut.language] += int(weight(cut.text))
    sizes.pop("und", None)
    if sizes:
        return sizes.most_common(1)[0][0]
    return declared.partition("-")[0].lower() or "und"
