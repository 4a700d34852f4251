"""PDF pages to lines with their place and size through PDFium; what the lines mean is decided in `pagelayout`."""

import ctypes
import statistics
import time
from collections.abc import Iterator
from contextlib import closing

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from causeway.ingestor.parsing import ocr, pagelayout
from causeway.ingestor.parsing.block import Code, Limits, ParseFailure
from causeway.ingestor.parsing.outline import Outline, flow
from causeway.ingestor.parsing.pagelayout import Line

_OCR_SCALE = 200 / 72
_PAGE_TEXT_CHARS_MIN = 3


def parse(body: bytes, outline: Outline, limits: Limits) -> tuple[str, int, list[str]]:
    """Add the text of a PDF. Returns the title in its properties, the number of pages, and warnings.

    Raises:
        ParseFailure: encrypted, broken, too many pages, or pictures of text only and no OCR.
    """
    with closing(_open(body)) as document:
        count = len(document)
        _check_pages(count, limits)
        pages, unread = _read(document, limits)
        marks = _bookmarks(document)
        title = flow(document.get_metadata_dict().get("Title") or "")
    if unread == count:
        ocr.require(limits)
    warnings = [_left_out(unread, count, limits)] if unread else []
    pagelayout.add_pages(pages, marks, outline)
    return title, count, warnings


def _open(body: bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(body)
    except pdfium.PdfiumError as error:
        words = str(error).lower()
        if "password" in words or "security" in words:
            raise ParseFailure(Code.ENCRYPTED, "is password protected: publish an unprotected copy") from error
        raise ParseFailure(Code.CORRUPT, f"is a broken PDF ({error}): export or copy it again") from error


def _check_pages(count: int, limits: Limits) -> None:
    if count == 0:
        raise ParseFailure(Code.EMPTY, "is a PDF without pages: export it again")
    if count > limits.pages_max:
        raise ParseFailure(
            Code.PAGES, f"has {count} pages, the limit is {limits.pages_max}: split it or raise INGESTOR_PAGES_MAX"
        )


def _read(document: pdfium.PdfDocument, limits: Limits) -> tuple[list[list[Line]], int]:
    """The lines of each page, and how many pages are pictures that were not read."""
    pages: list[list[Line]] = []
    chars = unread = 0
    deadline = time.monotonic() + limits.ocr_time_s_max
    for index in range(len(document)):
        lines, is_picture = _page(document, index)
        if is_picture and limits.tesseract and time.monotonic() < deadline:
            lines = _recognised(document, index, limits)
        else:
            unread += is_picture
        chars += sum(len(line.text) for line in lines)
        if chars > limits.text_chars_max:
            raise ParseFailure(
                Code.TEXT,
                f"holds more than {limits.text_chars_max:,} characters of text: split it or raise "
                "INGESTOR_TEXT_CHARS_MAX",
            )
        pages.append(lines)
    return pages, unread


def _page(document: pdfium.PdfDocument, index: int) -> tuple[list[Line], bool]:
    """The lines of a page, and whether it is a picture of text. A broken page is an empty one."""
    try:
        page = document[index]
    except pdfium.PdfiumError:
        return [], False
    with closing(page):
        lines = list(_lines(page, index + 1))
        bare = sum(len(line.text) for line in lines) < _PAGE_TEXT_CHARS_MIN
        return lines, bare and _has_picture(page)


def _left_out(unread: int, count: int, limits: Limits) -> str:
    mend = "split it or raise INGESTOR_OCR_TIME_S_MAX" if limits.tesseract else "install tesseract to read them"
    return f"{unread} of {count} pages are pictures and were left out: {mend}"


def _has_picture(page: pdfium.PdfPage) -> bool:
    return next(iter(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)), None) is not None


def _recognised(document: pdfium.PdfDocument, index: int, limits: Limits) -> list[Line]:
    with closing(document[index]) as page:
        bitmap = page.render(scale=_OCR_SCALE, grayscale=True)
    header = f"P5 {bitmap.width} {bitmap.height} 255\n".encode()
    pixels = bytes(bitmap.buffer)
    rows = [pixels[row * bitmap.stride : row * bitmap.stride + bitmap.width] for row in range(bitmap.height)]
    text = ocr.read(header + b"".join(rows), limits)
    return [Line(text=line, page=index + 1) for line in text.splitlines()]


def _lines(page: pdfium.PdfPage, number: int) -> Iterator[Line]:
    with closing(page.get_textpage()) as textpage:
        text = textpage.get_text_range(errors="ignore")
        at = 0
        for line in text.splitlines(keepends=True):
            words = line.strip()
            if words:
                first = at + len(line) - len(line.lstrip())
                yield _placed(textpage, words, first, first + len(words) - 1, number)
            at += len(line)


def _placed(textpage: pdfium.PdfTextPage, words: str, first: int, last: int, number: int) -> Line:
    start = raw.FPDFText_GetCharIndexFromTextIndex(textpage, first)
    end = raw.FPDFText_GetCharIndexFromTextIndex(textpage, last)
    if start < 0 or end < 0:
        return Line(text=words, page=number)
    head, tail = _box(textpage, start), _box(textpage, end)
    sizes = [_size(textpage, index) for index in {start, (start + end) // 2, end}]
    # Some producers scale a font of size 1; the height of a glyph box is then the better measure.
    size = statistics.median(sizes)
    return Line(
        text=words,
        page=number,
        size=round(size if size > 3 else max(head[3] - head[1], tail[3] - tail[1]), 1),
        left=min(head[0], tail[0]),
        right=max(head[2], tail[2]),
        bottom=min(head[1], tail[1]),
        top=max(head[3], tail[3]),
    )


def _size(textpage: pdfium.PdfTextPage, index: int) -> float:
    return float(raw.FPDFText_GetFontSize(textpage, index))


def _box(textpage: pdfium.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of a character in points; the loose box, which does not depend on the letter's shape."""
    rectangle = raw.FS_RECTF()
    if not raw.FPDFText_GetLooseCharBox(textpage, index, ctypes.byref(rectangle)):
        return 0.0, 0.0, 0.0, 0.0
    return rectangle.left, rectangle.bottom, rectangle.right, rectangle.top


def _bookmarks(document: pdfium.PdfDocument) -> list[tuple[int, int, str]]:
    """(page, level, title) of each bookmark."""
    marks: list[tuple[int, int, str]] = []
    for mark in document.get_toc(max_depth=6):
        destination = mark.get_dest()
        index = destination.get_index() if destination else None
        if index is not None and len(marks) < 20_000:
            marks.append((index + 1, mark.level + 1, flow(mark.get_title())))
    return marks
