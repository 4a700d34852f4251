"""Plain text and subtitles: the encoding is found, blank lines part paragraphs, chapter lines become headings."""

import re

from causeway.ingestor.parsing import charset
from causeway.ingestor.parsing.outline import Outline, flow, tidy

_CHAPTER = re.compile(
    r"^\s*(?:第[〇零一二三四五六七八九十百千\d]{1,6}[章节節篇部编編卷回]|(?:CHAPTER|Chapter|PART|Part)\s+[\dIVXLC]+).{0,40}$"
)
_TIMING = re.compile(r"^\s*(?:\d+:)?\d\d:\d\d[.,]\d{3}\s*-->")
_CUE_TAG = re.compile(r"</?[^>]*>")
_SPEAKER = re.compile(r"<v(?:\.[^ >]*)?\s+([^>]+)>")


def parse(body: bytes, outline: Outline) -> None:
    """Add the paragraphs of a plain text."""
    add_text(charset.decode(body), outline)


def add_text(text: str, outline: Outline) -> None:
    """Paragraphs of `text`; a form feed begins a new page."""
    pages = text.split("\f")
    for number, page in enumerate(pages, 1):
        outline.page = number if len(pages) > 1 else 0
        for paragraph in re.split(r"\n\s*\n", tidy(page)):
            _paragraph(paragraph, outline)


def _paragraph(paragraph: str, outline: Outline) -> None:
    first, _, rest = paragraph.partition("\n")
    if _CHAPTER.match(first) and not first.rstrip().endswith(("。", "，", ".", ",", "；")):
        outline.heading(1, first)
        outline.add(rest)
    else:
        outline.add(paragraph)


def parse_subtitles(body: bytes, outline: Outline) -> None:
    """Add what is said, by speaker, without times and cue numbers."""
    said: list[str] = []
    speaker = ""
    for cue in re.split(r"\n\s*\n", tidy(charset.decode(body))):
        lines = cue.split("\n")
        timing = next((index for index, line in enumerate(lines) if _TIMING.match(line)), None)
        if timing is None:
            if lines[0].startswith("NOTE"):
                outline.add(cue.removeprefix("NOTE"))
            continue
        spoken = "\n".join(lines[timing + 1 :])
        match = _SPEAKER.search(spoken)
        name = match.group(1).strip() if match else ""
        if name != speaker or len(said) >= 8:
            _say(speaker, said, outline)
            speaker, said = name, []
        said.append(flow(_CUE_TAG.sub("", spoken)))
    _say(speaker, said, outline)


def _say(speaker: str, said: list[str], outline: Outline) -> None:
    if said:
        outline.add(f"{speaker}: {flow(' '.join(said))}" if speaker else "\n".join(said))
