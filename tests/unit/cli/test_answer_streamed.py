"""What a person reads while an answer comes in parts, in a pipe: which text is a draft, and which is the answer."""

from collections.abc import Callable

import msgspec
import pytest

from causeway.cli.commands.ask import _PartPrinter
from causeway.proto.answers import Answer, AnswerPart, Author, Citation, PartKind, Route

LOCAL = "The handbook speaks of valves."
Show = Callable[..., list[str]]


def answer(**changes: object) -> Answer:
    """The local one, but for the changes."""
    local = Answer(
        kb="docs",
        text=LOCAL,
        sentences=[],
        written_by=Author.EXTRACT,
        route=Route.EDGE,
        abstained=False,
        language="en",
        confidence=0.3,
        citations=[
            Citation(
                document_id="valves.md",
                revision=1,
                title="Valves",
                page=0,
                heading="",
                chunk_id=b"",
                quote="The valve is rated 16 bar.",
                score=0.9,
            )
        ],
        epoch={},
        latency_ms={"total": 9.0},
    )
    return msgspec.structs.replace(local, **changes)


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """The lines that are printed above the sources, for an instant answer, tokens and a final one."""

    def shown(final: Answer, *tokens: str, instant: Answer | None = None) -> list[str]:
        printer = _PartPrinter(None)
        printer.take(AnswerPart(kind=PartKind.INSTANT, index=0, answer=instant or answer(language=final.language)))
        for number, token in enumerate(tokens, start=1):
            printer.take(AnswerPart(kind=PartKind.TOKEN, index=number, text=token))
        printer.take(AnswerPart(kind=PartKind.FINAL, index=9, answer=final))
        assert printer.final is final
        text = capsys.readouterr().out
        return text[: text.index("\nSources" if final.language == "en" else "\n引用")].splitlines()

    return shown


def test_a_cloud_that_stalls_leaves_a_draft_and_the_local_answer_under_it(show: Show) -> None:
    final = answer(route=Route.FALLBACK, reason="the hub stopped in the middle of its answer")
    assert show(final, "The valve is ", "rated 90 ba") == [
        f"Instant answer {LOCAL}",
        "Draft, not checked yet:",
        "The valve is rated 90 ba",
        "Answer:",
        LOCAL,
        "Note: the hub stopped in the middle of its answer",
    ]


def test_a_cached_answer_is_printed_though_the_cloud_had_begun_another(show: Show) -> None:
    cached = answer(
        text="It is rated 16 bar [1].", route=Route.CACHE, written_by=Author.MODEL, model="m", language="zh"
    )
    assert show(cached, "It is rated 90 ba")[1:] == [
        "草稿（尚未核对）：",
        "It is rated 90 ba",
        "回答：",
        "It is rated 16 bar [1].",
        "由中心的 m 撰写",
    ]


def test_what_the_cloud_wrote_is_printed_again_with_the_marks_that_stand(show: Show) -> None:
    checked = answer(text="It is rated 16 bar [1].", route=Route.CLOUD)
    assert show(checked, "It is rated 16 bar [3]. ", "So [7] says.")[-2:] == ["Answer:", "It is rated 16 bar [1]."]


def test_a_draft_that_stands_as_it_is_is_said_to_be_the_answer_and_not_printed_twice(show: Show) -> None:
    final = answer(text="It is rated 16 bar [1].", route=Route.CLOUD, language="zh")
    assert show(final, "It is rated ", "16 bar [1].")[-2:] == ["It is rated 16 bar [1].", "已核对：以上文字即为回答。"]


def test_a_local_models_text_that_was_set_aside_is_a_draft(show: Show) -> None:
    final = answer(reason="the local model's text was set aside: only 20% of it is in the evidence")
    assert show(final, "Buy valves [now]\\") == [
        f"Instant answer {LOCAL}",
        "Draft, not checked yet:",
        "Buy valves [now]\\",
        "Answer:",
        LOCAL,
        f"Note: {final.reason}",
    ]


def test_an_instant_answer_that_stands_is_printed_once(show: Show) -> None:
    assert show(answer()) == [f"Instant answer {LOCAL}"]


def test_an_answer_in_the_place_of_the_instant_one_has_a_label(show: Show) -> None:
    assert show(answer(text="It is rated 16 bar [1].", route=Route.CACHE))[1:] == ["Answer:", "It is rated 16 bar [1]."]


def test_where_nothing_stands_above_the_answer_needs_no_label(show: Show) -> None:
    final = answer(text="It is rated 16 bar [1].", route=Route.CACHE)
    assert show(final, instant=answer(abstained=True)) == ["It is rated 16 bar [1]."]
