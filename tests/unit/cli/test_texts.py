"""What a person reads: answers, statuses, log lines, streams."""

import json

import msgspec

from causeway.cli.answer_text import answer_lines, excerpt, place, shortened
from causeway.cli.messages import interface_language, label_language, say
from causeway.cli.site_console import loud_line
from causeway.cli.status_text import counts, size_text, unfinished
from causeway.cli.streams_state import parse_streams
from causeway.proto.answers import Answer, Author, Citation, Route
from causeway.proto.documents import DocumentStatus, State

CITATION = Citation(
    document_id="en/steam-engine.pdf",
    revision=12,
    title="Steam engine",
    page=3,
    heading="Steam engine › Safety",
    chunk_id=b"\x01" * 16,
    quote="The most useful instrument is the steam engine indicator.",
    score=0.91,
)


def answer(abstained: bool = False, language: str = "en") -> Answer:
    return Answer(
        kb="docs",
        text="" if abstained else "The most useful instrument [is] the steam engine indicator.",
        sentences=[],
        written_by=Author.EXTRACT,
        route=Route.EDGE,
        abstained=abstained,
        reason="nothing supports an answer" if abstained else "",
        language=language,
        confidence=0.83,
        citations=[CITATION],
        epoch={"local": 9},
        latency_ms={"encode": 5.0, "search": 1.5, "total": 8.0},
    )


def _lines(of: Answer, language: str) -> str:
    return "\n".join(answer_lines(of, language))


def test_an_answer_shows_text_source_page_revision_and_times() -> None:
    text = "\n".join(answer_lines(answer(), "en"))
    assert "The most useful instrument \\[is] the steam engine indicator." in text
    assert "en/steam-engine.pdf · page 3 · Steam engine › Safety · revision 12" in text
    assert "8.0 ms (encode 5.0  search 1.5)" in text


def test_an_abstention_is_clear_and_shows_what_came_closest() -> None:
    text = "\n".join(answer_lines(answer(abstained=True), "en"))
    assert "No answer" in text
    assert "Closest passages" in text


def test_an_answer_says_which_way_it_went_and_why_and_whether_its_confidence_can_be_believed() -> None:
    local = msgspec.structs.replace(answer(), decision="confident")
    assert "route edge: the local answer is sure enough · confidence 0.83 (uncalibrated)" in _lines(local, "en")
    assert "路径 edge：本地回答的置信度足够高 · 置信度 0.83（未校准）" in _lines(local, "zh")
    promised = msgspec.structs.replace(local, calibrated=True, promise=0.85)
    assert "confidence 0.83 (calibrated: 85% of answers this sure or surer are right)" in _lines(promised, "en")
    assert "confidence 0.83 (calibrated)" in _lines(msgspec.structs.replace(promised, promise=0.0), "en")


def test_a_fallback_and_an_answer_that_was_cut_short_say_so() -> None:
    slow = msgspec.structs.replace(
        answer(), route=Route.FALLBACK, decision="cloud_slow", reason="the hub's first word did not come in time"
    )
    assert "Note: the hub's first word did not come in time" in _lines(slow, "en")
    assert "route fallback: the hub was asked and gave no answer that can stand" in _lines(slow, "en")
    cut = msgspec.structs.replace(answer(), route=Route.CLOUD, decision="unsure", reason="回答不完整：到截止时间而中止")
    assert "说明：回答不完整：到截止时间而中止" in _lines(cut, "zh")


def test_a_decision_that_this_command_does_not_know_is_shown_as_it_is() -> None:
    unknown = msgspec.structs.replace(answer(), decision="by_moon")
    assert "路径 edge：by_moon · 置信度" in _lines(unknown, "zh")
    assert "route edge · confidence" in _lines(answer(), "en")


def test_labels_are_chinese_for_a_chinese_answer() -> None:
    text = "\n".join(answer_lines(answer(language="zh"), "zh"))
    assert "引用" in text
    assert "第 3 页" in text


def test_a_document_without_pages_is_cited_by_its_heading() -> None:
    without = Citation(
        document_id="a.md", revision=1, title="a.md", page=0, heading="", chunk_id=b"", quote="", score=0.0
    )
    assert place(without, "en") == "a.md · revision 1"


def test_the_labels_follow_the_option_then_the_answer_then_the_locale() -> None:
    assert label_language("en", "zh-Hans") == "en"
    assert label_language(None, "zh-Hans", {"LANG": "C"}) == "zh"
    assert label_language(None, "und", {"LANG": "zh_CN.UTF-8"}) == "zh"
    assert interface_language(None, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}) == "en"
    assert say("page", "zh", page=2) == "第 2 页"


def test_a_quote_is_shown_from_the_sentence_that_answers() -> None:
    assert excerpt("Before. The answer. After.", ["The answer."]) == "… The answer. After."
    assert excerpt("Before. After.", ["The answer."]) == "Before. After."


def test_a_long_quote_is_cut_to_one_line() -> None:
    assert shortened("a\n  b") == "a b"
    assert len(shortened("字" * 500)) == 160


def test_only_warnings_and_errors_of_the_services_are_shown() -> None:
    line = {"level": "warning", "message": "slow", "reason": "disk"}
    assert loud_line("embedder", json.dumps(line).encode()) == ("warning", "slow (disk)")
    assert loud_line("embedder", json.dumps({"level": "info", "message": "fine"}).encode()) is None
    assert loud_line("embedder", b"not json") is None
    assert loud_line("nats-server", b"[1] 2026/01/01 [INF] Server is ready") is None
    assert loud_line("nats-server", b"[1] 2026/01/01 [FTL] no") is not None


def status(kb: str, document_id: str, state: State) -> DocumentStatus:
    return DocumentStatus(kb=kb, document_id=document_id, revision=1, state=state, service="t", at_unix_ms=0)


def test_documents_are_counted_by_kb_and_state() -> None:
    statuses = [status("b", "1", State.SEARCHABLE), status("a", "1", State.FAILED), status("b", "2", State.PARSED)]
    assert counts(statuses) == {"a": {"failed": 1}, "b": {"searchable": 1, "parsed": 1}}
    assert unfinished(statuses) == [statuses[2]]


def test_sizes_have_units() -> None:
    assert [size_text(size) for size in (12, 2048, 5 * 1024**2, 3 * 1024**3)] == [
        "12 B",
        "2.0 KiB",
        "5.0 MiB",
        "3.0 GiB",
    ]


def test_streams_are_read_from_the_monitor_page() -> None:
    page = {
        "account_details": [
            {
                "stream_detail": [
                    {
                        "name": "DOCUMENTS",
                        "state": {"messages": 3, "bytes": 99},
                        "consumer_detail": [{"name": "ingestor", "num_pending": 2, "num_ack_pending": 1}],
                    },
                    {"name": "CHUNKS"},
                ]
            }
        ]
    }
    chunks, documents = parse_streams(json.dumps(page))
    assert (chunks.name, chunks.messages, dict(chunks.pending)) == ("CHUNKS", 0, {})
    assert (documents.messages, documents.pending["ingestor"], documents.unacknowledged["ingestor"]) == (3, 2, 1)
