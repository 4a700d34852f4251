"""Fits the shipped prior on the half that the retrieval models did not see (`python -m libs.calibration.fitting.fit`).

The report says what a knowledge base without labels gets: each set judged by a prior of the other sets.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from causeway.calibration import measures
from causeway.calibration.fitting import predict
from causeway.calibration.judging import FEATURES, GROUPS, PriorFile, PriorGroup, group_of
from causeway.calibration.logistic import Matrix, fit, rows_of, scale_of
from causeway.models import Encoder
from causeway.retrieval.models import shipped_fusion
from libs.calibration.fitting.answers import Answered, answers, decoded, encoded
from libs.retrieval.fitting.corpus import corpora
from libs.retrieval.fitting.vectors import VectorCache

PACKAGE = Path(__file__).parents[1] / "src/causeway/calibration"
HALF = 1
SEEDS = (1, 2)
STRENGTH = 10.0
# What each row of the report weighs in all, in answers.
ROW_WEIGHT = 1_000.0
THRESHOLDS = (0.80, 0.85, 0.88, 0.90, 0.92, 0.94, 0.95)
# An uncalibrated knowledge base must clear this; the report says what it would have kept of each set.
UNCALIBRATED_THRESHOLD = 0.9


def prior(found: Sequence[Answered]) -> PriorFile:
    """Return the model of each language."""
    rows = ", ".join(dict.fromkeys(one.row for one in found))
    return PriorFile(
        provenance={"encoder": "multilingual-e5-small int8", "fitted_on": f"half {HALF} by passage of {rows}"},
        features=list(FEATURES),
        threshold=UNCALIBRATED_THRESHOLD,
        # One model for both languages: apart, each would know two kinds of knowledge base, and fail on a third.
        groups=dict.fromkeys(GROUPS, _group(found)),
    )


def _group(found: Sequence[Answered]) -> PriorGroup:
    given = [one for one in found if one.label.answered]
    sizes = Counter(one.row for one in given)
    rows = rows_of([one.label.features for one in given], FEATURES)
    scale = scale_of(rows)
    weights = fit(
        scale.of(rows),
        np.array([one.label.right for one in given], np.float64),
        towards=np.zeros(len(FEATURES) + 1),
        strength=STRENGTH,
        bias_strength=0.0,
        shares=np.array([ROW_WEIGHT / sizes[one.row] for one in given]),
    )
    raw = weights[:-1] / scale.spread
    return PriorGroup(
        weights=[round(float(one), 5) for one in raw],
        bias=round(float(weights[-1] - raw @ scale.mean), 5),
        spread=[round(float(one), 5) for one in scale.spread],
    )


def report(found: Sequence[Answered]) -> str:
    """Return what a prior of the other sets makes of each set, as a Markdown table."""
    head = " | ".join(f"above {at:g}: precision / share" for at in THRESHOLDS)
    lines = [f"| set | questions | right | AUROC | ECE | {head} |", "|---" * (len(THRESHOLDS) + 5) + "|"]
    for row in dict.fromkeys(one.row for one in found):
        rest = [one for one in found if _family(one.row) != _family(row)]
        lines.append(_line(row, [one for one in found if one.row == row], prior(rest)))
    return "\n".join(lines)


def _family(row: str) -> str:
    """bi_xquad and its mixed copies are the same questions."""
    return "bi_xquad" if ">" in row else row.removeprefix("mixed ")


def _line(row: str, own: Sequence[Answered], file: PriorFile) -> str:
    right = np.array([one.label.right for one in own], np.float64)
    said = np.array([_said(one, file) for one in own])
    points = [
        f"{right[said >= at].mean() if (said >= at).any() else 1.0:.3f} / {(said >= at).mean():.3f}"
        for at in THRESHOLDS
    ]
    numbers = f"{right.mean():.3f} | {measures.auroc(said, right):.3f} | {measures.ece(said, right):.3f}"
    return f"| {row} | {len(own)} | {numbers} | {' | '.join(points)} |"


def _said(one: Answered, file: PriorFile) -> float:
    if not one.label.answered:
        return 0.0
    group = file.groups[group_of(one.label.language)]
    weights: Matrix = np.array([*group.weights, group.bias])
    return float(predict([one.label.features], weights)[0])


def main() -> None:
    """Ask every set with a part withheld, fit, write `prior.json` and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of evaluation sets")
    parser.add_argument("--model", type=Path, required=True, help="folder of the installed encoder")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps vectors and answers between runs")
    parser.add_argument("--out", type=Path, default=PACKAGE, help="where the fitted file goes")
    chosen = parser.parse_args()
    kept = chosen.cache / "answers.json"
    if not kept.exists():
        vectors = VectorCache(Encoder.load(chosen.model, "int8", threads=2), chosen.cache / "vectors.npz")
        every = [
            one
            for corpus in corpora(chosen.data)
            for seed in SEEDS
            for one in answers(corpus, vectors, shipped_fusion(), seed)
        ]
        vectors.save()
        kept.write_bytes(encoded(every))
    found = [one for one in decoded(kept.read_bytes()) if one.half == HALF]
    file = prior(found)
    (chosen.out / "prior.json").write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")
    print(report(found))


if __name__ == "__main__":
    main()
