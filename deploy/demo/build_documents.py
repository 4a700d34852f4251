"""Typesets the demo's documents from openly licensed evaluation sets: `python build_documents.py --data FOLDER`.

The result is committed; this script is here so that anyone can see how each file came about and make it again.
"""

import argparse
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from docx import Document
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from openpyxl import Workbook
from pptx import Presentation

HERE = Path(__file__).parent
MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")
XQUAD = "XQuAD (Google DeepMind), paragraphs of Wikipedia, CC BY-SA 4.0, github.com/google-deepmind/xquad@7d30520"
CMRC = "CMRC 2018 (HFL), paragraphs of Chinese Wikipedia, CC BY-SA 4.0, github.com/ymcui/cmrc2018@c0eb1b6"


@dataclass(frozen=True)
class Article:
    """A title and its paragraphs."""

    title: str
    paragraphs: list[str]


Writer = Callable[[Article, Path], None]


def markdown(article: Article, path: Path) -> None:
    parts = [f"# {article.title}", *article.paragraphs]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def html(article: Article, path: Path) -> None:
    charset = "gb18030" if article.title[0] > "\u2e80" else "utf-8"
    body = "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in article.paragraphs)
    page = (
        f'<!doctype html>\n<html><head><meta charset="{charset}"><title>{escape(article.title)}</title></head>\n'
        f"<body>\n<h1>{escape(article.title)}</h1>\n{body}\n</body></html>\n"
    )
    path.write_text(page, encoding=charset)


def gbk(article: Article, path: Path) -> None:
    path.write_text("\r\n\r\n".join([article.title, *article.paragraphs]) + "\r\n", encoding="gb18030")


def utf16(article: Article, path: Path) -> None:
    path.write_text("\r\n\r\n".join([article.title, *article.paragraphs]) + "\r\n", encoding="utf-16")


def pdf(article: Article, path: Path) -> None:
    """One page for each paragraph, so that a citation's page means something."""
    document = FPDF()
    document.set_creation_date(MADE_AT)
    document.set_title(article.title)
    for number, paragraph in enumerate(article.paragraphs, start=1):
        document.add_page()
        document.set_font("Helvetica", style="B", size=16)
        document.cell(0, 12, f"{article.title}, part {number}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        document.set_font("Helvetica", size=11)
        document.multi_cell(0, 6, paragraph.replace("\u2013", "-").replace("\u2019", "'").replace("\u2014", "-"))
    document.output(str(path))


def docx(article: Article, path: Path) -> None:
    document = Document()
    document.core_properties.created = document.core_properties.modified = MADE_AT.replace(tzinfo=None)
    document.core_properties.title = article.title
    document.add_heading(article.title, 0)
    for number, paragraph in enumerate(article.paragraphs, start=1):
        document.add_heading(f"{article.title} {number}", 1)
        document.add_paragraph(paragraph)
    document.save(str(path))


def pptx(article: Article, path: Path) -> None:
    slides = Presentation()
    slides.core_properties.created = slides.core_properties.modified = MADE_AT.replace(tzinfo=None)
    for number, paragraph in enumerate(article.paragraphs, start=1):
        slide = slides.slides.add_slide(slides.slide_layouts[1])
        slide.shapes.title.text = f"{article.title} ({number})"
        slide.placeholders[1].text = paragraph
    slides.save(str(path))


def xlsx(article: Article, path: Path) -> None:
    book = Workbook()
    book.properties.created = book.properties.modified = MADE_AT.replace(tzinfo=None)
    sheet = book.active
    sheet.title = article.title
    sheet.append(["词条", "说明"])
    for paragraph in article.paragraphs:
        name, _, text = paragraph.partition("\t")
        sheet.append([name, text])
    book.save(str(path))


XQUAD_FILES: list[tuple[str, str, str, str, Writer]] = [
    ("Steam_engine", "en", "Steam engine", "en/steam-engine.pdf", pdf),
    ("Warsaw", "en", "Warsaw", "en/warsaw.docx", docx),
    ("Oxygen", "en", "Oxygen", "en/oxygen.html", html),
    ("Black_Death", "en", "Black Death", "en/black-death.md", markdown),
    ("Kenya", "en", "Kenya", "en/kenya.pptx", pptx),
    ("Packet_switching", "en", "Packet switching", "en/packet-switching.txt", utf16),
    ("Nikola_Tesla", "zh", "尼古拉·特斯拉", "zh/尼古拉·特斯拉.docx", docx),
    ("Yuan_dynasty", "zh", "元朝", "zh/元朝.txt", gbk),
    ("Immune_system", "zh", "免疫系统", "zh/免疫系统.html", html),
    ("Pharmacy", "zh", "药学", "zh/药学.pptx", pptx),
    ("Apollo_program", "zh", "阿波罗计划", "zh/阿波罗计划.md", markdown),
]
CMRC_CHARS_MAX = 288
CMRC_TITLES = ["锣鼓经", "战国无双3"]
WIKIPEDIA = "CC BY-SA 4.0; typeset elsewhere, copied"
TENCENT = "MIT, Copyright (C) 2025 Tencent"
COPIED: list[tuple[str, str, str, str]] = [
    ("weknora__01-产品手册-智能家居中控.md", "zh/产品手册-智能家居中控.md", "", TENCENT),
    ("weknora__02-会议纪要-Q1产品规划.md", "zh/会议纪要-Q1产品规划.md", "", TENCENT),
    ("gen-dev__zh_embedded_font.pdf", "zh/人物三则.pdf", CMRC, WIKIPEDIA),
    ("gen-dev__zh_book.epub", "zh/地方三则.epub", CMRC, WIKIPEDIA),
    ("gen-dev__zh_gb18030.csv", "zh/条目.csv", CMRC, WIKIPEDIA),
    ("r2r__eml.eml", "en/message.eml", "", "MIT, Copyright (c) 2024 EmergentAGI Inc."),
]


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def xquad(data: Path, target: Path) -> list[str]:
    """The articles of XQuAD, one file each."""
    passages = rows(data / "bi_xquad" / "passages.jsonl")
    lines = []
    for title, language, shown, name, write in XQUAD_FILES:
        paragraphs = [row[language] for row in passages if row["title"] == title]
        write(Article(shown, paragraphs), target / name)
        lines.append(f"| {name} | {XQUAD}, {title}, {language} | CC BY-SA 4.0; typeset here |")
    return lines


def glossary(data: Path, target: Path) -> list[str]:
    """A table of a few entries of CMRC 2018."""
    passages = rows(data / "zh_cmrc2018" / "passages.jsonl")
    chosen = [row for row in passages if len(row["text"]) <= CMRC_CHARS_MAX] + [
        r for r in passages if r["title"] in CMRC_TITLES
    ]
    xlsx(Article("词条", [f"{row['title']}\t{row['text']}" for row in chosen]), target / "zh/词条.xlsx")
    return [f"| zh/词条.xlsx | {CMRC}, {len(chosen)} paragraphs | CC BY-SA 4.0; typeset here |"]


def copied(data: Path, target: Path) -> list[str]:
    """Files that are taken as they are."""
    manifest = {row["file"]: row for row in rows(data / "docs_formats" / "manifest.jsonl")}
    lines = []
    for file, name, source, licence in COPIED:
        shutil.copyfile(data / "docs_formats" / file, target / name)
        lines.append(f"| {name} | {source or manifest[file]['source']} | {licence} |")
    return lines


def settle_zip(path: Path) -> None:
    """Give every member of an Office file one date, so that building again gives the same bytes."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, MADE_AT.timetuple()[:6])
            archive.writestr(info, MODIFIED.sub(rb"\g<1>2026-01-01T00:00:00Z", content), zipfile.ZIP_DEFLATED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with bi_xquad, zh_cmrc2018 and docs_formats")
    data: Path = parser.parse_args().data
    target = HERE / "documents"
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("en", "zh"):
        (target / folder).mkdir(parents=True)
    lines = [*xquad(data, target), *glossary(data, target), *copied(data, target)]
    for path in target.rglob("*"):
        if path.suffix in {".docx", ".pptx", ".xlsx"}:
            settle_zip(path)
    head = (HERE / "attribution_head.md").read_text(encoding="utf-8")
    (HERE / "ATTRIBUTION.md").write_text(head + "\n".join(sorted(lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
