"""What a fit reached on the half that it did not see, as a Markdown table."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from causeway.retrieval import Reading, Verdict, judge, read
from causeway.retrieval.models import AnswerabilityFile, ReadingFile
from libs.retrieval.fitting.stages import Case, document_of

# `first look` is the order before lines are read; `answered`, `withheld`: with and without the right passage.
COLUMNS = (
    "BM25",
    "dense",
    "first look",
    "hybrid",
    "nDCG@10 BM25",
    "dense",
    "hybrid",
    "holds: 1 line",
    "holds",
    "characters",
    "AUROC",
    "answered",
    "withheld",
    "holds and answered",
)

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


@dataclass(frozen=True)
class Report:
    """Cases in their final order; `half` was fitted on and is left out."""

    cases: Sequence[Sequence[Case]]
    withheld: Sequence[Sequence[Case]]
    half: int | None

    def text(self, reader: ReadingFile, judge_file: AnswerabilityFile) -> str:
        """Return the table."""
        lines = [
            f"| set | questions | {' | '.join(COLUMNS)} |",
            "|---" * (len(COLUMNS) + 2) + "|",
        ]
        cases, withheld = self._by_row(self.cases), self._by_row(self.withheld)
        lines += [self._row(name, cases[name], withheld[name], reader, judge_file) for name in cases]
        return "\n".join(lines)

    def curve(self, reader: ReadingFile, judge_file: AnswerabilityFile) -> str:
        """Return what one threshold for all would do: holds an answer and shown / refused / wrong when withheld."""
        cases, withheld = self._by_row(self.cases), self._by_row(self.withheld)
        lines = [f"| set | {' | '.join(map(str, THRESHOLDS))} |", "|---" * (len(THRESHOLDS) + 1) + "|"]
        for name in [name for name, found in cases.items() if found[0].asked.answers]:
            readings, empty = ([_read(case, reader) for case in group[name]] for group in (cases, withheld))
            chances, without = (
                np.array([verdict.probability for verdict in _verdicts(group[name], found, judge_file)])
                for group, found in ((cases, readings), (withheld, empty))
            )
            holds = np.array([case.holds(found.text) for case, found in zip(cases[name], readings, strict=True)])
            points = [(_mean(holds & (chances >= at)), _mean(chances < at), _mean(without >= at)) for at in THRESHOLDS]
            lines.append(
                f"| {name} | " + " | ".join(" / ".join(f"{one:.3f}" for one in point) for point in points) + " |"
            )
        return "\n".join(lines)

    def _by_row(self, groups: Sequence[Sequence[Case]]) -> dict[str, list[Case]]:
        rows: dict[str, list[Case]] = defaultdict(list)
        for case in chain.from_iterable(groups):
            if case.asked.half != self.half:
                rows[case.asked.row].append(case)
        return rows

    def _row(
        self, name: str, cases: list[Case], withheld: list[Case], reader: ReadingFile, judge_file: AnswerabilityFile
    ) -> str:
        readings, empty = ([_read(case, reader) for case in group] for group in (cases, withheld))
        verdicts = _verdicts(cases, readings, judge_file)
        without = _verdicts(withheld, empty, judge_file)
        numbers = [
            _mean([bool(case.lexical_ids) and case.right(case.lexical_ids[0]) for case in cases]),
            _mean([case.right(case.dense_ids[0]) for case in cases]),
            _mean(
                [
                    case.right(max(case.ranked, key=lambda one: one.features.get("first_look", -9)).chunk_id)
                    for case in cases
                ]
            ),
            _mean([case.right(case.ranked[0].chunk_id) for case in cases]),
            _mean([_ndcg(case, case.lexical_ids) for case in cases]),
            _mean([_ndcg(case, case.dense_ids) for case in cases]),
            _mean([_ndcg(case, [one.chunk_id for one in case.ranked]) for case in cases]),
            _mean(
                [
                    bool(found.spans) and case.holds(found.spans[0].text)
                    for case, found in zip(cases, readings, strict=True)
                ]
            ),
            _mean([case.holds(found.text) for case, found in zip(cases, readings, strict=True)]),
            _mean([len(found.text) for found in readings]),
            _auroc(*(np.array([one.probability for one in found]) for found in (verdicts, without))),
            _mean([one.answers for one in verdicts]),
            _mean([one.answers for one in without]),
            _mean(
                [
                    verdict.answers and case.holds(found.text)
                    for case, found, verdict in zip(cases, readings, verdicts, strict=True)
                ]
            ),
        ]
        return (
            f"| {name} | {len(cases)} | "
            + " | ".join(f"{number:.3f}" if number < 2 else f"{number:.0f}" for number in numbers)
            + " |"
        )


def _mean(values: Sequence[float] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _read(case: Case, reader: ReadingFile) -> Reading:
    return read(case.question, case.ranked, case.lines, case.scores.cosines, reader)


def _verdicts(cases: Sequence[Case], readings: Sequence[Reading], file: AnswerabilityFile) -> list[Verdict]:
    pairs = zip(cases, readings, strict=True)
    return [judge(case.question, case.ranked, reading, file) for case, reading in pairs]


def _auroc(held: NDArray[np.float64], withheld: NDArray[np.float64]) -> float:
    ordered = np.sort(withheld)
    below = np.searchsorted(ordered, held, "left") + np.searchsorted(ordered, held, "right")
    return float(below.mean() / 2 / max(1, len(ordered)))


def _ndcg(case: Case, chunk_ids: Sequence[bytes]) -> float:
    documents = list(dict.fromkeys(map(document_of, chunk_ids)))[:10]
    gain = sum(1 / np.log2(at + 2) for at, key in enumerate(documents) if key in case.asked.right)
    return float(gain / sum(1 / np.log2(at + 2) for at in range(min(10, len(case.asked.right)))))
