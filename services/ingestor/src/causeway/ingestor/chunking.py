"""Blocks to chunks: by sections, then where the text itself says. No cut depends on place, so an edit moves few.

Within a section the hash of a unit (paragraph, row or sentence) decides whether a chunk ends after it; see FastCDC
(Xia et al., 2016) for the idea, here over units instead of bytes. No overlap: title and headings are the context.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from causeway.ingestor.parsing.block import Block
from causeway.language import detect

# Weight 1 is one Latin letter; a Chinese character weighs as much as it costs in tokens of a multilingual model.
_CJK_WEIGHT = 8 / 3
_DENSE_WEIGHT = 1.8
_SEPARATOR = " › "
_ORPHAN_SHARE = 0.15


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in Latin letters; 800 is 300 Chinese characters. `max` and `context_max` together fit 512 model tokens."""

    target: int = 800
    min_share: float = 0.4
    max: int = 1200
    context_max: int = 240


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk and its place. What is embedded is `context`, a line break, and `text`."""

    ordinal: int
    context: str
    text: str
    language: str
    page_first: int = 0
    page_last: int = 0


@dataclass(frozen=True, slots=True)
class _Unit:
    """The smallest piece that is never cut, from `block`. `glue` is what parts it from the unit before."""

    text: str
    glue: str
    weight: float
    block: Block


_CJK = r"\u2e80-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff\uac00-\ud7af"
_WIDE = re.compile(f"[{_CJK}]")
_DENSE = re.compile(rf"[^A-Za-z\s{_CJK}]")
# Kept apart from causeway.language on purpose: a better sentence splitter there must not embed every site anew.
_SENTENCE_END = re.compile(r"(?<=[。！？；])|(?<=[.!?;])(?=\s)|(?<=\n)")
_CLAUSE_END = re.compile(r"(?<=[，、：])|(?<=[,:|])(?=\s)")
_WORD_END = re.compile(r"(?<=\s)")


def weight(text: str) -> float:
    """The size of `text` in Latin letters: digits and marks cost more tokens than letters, Chinese most."""
    wide = len(_WIDE.findall(text))
    dense = len(_DENSE.findall(text))
    return len(text) + wide * (_CJK_WEIGHT - 1) + dense * (_DENSE_WEIGHT - 1)


def chunk(blocks: list[Block], title: str, measure: Measure | None = None) -> list[Cut]:
    """The chunks of a document, in order. Every character of `blocks` but white space is in exactly one of them."""
    measure = measure or Measure()
    groups = [
        group for section in _sections(blocks) for group in _grouped(list(_section_units(section, measure)), measure)
    ]
    return [_cut(group, ordinal, title, measure) for ordinal, group in enumerate(groups)]


def embed_text(context: str, text: str) -> str:
    """Exactly what is embedded: the context is one line above the text."""
    return f"{context}\n{text}" if context else text


def _sections(blocks: list[Block]) -> Iterator[list[Block]]:
    """Runs of blocks under one heading. A heading stands with what follows it, be it another heading."""
    section: list[Block] = []
    for block in blocks:
        if section and section[-1].kind != "heading" and _begins(section[-1], block):
            yield section
            section = []
        section.append(block)
    if section:
        yield section


def _begins(before: Block, block: Block) -> bool:
    return block.kind == "heading" or before.heading_path != block.heading_path


def _section_units(section: list[Block], measure: Measure) -> Iterator[_Unit]:
    for block in section:
        for number, piece in enumerate(_pieces(block, measure)):
            yield _Unit(piece, "" if number else "\n", weight(piece), block)


def _pieces(block: Block, measure: Measure) -> list[str]:
    """A block whole if it is short or a row, else its sentences, else the clauses of those."""
    text = unicodedata.normalize("NFC", block.text)
    whole_max = measure.max if block.kind == "row" else measure.target / 2
    if weight(text) <= whole_max:
        return [text]
    pieces: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        pieces += [sentence] if weight(sentence) <= measure.max else _split_long(sentence, measure)
    return [piece for piece in pieces if piece]


def _split_long(sentence: str, measure: Measure) -> list[str]:
    """Clauses gathered up to half the target; what has no clauses is cut where it must be."""
    room = measure.target / 2
    pieces: list[str] = []
    held, held_weight = "", 0.0
    for part in _clauses(sentence, room):
        size = weight(part)
        if held and held_weight + size > room:
            pieces.append(held)
            held, held_weight = "", 0.0
        held, held_weight = held + part, held_weight + size
    return [*pieces, held]


def _clauses(sentence: str, room: float) -> Iterator[str]:
    for clause in _CLAUSE_END.split(sentence):
        for words in [clause] if weight(clause) <= room else _WORD_END.split(clause):
            yield from _cut_hard(words, room)


def _cut_hard(text: str, room: float) -> Iterator[str]:
    # A character weighs at most _CJK_WEIGHT, so that a step of this many characters always fits.
    step = max(1, int(room / _CJK_WEIGHT)) if weight(text) > room else len(text) or 1
    for start in range(0, len(text), step):
        yield text[start : start + step]


def _grouped(units: list[_Unit], measure: Measure) -> list[list[_Unit]]:
    groups: list[list[_Unit]] = []
    held: list[_Unit] = []
    size = 0.0
    for unit in units:
        if held and size + unit.weight > measure.max:
            groups.append(held)
            held, size = [], 0.0
        held.append(unit)
        size += unit.weight
        if size >= measure.min_share * measure.target and _ends_here(unit, measure):
            groups.append(held)
            held, size = [], 0.0
    if held:
        groups.append(held)
    return _without_orphan(groups, measure)


def _ends_here(unit: _Unit, measure: Measure) -> bool:
    """A unit ends its chunk by the hash of its words alone, the more often the longer it is: chunks near the target."""
    if unit.block.kind == "heading":
        return False
    digest = hashlib.blake2b(" ".join(unit.text.split()).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32 < unit.weight / (measure.target * (1 - measure.min_share))


def _without_orphan(groups: list[list[_Unit]], measure: Measure) -> list[list[_Unit]]:
    """A few words left over at the end of a section say nothing alone: they join what they follow, if there is room."""
    if len(groups) < 2:
        return groups
    *most, before, last = groups
    tail = sum(unit.weight for unit in last)
    if tail > _ORPHAN_SHARE * measure.target or tail + sum(unit.weight for unit in before) > measure.max:
        return groups
    return [*most, before + last]


def _cut(units: list[_Unit], ordinal: int, title: str, measure: Measure) -> Cut:
    text = "".join(unit.glue + unit.text for unit in units).strip()
    pages = [unit.block.page for unit in units if unit.block.page]
    return Cut(
        ordinal=ordinal,
        context=_context(title, units[0].block, measure),
        text=text,
        language=detect(text),
        page_first=min(pages, default=0),
        page_last=max((unit.block.page_last for unit in units), default=0),
    )


def _context(title: str, first: Block, measure: Measure) -> str:
    """Title › headings › table header, as far as there is room: the title and the nearest are kept longest."""
    names = [name for name in (*first.heading_path, first.lead) if name and name != title]
    # A chunk that opens with the title needs no second one.
    names = [title, *names] if title and first.text != title else names
    while len(names) > 2 and weight(_SEPARATOR.join(names)) > measure.context_max:
        names.pop(1)
    share = measure.context_max / max(1, len(names)) - len(_SEPARATOR)
    if weight(_SEPARATOR.join(names)) > measure.context_max:
        names = [_shortened(name, share) for name in names]
    return unicodedata.normalize("NFC", _SEPARATOR.join(names))


def _shortened(name: str, room: float) -> str:
    while weight(name) > room:
        name = name[: min(len(name) - 1, int(len(name) * room / weight(name)))]
    return name
