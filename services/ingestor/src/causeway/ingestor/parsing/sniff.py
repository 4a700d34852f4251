"""Which format a file is in, by its content. Its name and declared type only choose between kinds of plain text."""

import json
import re
from pathlib import PurePosixPath

from causeway.ingestor.parsing import charset
from causeway.ingestor.parsing.block import Code, Limits, ParseFailure
from causeway.ingestor.parsing.package import Package

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSB = "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
DOC = "application/msword"
PPT = "application/vnd.ms-powerpoint"
XLS = "application/vnd.ms-excel"
MSG = "application/vnd.ms-outlook"
ODT = "application/vnd.oasis.opendocument.text"
ODP = "application/vnd.oasis.opendocument.presentation"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
EPUB = "application/epub+zip"
ZIP = "application/zip"
RTF = "application/rtf"
EML = "message/rfc822"
MBOX = "application/mbox"
HTML = "text/html"
XML = "application/xml"
JSON = "application/json"
IPYNB = "application/x-ipynb+json"
VTT = "text/vtt"
TEXT = "text/plain"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TSV = "text/tab-separated-values"
RST = "text/x-rst"
ORG = "text/x-org"
ASCIIDOC = "text/asciidoc"
LATEX = "text/x-tex"
JSONL = "application/x-ndjson"

_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"BM", "image/bmp"),
)
_OTHERS = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a program"),
    (b"ID3", "an audio file"),
    (b"OggS", "an audio file"),
    (b"fLaC", "an audio file"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"SQLite format 3\x00", "a database"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = (
    ("EncryptedPackage", ""),
    ("WordDocument", DOC),
    ("PowerPoint Document", PPT),
    ("Workbook", XLS),
    ("__substg1.0_", MSG),
    ("__properties_version1.0", MSG),
    ("Book", XLS),
)
_BY_SUFFIX = {
    ".md": MARKDOWN, ".markdown": MARKDOWN, ".mdx": MARKDOWN, ".csv": CSV, ".tsv": TSV, ".tab": TSV, ".rst": RST,
    ".org": ORG, ".adoc": ASCIIDOC, ".asciidoc": ASCIIDOC, ".asc": ASCIIDOC, ".tex": LATEX, ".latex": LATEX,
    ".ltx": LATEX, ".vtt": VTT, ".srt": VTT, ".eml": EML, ".mbox": MBOX, ".jsonl": JSONL, ".ndjson": JSONL,
    ".json": JSON, ".ipynb": IPYNB, ".html": HTML, ".htm": HTML, ".xhtml": HTML, ".xml": XML, ".rss": XML,
}  # fmt: skip
_BY_DECLARED = {
    "text/markdown": MARKDOWN, "text/x-markdown": MARKDOWN, "text/csv": CSV, "application/csv": CSV, TSV: TSV, RST: RST,
    "text/prs.fallenstein.rst": RST, ORG: ORG, "text/org": ORG, ASCIIDOC: ASCIIDOC, LATEX: LATEX,
    "application/x-tex": LATEX, "application/x-latex": LATEX, VTT: VTT, EML: EML, MBOX: MBOX, JSONL: JSONL,
    JSON: JSON, IPYNB: IPYNB, HTML: HTML,
}  # fmt: skip
_HTML_HEAD = re.compile(r"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_HTML_TAG = re.compile(r"<(?:p|div|table|h[1-6]|ul|ol|li|span|br|a|meta|title|section)\b[^>]*>", re.I)
_ROOT = re.compile(r"^(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\])?\s*>)*<([A-Za-z_][\w:.-]*)[\s>/]", re.S)
_HTML_NAMES = frozenset({
    "html", "head", "body", "p", "div", "table", "h1", "h2", "h3", "ul", "ol", "span", "br", "a", "b", "meta",
    "section", "article", "font", "center", "img", "link", "style", "script", "title", "main", "header", "pre", "hr",
})  # fmt: skip
_MAIL_HEADER = re.compile(
    r"^(From|To|Subject|Date|Message-ID|MIME-Version|Received|Return-Path|Content-Type):", re.I | re.M
)
_MAIL_LINE = re.compile(r"^(?:[!-9;-~]+:|[ \t]|$)")
_SRT = re.compile(r"^\s*\d+\s*\n\d\d:\d\d:\d\d,\d{3} --> ")
_RTF_HEAD = b"{\\rtf"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_JSON_SNIFF_CHARS = 64 * 1024 * 1024


def sniff(body: bytes, filename: str, declared: str, limits: Limits) -> str:
    """The media type that the content has.

    Raises:
        ParseFailure: empty, encrypted, or no format that can be read.
    """
    if not body.strip(b"\x00 \t\r\n"):
        raise ParseFailure(Code.EMPTY, "is empty: publish it again with its content, or delete it")
    binary = _binary(body, limits)
    return binary or _text(body, filename, declared)


def hint(filename: str, declared: str) -> str:
    """What the name says that the file is, else its declared type; plain text where neither says."""
    by_name = _BY_SUFFIX.get(PurePosixPath(filename.lower()).suffix, "")
    return by_name or _BY_DECLARED.get(declared.partition(";")[0].strip().lower(), TEXT)


def _binary(body: bytes, limits: Limits) -> str:
    head = body[:1024]
    if b"%PDF-" in head:
        return PDF
    if body.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(Package(body, limits))
    if body.startswith(_OLE):
        return _ole(body)
    if head.lstrip().startswith(_RTF_HEAD):
        return RTF
    return _picture_or_other(body)


def _picture_or_other(body: bytes) -> str:
    head = body[:1024]
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    for magic, name in _IMAGES:
        if body.startswith(magic) and (magic != b"BM" or body[6:10] == b"\0\0\0\0"):
            return name
    for magic, name in _OTHERS:
        if body.startswith(magic) and (len(magic) > 3 or b"\0" in head):
            raise _unsupported(name)
    if body[4:8] == b"ftyp":
        raise _unsupported("a video or a HEIC picture")
    return ""


def _unsupported(what: str) -> ParseFailure:
    return ParseFailure(
        Code.UNSUPPORTED, f"is {what}, which holds no text that can be read here: publish the documents themselves"
    )


def _zip(package: Package) -> str:
    kind = package.read("mimetype").decode("ascii", "replace").strip() if package.has("mimetype") else ""
    for known in (EPUB, ODT, ODP, ODS):
        if kind.startswith(known):
            return known
    for prefix, name in (("word/", DOCX), ("ppt/", PPTX), ("xl/workbook.bin", XLSB), ("xl/", XLSX)):
        if package.has("[Content_Types].xml") and any(member.startswith(prefix) for member in package.names):
            return name
    if package.has("META-INF/container.xml"):
        return EPUB
    return ZIP


def _ole(body: bytes) -> str:
    for stream, name in _OLE_STREAMS:
        if stream.encode("utf-16-le") in body:
            if not name:
                raise ParseFailure(Code.ENCRYPTED, "is password protected: publish an unprotected copy")
            return name
    raise _unsupported("an OLE file of an unknown program")


def _text(body: bytes, filename: str, declared: str) -> str:
    text = charset.decode(body[: 256 * 1024], markup=True)
    if len(_CONTROL.findall(text)) + text.count("\ufffd") > 0.02 * len(text) + 1:
        raise ParseFailure(
            Code.UNSUPPORTED, "is in no format that can be read here: publish it as PDF, an office format or text"
        )
    expected = hint(filename, declared)
    return _marked(text) or _structured(body, text, expected) or _plain(text, expected)


def _marked(text: str) -> str:
    """Text formats that say what they are in their first bytes."""
    head = text[:2048].lstrip("\ufeff")
    if head.startswith("WEBVTT") or _SRT.match(head):
        return VTT
    if _HTML_HEAD.match(head):
        return HTML
    if re.match(r"From \S+.*\d{4}.*\n", head) and _MAIL_HEADER.search(head):
        return MBOX
    if _is_mail(head):
        return EML
    return ""


def _is_mail(head: str) -> bool:
    lines = head.splitlines()[:12]
    names = {match.group(1).lower() for match in _MAIL_HEADER.finditer(head.partition("\n\n")[0])}
    strong = names & {"mime-version", "message-id", "received", "return-path"}
    return bool(lines) and all(map(_MAIL_LINE.match, lines[:2])) and len(names) >= 3 and bool(strong or len(names) >= 4)


def _structured(body: bytes, text: str, expected: str) -> str:
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith(("{", "[")) and expected in (JSON, IPYNB, JSONL, TEXT, HTML, XML, CSV):
        kind = _json(body, expected)
        if kind:
            return kind
    if stripped.startswith("<") and expected not in (MARKDOWN, LATEX, ASCIIDOC, ORG, RST):
        match = _ROOT.match(stripped)
        root = match.group(1).lower() if match else ""
        if root == "html" or expected == HTML:
            return HTML
        if root:
            return HTML if root in _HTML_NAMES and expected != XML and not stripped.startswith("<?xml") else XML
    return ""


def _json(body: bytes, expected: str) -> str:
    if expected in (JSON, IPYNB, JSONL):
        return expected
    if len(body) > _JSON_SNIFF_CHARS:
        return ""
    try:
        json.loads(charset.decode(body))
    except ValueError:
        return ""
    except RecursionError:
        return JSON
    return JSON


def _plain(text: str, expected: str) -> str:
    if expected in (MARKDOWN, RST, ORG, ASCIIDOC, LATEX, TEXT):
        return expected
    if expected in (CSV, TSV):
        return expected
    if expected == HTML and _HTML_TAG.search(text):
        return HTML
    if re.search(r"\\documentclass|\\begin\{document\}", text):
        return LATEX
    return TEXT
