"""Spreadsheets, RTF, Outlook messages and old binary Office files through kreuzberg: one thread, no cache."""

import kreuzberg

from causeway.ingestor.parsing import sniff
from causeway.ingestor.parsing.block import Code, ParseFailure
from causeway.ingestor.parsing.outline import Outline, flow
from causeway.ingestor.parsing.tables import add_rows

_SHEETS = frozenset({sniff.XLSX, sniff.XLSB, sniff.XLS})
# Every PPT carries the words of its slide master, which nobody wrote.
_MASTER = frozenset(
    {"Click to edit Master title style", "Click to edit Master text styles", "Second level", "Third level",
     "Fourth level", "Fifth level", "单击此处编辑母版标题样式", "单击此处编辑母版文本样式", "第二级", "第三级",
     "第四级", "第五级"}
)  # fmt: skip
_ENCRYPTED = ("password", "encrypt")


def parse(body: bytes, media_type: str, outline: Outline) -> str:
    """Add the text of `body`. Returns the title in its properties."""
    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="plain",
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    try:
        result = kreuzberg.extract_bytes_sync(body, media_type, config=config)
    except kreuzberg.KreuzbergError as error:
        raise _failure(str(error)) from error
    if media_type in _SHEETS:
        _sheets(result, outline)
    elif media_type == sniff.MSG:
        _message(result, outline)
    else:
        _text(result.content, outline)
    return flow(str(result.metadata.get("title") or result.metadata.get("subject") or ""))


def _failure(text: str) -> ParseFailure:
    if any(word in text.lower() for word in _ENCRYPTED):
        return ParseFailure(Code.ENCRYPTED, "is password protected: publish an unprotected copy")
    return ParseFailure(Code.CORRUPT, f"can not be read ({text.splitlines()[0][:200]}): save it again")


def _sheets(result: kreuzberg.ExtractionResult, outline: Outline) -> None:
    names = result.metadata.get("sheet_names") or []
    for number, table in enumerate(result.tables):
        sheet = table.page_number - 1
        outline.leave_headings()
        outline.heading(1, names[sheet] if sheet < len(names) else f"Sheet {number + 1}")
        add_rows(outline, table.cells)


def _message(result: kreuzberg.ExtractionResult, outline: Outline) -> None:
    outline.heading(1, str(result.metadata.get("subject") or "(no subject)"))
    outline.lines(result.content)


def _text(text: str, outline: Outline) -> None:
    for line in text.split("\n"):
        if line.strip() not in _MASTER:
            outline.add(line)
