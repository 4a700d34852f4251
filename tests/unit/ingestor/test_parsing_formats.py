"""What each family of formats keeps: words in order, headings, pages, table headers."""

import json
from email.message import EmailMessage

import pytest

from causeway.ingestor.parsing import sniff
from causeway.ingestor.parsing.block import Block, Parsed
from causeway.ingestor.parsing.document import parse
from tests.support import document_files as files


def texts(parsed: Parsed) -> list[str]:
    return [block.text for block in parsed.blocks]


def block_of(parsed: Parsed, words: str) -> Block:
    return next(block for block in parsed.blocks if words in block.text)


def test_word_keeps_headings_items_and_the_header_of_a_table() -> None:
    body = files.word(
        [("Heading 1", "设备手册"), ("Heading 2", "安装"), ("Normal", "先关闭电源。"), ("List Bullet", "检查接地")],
        [["设备编号", "状态"], ["EDGE-07", "正常"]],
        title="泵站手册",
    )
    parsed = parse(body, "a.docx")
    assert (parsed.media_type, parsed.title) == (sniff.DOCX, "泵站手册")
    assert block_of(parsed, "先关闭电源").heading_path == ("设备手册", "安装")
    row = block_of(parsed, "EDGE-07")
    assert (row.text, row.lead) == ("EDGE-07 | 正常", "设备编号 | 状态")


def test_word_keeps_equations_in_their_sentence_and_leaves_deleted_words_out() -> None:
    math = '<m:oMath xmlns:m="urn:m"><m:r><m:t>E=mc2</m:t></m:r></m:oMath>'
    document = (
        f'<w:document xmlns:w="urn:w"><w:body><w:p><w:r><w:t>The law </w:t></w:r>{math}<w:r><w:t> holds.</w:t></w:r>'
        "<w:del><w:r><w:delText>Never.</w:delText></w:r></w:del></w:p></w:body></w:document>"
    )
    parsed = parse(files.package({"[Content_Types].xml": "<Types/>", "word/document.xml": document}), "a.docx")
    assert texts(parsed) == ["The law E=mc2 holds."]


def test_slides_are_pages_with_titles_notes_and_order() -> None:
    parsed = parse(files.slides([("First", "alpha", "say this"), ("Second", "beta", "")]), "a.pptx")
    assert parsed.pages == 2
    assert [(block.page, block.text) for block in parsed.blocks] == [
        (1, "First"),
        (1, "alpha"),
        (1, "say this"),
        (2, "Second"),
        (2, "beta"),
    ]
    assert block_of(parsed, "beta").heading_path == ("Second",)


def test_a_workbook_has_sheets_as_headings_and_headers_as_leads() -> None:
    body = files.workbook({"库存": [["物料", "数量"], ["轴承", 12], ["密封圈", 40]], "Notes": [["only", "row"]]})
    parsed = parse(body, "a.xlsx")
    row = block_of(parsed, "密封圈")
    assert (row.text, row.lead, row.heading_path) == ("密封圈 | 40", "物料 | 数量", ("库存",))
    assert block_of(parsed, "only").heading_path == ("Notes",)


def test_pdf_lines_become_paragraphs_with_pages_and_headings_by_size() -> None:
    long = "The pump must be stopped before the filter is opened, because pressure remains in the line. " * 3
    parsed = parse(files.pdf([[(20, "Safety"), (11, long)], [(20, "Service"), (11, "Grease it monthly.")]]), "a.pdf")
    assert (parsed.media_type, parsed.pages) == (sniff.PDF, 2)
    paragraph = block_of(parsed, "must be stopped")
    assert "\n" not in paragraph.text
    assert (paragraph.heading_path, paragraph.page) == (("Safety",), 1)
    assert block_of(parsed, "Grease").heading_path == ("Service",)
    assert block_of(parsed, "Grease").page == 2


def test_running_heads_of_a_pdf_stay_only_where_they_first_appear() -> None:
    pages = [
        [(9, "ACME Manual"), (11, f"Paragraph number {word} is here."), (9, str(n))] for n, word in enumerate("abcd", 1)
    ]
    found = texts(parse(files.pdf(pages), "a.pdf"))
    assert sum("ACME Manual" in text for text in found) == 1
    assert not [text for text in found if text.isdigit()]


def test_html_keeps_the_page_and_leaves_scripts_and_menus_out() -> None:
    body = f"""<html lang="zh"><head><title>手册</title><script>var secret</script></head><body><nav>Home About</nav>
      <h1>安全</h1><p>{"先关闭电源，再打开泵。" * 20}</p><h2>表</h2><table><tr><th>编号</th><th>值</th></tr>
      <tr><td>7</td><td>好</td></tr></table><ul><li>一</li><li>二</li></ul></body></html>""".encode("gb18030")
    parsed = parse(body.replace(b"<head>", b'<head><meta charset="gb2312">'), "a.html")
    assert (parsed.title, parsed.language) == ("手册", "zh")
    assert block_of(parsed, "先关闭电源").heading_path == ("安全",)
    assert (block_of(parsed, "7 | 好").lead, block_of(parsed, "7 | 好").heading_path) == ("编号 | 值", ("安全", "表"))
    assert not [text for text in texts(parsed) if "secret" in text or "About" in text]


def test_a_table_that_is_only_layout_becomes_paragraphs() -> None:
    parsed = parse(b"<table><tr><td><h1>Head</h1><p>One.</p></td><td><p>Two.</p></td></tr></table>", "a.html")
    assert texts(parsed) == ["Head", "One.", "Two."]
    assert parsed.blocks[1].heading_path == ("Head",)


def test_markdown_loses_its_marks_and_keeps_its_structure() -> None:
    front = "---\ntitle: x\n---\n"
    body = f"{front}# 一\n\n文字**加粗**换\n行。\n\n## 二\n\n| 键 | 值 |\n|--|--|\n| a | b |\n\n```py\nx = 1\n```\n"
    parsed = parse(body.encode(), "a.md")
    assert block_of(parsed, "文字").text == "文字加粗换行。"
    assert block_of(parsed, "a | b").lead == "键 | 值"
    assert (block_of(parsed, "x = 1").kind, block_of(parsed, "x = 1").heading_path) == ("code", ("一", "二"))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gbk", "设备维护手册：先关闭电源，再打开泵的阀门。每月检查一次轴承温度。"),
        ("gb18030", "巡检记录：一号泵运行正常，二号泵需要更换密封圈。"),
        ("big5", "設備維護手冊：先關閉電源，再打開幫浦的閥門。每月檢查一次軸承溫度。"),
        ("utf-16", "设备维护手册 pump"),
        ("utf-16-le", "Stop the pump before you open it. 先关闭电源。"),
        ("utf-16-be", "Stop the pump before you open it."),
        ("utf-32-le", "Stop the pump before you open it."),
        ("utf-8-sig", "先关闭电源。"),
        ("cp1252", "Die Prüfung der Pumpe läuft ständig über Öl."),
    ],
)
def test_plain_text_is_read_in_the_encoding_it_has(encoding: str, text: str) -> None:
    assert texts(parse(text.encode(encoding), "a.txt")) == [text]


def test_delimited_files_find_their_delimiter_and_repeat_the_header() -> None:
    for delimiter, name in ((",", "a.csv"), (";", "a.csv"), ("\t", "a.tsv")):
        body = f"name{delimiter}city\nAnna{delimiter}Köln\n".encode()
        row = block_of(parse(body, name), "Anna")
        assert (row.text, row.lead) == ("Anna | Köln", "name | city")


def test_json_keys_are_headings_near_the_top_and_labels_below() -> None:
    body = json.dumps({"plant": {"pump": {"state": "ok", "tags": ["a", "b"]}}, "items": [{"id": 1, "name": "轴承"}]})
    parsed = parse(body.encode(), "a.json")
    assert block_of(parsed, "state").heading_path == ("plant", "pump")
    assert "tags: a, b" in block_of(parsed, "state").text
    assert block_of(parsed, "轴承").text == "id: 1\nname: 轴承"


def test_a_notebook_gives_its_cells() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Study\n", "why"]},
        {"cell_type": "code", "source": "print(1)", "outputs": [{"text": ["1\n"]}]},
    ]
    assert texts(parse(json.dumps({"cells": cells}).encode(), "a.ipynb")) == ["Study", "why", "print(1)", "1"]


def test_a_book_is_read_in_the_order_of_its_spine() -> None:
    parsed = parse(files.epub([("One", "first words"), ("Two", "second words")], "Book"), "a.epub")
    assert (parsed.title, parsed.language) == ("Book", "en")
    assert texts(parsed) == ["One", "first words", "Two", "second words"]


def test_mail_keeps_subject_people_and_attachments() -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Leave 休假", "a@example.com", "b@example.com"
    message["Message-ID"] = "<1@example.com>"
    message.set_content("I am away until Monday.")
    message.add_attachment(
        files.word([("Normal", "inside the attachment")]), "application", "msword", filename="a.docx"
    )
    parsed = parse(message.as_bytes(), "a.eml")
    assert parsed.title == "Leave 休假"
    assert block_of(parsed, "away until").heading_path == ("Leave 休假",)
    assert block_of(parsed, "inside").heading_path == ("a.docx",)


def test_a_mailbox_gives_each_message_under_its_subject() -> None:
    one = "From a@b Mon Jan  1 00:00:00 2024\nSubject: {0}\nFrom: a@b\nTo: c@d\nDate: x\n\nBody of {0}.\n\n"
    parsed = parse((one.format("first") + one.format("second")).encode(), "a.mbox")
    assert block_of(parsed, "Body of second").heading_path == ("second",)


def test_open_document_text_slides_and_sheets() -> None:
    text = files.open_document('<text:h text:outline-level="1">A</text:h><text:p>x<text:s text:c="2"/>y</text:p>')
    assert texts(parse(text, "a.odt")) == ["A", "x y"]
    title = '<draw:frame presentation:class="title"><text:p>T{0}</text:p></draw:frame>'
    page = f"<draw:page>{title}<text:p>b{{0}}</text:p></draw:page>"
    show = parse(files.open_document(page.format(1) + page.format(2), "presentation"), "a.odp")
    assert [(block.page, block.text) for block in show.blocks] == [(1, "T1"), (1, "b1"), (2, "T2"), (2, "b2")]
    cell = '<table:table-cell table:value-type="float"><text:p>{}</text:p></table:table-cell>'
    sheet = (
        f'<table:table table:name="S"><table:table-row>{cell.format(1)}{cell.format(2)}</table:table-row></table:table>'
    )
    assert texts(parse(files.open_document(sheet, "spreadsheet"), "a.ods")) == ["S", "1 | 2"]


UNDER = ("Top", "Under")
ITEM = "<item><title>Under</title><description>&lt;p&gt;plain words&lt;/p&gt;</description></item>"
CUES = "00:01.000 --> 00:02.000\n<v Anna>plain\n\n00:02.000 --> 00:03.000\n<v Anna>words\n"


@pytest.mark.parametrize(
    ("name", "body", "words", "path"),
    [
        ("a.rst", "Top\n===\n\nUnder\n-----\n\nplain words\nwrapped\n", "plain words wrapped", UNDER),
        ("a.org", "* Top\n** Under\nplain words\n", "plain words", UNDER),
        ("a.adoc", "= Top\n\n== Under\n\nplain words\n", "plain words", UNDER),
        ("a.tex", "\\section{Top}\n\\subsection{Under}\nplain \\emph{words} % no\n", "plain words", UNDER),
        (
            "a.xml",
            "<a><title>Top</title><s><title>Under</title><p>plain <b>words</b></p></s></a>",
            "plain words",
            UNDER,
        ),
        ("a.rss", f"<rss><channel><title>Top</title>{ITEM}</channel></rss>", "plain words", UNDER),
        ("a.vtt", f"WEBVTT\n\n{CUES}", "Anna: plain words", ()),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nplain words\n", "plain words", ()),
        ("a.rtf", r"{\rtf1\ansi plain words}", "plain words", ()),
        ("a.txt", "第一章 总则\n\n正文在此。\n", "正文在此。", ("第一章 总则",)),
    ],
)
def test_lighter_formats_keep_words_and_headings(name: str, body: str, words: str, path: tuple[str, ...]) -> None:
    block = block_of(parse(body.encode(), name), words)
    assert (block.text, block.heading_path) == (words, path)


def test_an_archive_gives_its_files_under_their_names() -> None:
    parsed = parse(files.package({"b/二.md": "# T\n\nwords", "empty.txt": b""}), "a.zip")
    assert block_of(parsed, "words").heading_path == ("T",)
    assert "b/二.md" in texts(parsed)
    assert parsed.warnings == ["empty.txt: is empty: publish it again with its content, or delete it"]
