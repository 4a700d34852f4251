"""Answers of the retrieval stages over evaluation sets of which a part is withheld, each labelled right or wrong."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from causeway.calibration.fitting import Labelled
from causeway.retrieval import judge, read, rerank
from causeway.retrieval.models import FusionModel
from libs.retrieval.fitting.corpus import Corpus
from libs.retrieval.fitting.stages import Case, Stage
from libs.retrieval.fitting.vectors import VectorCache

WITHHELD_SHARE = 0.35


@dataclass(frozen=True, slots=True)
class Answered:
    """A labelled answer, the row of the report it is in, and which half its passage belongs to."""

    row: str
    half: int
    label: Labelled


def answers(corpus: Corpus, vectors: VectorCache, model: FusionModel, seed: int) -> Iterator[Answered]:
    """Ask every question with a seeded share of the documents withheld."""
    ids = sorted(corpus.documents)
    hidden = set(random.Random(seed).sample(ids, int(len(ids) * WITHHELD_SHARE)))  # noqa: S311 - a sample, not a secret.
    shown = {key: document for key, document in corpus.documents.items() if key not in hidden}
    asked = [one for one in corpus.questions if one.answers]
    stage = Stage(replace(corpus, documents=shown, questions=asked), vectors)
    cases = stage.cases()
    stage.gather(cases, model)
    stage.look(cases, model)
    for number, case in enumerate(cases):
        yield _answered(case, f"{corpus.name}/{seed}/{number}", model)


def _answered(case: Case, key: str, model: FusionModel) -> Answered:
    ranked = rerank(case.question, case.ranked, case.lines, case.scores, model)
    reading = read(case.question, ranked, case.lines, case.scores.cosines)
    verdict = judge(case.question, ranked, reading)
    label = Labelled(
        key=key,
        language=case.question.language,
        features={name: round(value, 4) for name, value in verdict.features.items()},
        right=verdict.answers and case.holds(reading.text),
        cluster=min(case.asked.right),
    )
    return Answered(case.asked.row, case.asked.half, label)


def encoded(found: list[Answered]) -> bytes:
    """Return the answers as JSON, to be kept between fits."""
    return msgspec.json.encode(found)


def decoded(body: bytes) -> list[Answered]:
    """Return what `encoded` made."""
    return msgspec.json.decode(body, type=list[Answered])
