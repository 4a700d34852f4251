"""LaTeX to blocks: sectioning becomes headings, commands give way to the words in them, comments go."""

import re

from causeway.ingestor.parsing import charset
from causeway.ingestor.parsing.outline import SOFT_BREAK, Outline, join_soft, tidy

_LEVELS = {"title": 1, "part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
_SECTION = re.compile(
    r"\\(title|part|chapter|(?:sub){0,2}section|paragraph)\*?\s*(?:\[[^\]]*\])?\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_COMMENT = re.compile(r"(?<!\\)%.*")
_DROPPED = re.compile(
    r"\\(?:label|ref|eqref|cite\w*|includegraphics|bibliography\w*|usepackage|documentclass|input|include|vspace|hspace"
    r"|pagestyle|newcommand|renewcommand|setlength|begin|end|hypersetup|thispagestyle)\*?\s*(?:\[[^\]]*\])*(?:\{[^{}]*\})*"
)
_LINK = re.compile(r"\\href\{([^{}]*)\}\{([^{}]*)\}")
_COMMAND = re.compile(r"\\[a-zA-Z]+\*?\s?(?:\[[^\]]*\])?")
_ESCAPED = re.compile(r"\\([%&$#_{}~^])")
_ITEM = re.compile(r"\\item\b\s*(?:\[([^\]]*)\])?")


def parse(body: bytes, outline: Outline) -> None:
    """Add the text of a LaTeX source: what stands before the document begins counts only for its title."""
    text = tidy(_COMMENT.sub("", charset.decode(body)))
    head, mark, rest = text.partition("\\begin{document}")
    if mark:
        title = next((match.group(2) for match in _SECTION.finditer(head) if match.group(1) == "title"), "")
        outline.heading(1, plain(title))
    text = rest.partition("\\end{document}")[0] if mark else text
    at = 0
    for match in _SECTION.finditer(text):
        _paragraphs(text[at : match.start()], outline)
        outline.heading(_LEVELS[match.group(1)], plain(match.group(2)))
        at = match.end()
    _paragraphs(text[at:], outline)


def _paragraphs(text: str, outline: Outline) -> None:
    for paragraph in re.split(r"\n\s*\n", _ITEM.sub(lambda match: f"\n\n- {match.group(1) or ''} ", text)):
        words = plain(paragraph)
        outline.add(words, "item" if words.startswith("- ") else "paragraph")


def plain(text: str) -> str:
    """The words of LaTeX text. Mathematics stays as it is written, without its commands' backslashes."""
    text = _DROPPED.sub("", _LINK.sub(r"\2", text))
    text = text.replace("\\\\", "\n").replace("~", " ").replace("``", "“").replace("''", "”")
    text = _COMMAND.sub("", _ESCAPED.sub(r"\1", text))
    text = re.sub(r"(?<!\\)[{}$]", "", text)
    lines = [line.strip() for line in text.split("\n")]
    return join_soft(SOFT_BREAK.join(line for line in lines if line))
