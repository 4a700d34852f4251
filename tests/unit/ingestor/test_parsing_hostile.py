"""Files that are broken, locked, huge or not what they say: a clear reason, no crash, no blow-up."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from causeway.ingestor.parsing import sniff
from causeway.ingestor.parsing.block import Code, Limits, ParseFailure
from causeway.ingestor.parsing.document import parse
from tests.support import document_files as files


def failure(body: bytes, name: str = "a.bin", limits: Limits | None = None) -> ParseFailure:
    with pytest.raises(ParseFailure) as caught:
        parse(body, name, "", limits)
    return caught.value


@pytest.mark.parametrize("body", [b"", b"   \n\t ", bytes(4096)])
def test_nothing_in_a_file_is_empty(body: bytes) -> None:
    assert failure(body, "a.txt").code == Code.EMPTY


def test_locked_files_say_that_they_are_locked() -> None:
    locked = [files.pdf([[(11, "secret")]], password="x"), files.ole("EncryptedPackage")]
    for body in locked:
        caught = failure(body)
        assert (caught.code, caught.reason) == (Code.ENCRYPTED, "is password protected: publish an unprotected copy")


def test_a_pdf_of_ten_thousand_pages_is_refused_with_the_limit() -> None:
    caught = failure(files.blank_pdf(10_000))
    assert caught.code == Code.PAGES
    assert caught.reason == "has 10000 pages, the limit is 5000: split it or raise INGESTOR_PAGES_MAX"


def test_a_bomb_is_seen_in_the_directory_before_anything_unfolds() -> None:
    assert failure(files.bomb(64)).code == Code.BOMB
    assert failure(files.lying_zip(0xFFFF_FFF0)).code == Code.BOMB
    many = files.package({f"{number}.txt": b"" for number in range(50)})
    assert failure(many, limits=Limits(entries_max=40)).code == Code.BOMB


def test_entities_of_xml_are_refused_not_unfolded() -> None:
    body = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'
    assert failure(body, "a.xml").code == Code.BOMB
    assert failure(body.decode().encode("utf-16"), "a.xml").code == Code.BOMB
    inside = files.package({"[Content_Types].xml": "<Types/>", "word/document.xml": body})
    assert failure(inside, "a.docx").code == Code.BOMB


def test_deep_nesting_is_a_reason_not_a_crash() -> None:
    assert failure(b"[" * 200_000 + b"]" * 200_000, "a.json").code == Code.CORRUPT
    deep = b"<a>" * 100_000 + b"x" + b"</a>" * 100_000
    assert failure(deep, "a.xml").code == Code.CORRUPT
    nested = json.dumps(0)
    for _ in range(300):
        nested = f'{{"k": {nested}}}'
    assert failure(nested.encode(), "a.json").code == Code.CORRUPT


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated_files_fail_with_a_reason(share: float) -> None:
    whole = [
        files.word([("Normal", "words")]),
        files.workbook({"S": [["a", "b"], ["c", "d"]]}),
        files.slides([("T", "b", "")]),
        files.epub([("A", "b")], "t"),
    ]
    for body in whole:
        caught = failure(body[: int(len(body) * share)])
        assert caught.code == Code.CORRUPT
        assert ":" in caught.reason, "the reason names a mend"


def test_the_content_decides_whatever_the_name_says() -> None:
    assert parse(files.word([("Normal", "words")]), "report.pdf", "application/pdf").media_type == sniff.DOCX
    assert parse(b"just words", "report.pdf", "application/pdf").media_type == sniff.TEXT
    assert parse(files.pdf([[(11, "words here")]]), "notes.txt", "text/plain").media_type == sniff.PDF
    assert parse(b"<!doctype html><p>words</p>", "table.csv").media_type == sniff.HTML


@pytest.mark.parametrize(
    "body", [b"\x7fELF" + bytes(range(256)) * 8, b"7z\xbc\xaf\x27\x1c" + bytes(64), bytes(range(1, 256)) * 40]
)
def test_what_is_no_document_is_refused(body: bytes) -> None:
    assert failure(body, "a.docx").code == Code.UNSUPPORTED


def test_a_picture_without_an_engine_says_what_to_install() -> None:
    caught = failure(b"\x89PNG\r\n\x1a\n" + bytes(64), "scan.png")
    assert caught.code == Code.NEEDS_OCR
    assert "install tesseract" in caught.reason


def engine(folder: Path) -> str:
    """A stand-in for tesseract that reads the same in every picture."""
    script = folder / "tesseract"
    script.write_text("#!/bin/sh\ncat > /dev/null\necho '先 关 闭 电 源 first'\n")
    script.chmod(0o700)
    return str(script)


def scan(pages: int) -> bytes:
    return files.pdf_of_pictures(pages)


def test_pictures_and_scanned_pages_are_read_by_the_engine_that_is_there(tmp_path: Path) -> None:
    limits = Limits(tesseract=engine(tmp_path))
    parsed = parse(scan(2), "a.pdf", "", limits)
    assert [(block.page, block.text) for block in parsed.blocks] == [(1, "先关闭电源 first"), (2, "先关闭电源 first")]
    assert parse(b"\x89PNG\r\n\x1a\n" + bytes(64), "a.png", "", limits).blocks[0].text == "先关闭电源 first"


def test_scanned_pages_without_an_engine_or_time_are_named_in_a_warning(tmp_path: Path) -> None:
    assert failure(scan(2)).code == Code.NEEDS_OCR
    late = Limits(tesseract=engine(tmp_path), ocr_time_s_max=-1.0)
    assert failure(scan(2), limits=late).code == Code.NO_TEXT
    mixed = files.pdf_of_pictures(1, text="Words stand on this page.")
    assert parse(mixed, "a.pdf").warnings == [
        "1 of 2 pages are pictures and were left out: install tesseract to read them"
    ]


def test_text_beyond_the_limit_is_refused() -> None:
    assert failure(b"word " * 1000, "a.txt", Limits(text_chars_max=1000)).code == Code.TEXT
    assert failure(b"word " * 1000, "a.txt", Limits(body_bytes_max=1000)).code == Code.BODY


def test_archives_in_archives_end_at_the_nesting_limit() -> None:
    body = b"words"
    for level in range(5):
        body = files.package({f"{level}.zip" if level else "a.txt": body})
    parsed = parse(body, "a.zip")
    assert parsed.warnings[-1].endswith("nested too deeply, left out")


def test_a_locked_archive_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "words")
    body = bytearray(stream.getvalue())
    body[6] |= 1
    body[body.rindex(b"PK\x01\x02") + 8] |= 1
    assert failure(bytes(body), "a.zip").code == Code.ENCRYPTED
