"""Fits the shipped models on one half of each set and reports the other (`python -m libs.retrieval.fitting.fit`)."""

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from causeway.models import Encoder
from causeway.retrieval import answerability, fusion, rank, reading, rerank, reranking
from causeway.retrieval.models import (
    AnswerabilityFile,
    FusionFile,
    FusionModel,
    LogisticFile,
    ReadingFile,
    fusion_model,
)
from libs.retrieval.fitting.corpus import QA_SETS, Corpus, corpora
from libs.retrieval.fitting.report import Report
from libs.retrieval.fitting.stages import Case, Stage
from libs.retrieval.fitting.training import Choice, fit_choices, fit_logistic
from libs.retrieval.fitting.vectors import VectorCache

# The thresholds' promise: of the questions whose right passage came first, no larger share is refused.
REFUSED_MAX = {"zh": 0.05, "en": 0.05, "zh>en": 0.1, "en>zh": 0.1}
# Bi_xquad is in four rows already: its mixed copies must not teach the reader to forget the other sets.
MIXED_READING_WEIGHT = 0.3
PACKAGE = Path(__file__).parents[1] / "src/causeway/retrieval"


@dataclass(frozen=True)
class Judged:
    """An answer's features, whether it rests on a right document, and how much that counts."""

    values: dict[str, float]
    right: bool
    weight: float


class Fit:
    """All sets on their way through the stages; each method fits one model on the cases of one half."""

    def __init__(self, sets: list[Corpus], vectors: VectorCache, half: int | None, scale: float = 1.0) -> None:
        self.half = half
        self.stages = [Stage(corpus, vectors, scale) for corpus in sets]
        self.cases = [stage.cases() for stage in self.stages]
        self.withheld = [stage.cases(withheld=True) for stage in self.stages]
        self.provenance = {
            "encoder": "multilingual-e5-small int8",
            "fitted_on": f"half {half} by passage of "
            + ", ".join(dict.fromkeys(q.row for c in sets for q in c.questions)),
            "chunks": "300 Chinese or 800 English characters at sentence ends",
        }

    def fits(self, case: Case) -> bool:
        return self.half is None or case.asked.half == self.half

    def weighted(self, groups: list[list[Case]]) -> list[tuple[Case, float]]:
        """Return the cases to fit on, each row of the report weighing the same."""
        kept = [case for cases in groups for case in cases if self.fits(case)]
        sizes = Counter(case.asked.row for case in kept)
        return [(case, 1 / sizes[case.asked.row]) for case in kept]

    def centres(self) -> FusionFile:
        """Mean question and passage by language, each set weighing the same; bi_xquad is left out, its pairs repeat."""
        questions: dict[str, list[NDArray[np.float32]]] = {"zh": [], "en": []}
        passages: dict[str, list[NDArray[np.float32]]] = {"zh": [], "en": []}
        for stage, cases in zip(self.stages, self.cases, strict=True):
            if stage.corpus.name in QA_SETS:
                kept = [case for case in cases if self.fits(case)]
                rows = sorted({stage.places[i] for case in kept for i in case.dense_ids if case.right(i)})
                questions[stage.corpus.name[:2]].append(np.mean([case.vector for case in kept], axis=0))
                passages[stage.corpus.name[:2]].append(stage.rows[rows].mean(axis=0))
        return FusionFile(
            provenance=self.provenance,
            features=list(fusion.FEATURES),
            rank=dict.fromkeys(fusion.GROUPS, [1.0] * len(fusion.FEATURES)),
            rerank=dict.fromkeys(fusion.GROUPS, [1.0] * len(reranking.FEATURES)),
            question_centres={name: _rounded(rows) for name, rows in questions.items()},
            passage_centres={name: _rounded(rows) for name, rows in passages.items()},
        )

    def fusion(self) -> FusionFile:
        """Fit the order of all candidates, then the second look at those that contend."""
        file = self.centres()
        for stage, cases in zip(self.stages, self.cases, strict=True):
            stage.gather(cases, fusion_model(file))
        file = msgspec.structs.replace(file, rank=fit_choices(self._first_choices(), fusion.GROUPS))
        for stage, cases in zip(self.stages, self.cases, strict=True):
            stage.look(cases, fusion_model(file))
        # More freedom for each group than at first: Traditional Chinese trusts lines differently.
        second = fit_choices(self._second_choices(), fusion.GROUPS, group_decay=3e-4)
        return msgspec.structs.replace(file, rerank=second)

    def _first_choices(self) -> list[Choice]:
        return [
            Choice(
                fusion.features(case.candidates),
                fusion.groups(case.question, case.candidates),
                np.array([case.right(one.passage.chunk_id) for one in case.candidates]),
                weight,
            )
            for case, weight in self.weighted(self.cases)
        ]

    def _second_choices(self) -> list[Choice]:
        choices = []
        # Claims and topics, which have no answer in one sentence, would teach the second look to distrust lines.
        for case, weight in self.weighted(self.cases):
            if not case.asked.answers:
                continue
            read = {line.chunk_id for line in case.lines}
            looked_at = [one for one in case.ranked if one.chunk_id in read]
            choices.append(
                Choice(
                    reranking.features(looked_at, case.lines, case.scores),
                    fusion.groups(case.question, [one.candidate for one in looked_at]),
                    np.array([case.right(one.chunk_id) for one in looked_at]),
                    weight,
                )
            )
        return choices

    def rerank(self, model: FusionModel) -> None:
        """Put every case, withheld ones too, in its final order."""
        for stage, cases in zip(self.stages, self.withheld, strict=True):
            stage.gather(cases, model)
            stage.look(cases, model)
        for cases in [*self.cases, *self.withheld]:
            for case in cases:
                case.ranked = rerank(
                    case.question, rank(case.question, case.candidates, model), case.lines, case.scores, model
                )

    def reading(self) -> ReadingFile:
        """Fit which line answers, on the lines that were really read."""
        choices = [
            Choice(
                reading.features(case.question, case.ranked, case.lines, case.scores.cosines),
                reading.groups(case.question, case.ranked, case.lines),
                np.array([case.holds(line.text) for line in case.lines]),
                weight * (MIXED_READING_WEIGHT if case.asked.row.startswith("mixed") else 1.0),
            )
            for case, weight in self.weighted(self.cases)
            if case.lines and case.asked.answers
        ]
        return ReadingFile(
            provenance=self.provenance,
            features=list(reading.FEATURES),
            weights=fit_choices(choices, reading.GROUPS, shared_decay=3e-4, group_decay=3e-3),
        )

    def answerability(self, reader: ReadingFile) -> AnswerabilityFile:
        """Fit whether the answer rests on a right document; half of the cases have theirs withheld."""
        judged: dict[str, list[Judged]] = {name: [] for name in answerability.GROUPS}
        for case, weight in self.weighted(self.cases) + self.weighted(self.withheld):
            found = reading.read(case.question, case.ranked, case.lines, case.scores.cosines, reader)
            if found.spans and case.asked.answers:
                values = answerability.features(case.question, case.ranked, found)
                label = case.right(found.spans[0].chunk_id)
                judged[answerability.group(case.question, case.ranked)].append(Judged(values, label, weight))
        models = {name: _logistic(found) for name, found in judged.items()}
        return AnswerabilityFile(
            provenance=self.provenance
            | {"thresholds": "of questions whose right passage came first, refused at most: " + _shares(REFUSED_MAX)},
            thresholds={name: _threshold(models[name], found, REFUSED_MAX[name]) for name, found in judged.items()},
            models=models,
        )


def _rounded(rows: list[NDArray[np.float32]]) -> list[float]:
    return [round(float(value), 5) for value in np.mean(rows, axis=0)]


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:g}" for name, share in shares.items())


def _logistic(found: list[Judged]) -> LogisticFile:
    rows = np.array([list(one.values.values()) for one in found])
    labels, weights = np.array([one.right for one in found]), np.array([one.weight for one in found])
    fitted, bias = fit_logistic(rows, labels, weights)
    return LogisticFile(features=list(answerability.FEATURES), weights=fitted, bias=bias)


def _threshold(model: LogisticFile, found: list[Judged], refused_max: float) -> float:
    right = sorted((answerability.probability(model, one.values), one.weight) for one in found if one.right)
    shares = np.cumsum([weight for _, weight in right]) / sum(weight for _, weight in right)
    return round(right[int(np.searchsorted(shares, refused_max))][0], 3)


def _write(name: str, file: msgspec.Struct, folder: Path) -> None:
    text = msgspec.json.format(msgspec.json.encode(file), indent=0 if name == "fusion.json" else 1)
    (folder / name).write_bytes(text + b"\n")


def main() -> None:
    """Fit, write the three files and print the report of the other half."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of evaluation sets")
    parser.add_argument("--model", type=Path, required=True, help="folder of the installed encoder")
    parser.add_argument("--cache", type=Path, required=True, help="file that keeps vectors between runs (.npz)")
    parser.add_argument("--half", type=int, choices=(0, 1), default=0, help="the half to fit on; the other is reported")
    parser.add_argument("--out", type=Path, default=PACKAGE, help="where the fitted files go")
    parser.add_argument("--scale", type=float, default=1.0, help="chunk size as a multiple of the default")
    parser.add_argument("--threads", type=int, default=2, help="threads of the encoder")
    chosen = parser.parse_args()
    vectors = VectorCache(Encoder.load(chosen.model, "int8", threads=chosen.threads), chosen.cache)
    fit = Fit(list(corpora(chosen.data)), vectors, chosen.half, chosen.scale)
    fused = fit.fusion()
    fit.rerank(fusion_model(fused))
    reader = fit.reading()
    judge = fit.answerability(reader)
    vectors.save()
    for name, file in (("fusion.json", fused), ("reading.json", reader), ("answerability.json", judge)):
        _write(name, file, chosen.out)
    report = Report(fit.cases, fit.withheld, chosen.half)
    print(report.text(reader, judge), report.curve(reader, judge), sep="\n\n")


if __name__ == "__main__":
    main()
