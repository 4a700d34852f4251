"""Documents made on the spot, in the formats that producers send, whole or hostile."""

import io
import struct
import zipfile
from collections.abc import Sequence

import docx
import fpdf
import openpyxl
import pptx
from PIL import Image


def word(paragraphs: Sequence[tuple[str, str]], table: Sequence[Sequence[str]] = (), title: str = "") -> bytes:
    """A DOCX of (style, text) paragraphs and one table."""
    document = docx.Document()
    document.core_properties.title = title
    for style, text in paragraphs:
        document.add_paragraph(text, style=style)
    if table:
        grid = document.add_table(rows=0, cols=len(table[0]))
        for row in table:
            cells = grid.add_row().cells
            for cell, text in zip(cells, row, strict=True):
                cell.text = text
    return _saved(document)


def slides(pages: Sequence[tuple[str, str, str]]) -> bytes:
    """A PPTX of (title, body, note) slides."""
    presentation = pptx.Presentation()
    for title, body, note in pages:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
        if note:
            slide.notes_slide.notes_text_frame.text = note
    return _saved(presentation)


def workbook(sheets: dict[str, Sequence[Sequence[object]]]) -> bytes:
    """An XLSX with one table on each sheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    return _saved(book)


def pdf(pages: Sequence[Sequence[tuple[int, str]]], password: str = "") -> bytes:
    """A PDF whose pages are (font size, text) paragraphs, wrapped to the page."""
    document = fpdf.FPDF()
    if password:
        document.set_encryption(owner_password=password, user_password=password)
    for page in pages:
        document.add_page()
        for size, text in page:
            document.set_font("helvetica", size=size)
            document.multi_cell(0, size * 0.6, text, new_x="LMARGIN", new_y="NEXT")
            document.ln(size * 0.6)
    return bytes(document.output())


def pdf_of_pictures(pages: int, text: str = "") -> bytes:
    """A PDF of scanned pages, and one page of text if there is one."""
    picture = Image.new("L", (200, 100), 255)
    document = fpdf.FPDF()
    for _ in range(pages):
        document.add_page()
        document.image(picture, w=100)
    if text:
        document.add_page()
        document.set_font("helvetica", size=11)
        document.multi_cell(0, 8, text)
    return bytes(document.output())


def blank_pdf(pages: int) -> bytes:
    """A PDF of so many empty pages, small whatever their number."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, b" ".join(b"3 0 R" for _ in range(pages))),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out + b"trailer << /Root 1 0 R /Size 4 >>\nstartxref\n%d\n%%%%EOF\n" % start)


def package(members: dict[str, bytes | str], *, stored_first: str = "") -> bytes:
    """A ZIP container."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body, zipfile.ZIP_STORED if name == stored_first else zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def epub(chapters: Sequence[tuple[str, str]], title: str) -> bytes:
    """An EPUB of (heading, text) chapters; their files are named against their order."""
    names = [f"c{len(chapters) - number}.xhtml" for number in range(len(chapters))]
    items = "".join(f'<item id="i{number}" href="{name}"/>' for number, name in enumerate(names))
    spine = "".join(f'<itemref idref="i{number}"/>' for number in range(len(names)))
    members: dict[str, bytes | str] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OPS/p.opf"/></rootfiles></container>',
        "OPS/p.opf": f"<package><metadata><title>{title}</title><language>en</language></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for name, (heading, text) in zip(names, chapters, strict=True):
        members[f"OPS/{name}"] = f"<html><body><h1>{heading}</h1><p>{text}</p></body></html>"
    return package(members, stored_first="mimetype")


def open_document(body: str, kind: str = "text") -> bytes:
    """An OpenDocument file whose office:body is `body`."""
    spaces = " ".join(f'xmlns:{name}="urn:{name}"' for name in ("office", "text", "table", "draw", "presentation"))
    content = f"<office:document-content {spaces}><office:body>{body}</office:body></office:document-content>"
    return package(
        {"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": content}, stored_first="mimetype"
    )


def ole(stream_name: str) -> bytes:
    """The beginning of an OLE file that names a stream, such as an encrypted Office file has."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + stream_name.encode("utf-16-le") + bytes(512)


def bomb(megabytes: int) -> bytes:
    """A DOCX whose one part unfolds to so many megabytes of zeros."""
    return package({"[Content_Types].xml": "<Types/>", "word/document.xml": bytes(megabytes * 1024 * 1024)})


def lying_zip(declared_bytes: int) -> bytes:
    """A ZIP whose directory declares a huge part that is not there: only the directory is checked before reading."""
    body = bytearray(package({"[Content_Types].xml": "<Types/>", "word/document.xml": b"x"}))
    at = body.rindex(b"PK\x01\x02")
    struct.pack_into("<I", body, at + 24, declared_bytes)
    return bytes(body)


def _saved(document: docx.document.Document | pptx.presentation.Presentation | openpyxl.Workbook) -> bytes:
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()
