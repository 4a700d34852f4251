"""Collects blocks while a parser walks a document, and knows under which headings each of them stands."""

import re

from causeway.ingestor.parsing.block import Block, Code, Kind, Limits, ParseFailure

HEADING_CHARS_MAX = 160
_LEVELS_MAX = 9
_CJK = r"\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff60\U00020000-\U0003ffff"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")
_SPACES = re.compile(r"[^\S\n]+")
_LINE_EDGES = re.compile(r" *\n *")
_BLANK_LINES = re.compile(r"\n{3,}")
_BETWEEN_CJK = re.compile(rf"(?<=[{_CJK}])\n(?=[{_CJK}])")
SOFT_BREAK = "\x1f"
_GAP_IN_CJK = re.compile(rf"(?<=[{_CJK}]) +(?=[{_CJK}])")
_SOFT_IN_CJK = re.compile(rf"(?<=[{_CJK}])\x1f(?=[{_CJK}])")


def tidy(text: str, *, code: bool = False) -> str:
    """`text` without control characters and runs of spaces. Code keeps its indentation."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if code:
        return text.strip("\n").rstrip()
    return _BLANK_LINES.sub("\n\n", _LINE_EDGES.sub("\n", _SPACES.sub(" ", text))).strip()


def flow(text: str) -> str:
    """`text` as one line: line breaks become spaces, except between Chinese characters, where they vanish."""
    return " ".join(_BETWEEN_CJK.sub("", tidy(text)).split())


def join_soft(text: str) -> str:
    """`text` with each SOFT_BREAK (a line end that only the layout made) as a space, or nothing between Chinese."""
    return _SOFT_IN_CJK.sub("", text).replace(SOFT_BREAK, " ")


def without_gaps(text: str) -> str:
    """`text` without the spaces that OCR puts between Chinese characters."""
    return _GAP_IN_CJK.sub("", text)


class Outline:
    """Blocks so far. `page` is set by the parser as it goes; 0 means that the format has no pages."""

    def __init__(self, limits: Limits) -> None:
        self.blocks: list[Block] = []
        self.page = 0
        self._path: list[tuple[int, str]] = []
        self._chars = 0
        self._limits = limits

    def heading(self, level: int, text: str) -> None:
        """A heading; what is too long for one is a paragraph."""
        title = flow(text)
        if not title:
            return
        if len(title) > HEADING_CHARS_MAX:
            self.add(title)
            return
        level = max(1, min(level, _LEVELS_MAX))
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        above = self.path
        self._path.append((level, title))
        self._append(Block(text=title, kind="heading", heading_path=above, page=self.page, page_last=self.page))

    def add(self, text: str, kind: Kind = "paragraph", *, lead: str = "", page_last: int = 0) -> None:
        """A block under the headings so far. Blank text is left out."""
        clean = tidy(text, code=kind == "code")
        if not clean:
            return
        last = max(self.page, page_last)
        self._append(
            Block(text=clean, kind=kind, heading_path=self.path, page=self.page, page_last=last, lead=flow(lead))
        )

    def lines(self, text: str) -> None:
        """Plain text: blank lines part paragraphs, the lines inside one stay as they are."""
        for paragraph in re.split(r"\n\s*\n", tidy(text)):
            self.add(paragraph)

    @property
    def path(self) -> tuple[str, ...]:
        """The headings that stand above what comes next."""
        return tuple(title for _, title in self._path)

    def leave_headings(self) -> None:
        """What comes next stands under no heading: another file of an archive, another message."""
        self._path.clear()

    def _append(self, block: Block) -> None:
        self._chars += len(block.text)
        if self._chars > self._limits.text_chars_max:
            raise ParseFailure(
                Code.TEXT,
                f"holds more than {self._limits.text_chars_max:,} characters of text: split it or raise "
                "INGESTOR_TEXT_CHARS_MAX",
            )
        self.blocks.append(block)
