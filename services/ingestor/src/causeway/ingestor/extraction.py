"""One document from bytes to chunks: what a worker process is asked to do, and the three ways in which it answers."""

from collections import Counter
from pathlib import PurePosixPath

import msgspec

from causeway.ingestor.chunking import Cut, Measure, chunk, weight
from causeway.ingestor.parsing import sniff
from causeway.ingestor.parsing.block import Block, Code, Limits, Parsed

TITLE_CHARS_MAX = 300
# The first heading of a spreadsheet is the name of a sheet, which says less than the name of the file.
_SHEETS = frozenset({sniff.XLSX, sniff.XLSB, sniff.XLS, sniff.ODS})


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
    heading = "" if parsed.media_type in _SHEETS else _opening_heading(parsed.blocks)
    named = job.title or parsed.title or heading or PurePosixPath(job.filename).stem
    return " ".join(named.split())[:TITLE_CHARS_MAX]


def _opening_heading(blocks: list[Block]) -> str:
    """A heading that opens the document and has no sister is its title."""
    top = [block for block in blocks if block.kind == "heading" and not block.heading_path]
    return top[0].text if len(top) == 1 and top[0] is blocks[0] else ""


def language_of(cuts: list[Cut], declared: str) -> str:
    """The language of most of the text; what the file declares only where the text does not tell."""
    sizes: Counter[str] = Counter()
    for cut in cuts:
        sizes[cut.language] += int(weight(cut.text))
    sizes.pop("und", None)
    if sizes:
        return sizes.most_common(1)[0][0]
    return declared.partition("-")[0].lower() or "und"
