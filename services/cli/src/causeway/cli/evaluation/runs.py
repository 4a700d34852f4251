"""The three evaluations: retrieval, answers, parsing. Each returns what is printed."""

from collections.abc import Sequence
from pathlib import Path

from causeway.cli.evaluation.knowledge_text import document_texts
from causeway.cli.evaluation.scores import (
    Asked,
    Parsed,
    abstention_scores,
    answer_scores,
    parse_scores,
    retrieval_scores,
    withheld,
)
from causeway.cli.evaluation.sets import EvaluationSet, ParseCase, Question
from causeway.cli.evaluation.site_run import SiteRun
from causeway.cli.folder_scan import FoundFile
from causeway.cli.publishing import items_of
from causeway.proto.answers import Answer, PartKind, SearchMode

DOCUMENTS_MAX = 10
ANSWER_TIMEOUT_S = 120.0
CRASH_CODE = "parser_crashed"
Numbers = dict[str, float]


async def run_retrieval(
    run: SiteRun, data: EvaluationSet, modes: Sequence[SearchMode]
) -> dict[str, float | str | Numbers]:
    """Search for every question in each mode, over all passages of the set."""
    await run.publish_passages(data.passages, f"publish {len(data.passages)} passages")
    by_mode: dict[SearchMode, Numbers] = {}
    for mode in modes:
        ranked = await run.each(f"search, {mode.value}", data.questions, lambda one: _ranked(run, one, mode))  # noqa: B023 - awaited within the loop.
        found = dict(zip((question.id for question in data.questions), ranked, strict=True))
        by_mode[mode] = retrieval_scores(found, data.questions)
    head: dict[str, float | str | Numbers] = {
        "set": data.name,
        "questions": len(data.questions),
        "blank_questions": data.blank,
        "passages": len(data.passages),
        "blank_passages": data.blank_passages,
    }
    head |= by_mode.get(SearchMode.HYBRID, {})
    names = {SearchMode.LEXICAL: "bm25", SearchMode.DENSE: "dense"}
    return head | {name: by_mode[mode] for mode, name in names.items() if mode in by_mode}


async def _ranked(run: SiteRun, question: Question, mode: SearchMode) -> list[str]:
    result = await run.client.search(run.kb, question.text, mode=mode, documents_max=DOCUMENTS_MAX)
    return [passage.document_id for passage in result.passages]


async def run_answers(run: SiteRun, data: EvaluationSet, seed: int) -> dict[str, float | str]:
    """First with a third of the passages withheld and only the questions about these, then with all of both."""
    hidden = withheld(data.passages, seed)
    shown = [passage for passage in data.passages if passage.id not in hidden]
    await run.publish_passages(shown, f"publish {len(shown)} passages, {len(hidden)} withheld")
    unanswerable = [question for question in data.questions if question.relevant <= hidden]
    refused = await run.each("ask what can not be answered", unanswerable, lambda one: _asked(run, one))
    rest = [passage for passage in data.passages if passage.id in hidden]
    await run.publish_passages(rest, f"publish the other {len(rest)}")
    answered = await run.each("ask everything", data.questions, lambda one: _asked(run, one))
    head: dict[str, float | str] = {
        "set": data.name,
        "questions": len(data.questions),
        "blank_questions": data.blank,
        "passages": len(data.passages),
        "blank_passages": data.blank_passages,
        "seed": seed,
        "final_answers_by": ", ".join(sorted({one.written_by for one in answered if not one.abstained})),
    }
    return head | answer_scores(answered) | abstention_scores(refused)


async def _asked(run: SiteRun, question: Question) -> Asked:
    instant: Answer | None = None
    final: Answer | None = None
    async for part in run.client.ask_stream(
        run.kb, question.text, timeout_s=ANSWER_TIMEOUT_S, part_wait_s=ANSWER_TIMEOUT_S
    ):
        if part.kind is PartKind.INSTANT:
            instant = part.answer
        elif part.kind is PartKind.FINAL:
            final = part.answer
    last = final or instant
    assert last is not None
    return Asked(
        question=question,
        instant=(instant or last).text,
        final=last.text,
        abstained=last.abstained,
        written_by=last.model or last.written_by.value,
    )


async def run_parsing(run: SiteRun, cases: Sequence[ParseCase], name: str) -> dict[str, float | str | dict[str, str]]:
    """Publish the files as they are, and read back the text of their chunks as knowledge."""
    files = {case.path.name: _found(case.path) for case in cases}
    publication = await run.publish(items_of(files), f"publish {len(files)} files")
    codes = {status.document_id: status.code for status in await run.client.statuses(run.kb)}
    texts = await document_texts(run.client.bus, run.kb)
    parsed = [
        Parsed(
            case=case,
            text=texts.get(case.path.name, ""),
            failure=publication.failed.get(case.path.name, ""),
            crashed=codes.get(case.path.name) == CRASH_CODE,
        )
        for case in cases
    ]
    return {"set": name} | parse_scores(parsed) | {"reasons": dict(sorted(publication.failed.items()))}


def _found(path: Path) -> FoundFile:
    stat = path.stat()
    return FoundFile(path, stat.st_size, stat.st_mtime_ns)
