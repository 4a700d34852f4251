"""What else tells whether an answer is right: how sure the verdict and the reader are, and what the passage lacks.

These join the features of a verdict for the calibration that comes after it; the verdict itself does not use them.
"""

import math
import re
from collections.abc import Sequence

from causeway.retrieval.fusion import Ranked
from causeway.retrieval.question import Question
from causeway.retrieval.reading import Reading

SUPPORT = ("answerable", "shown_belief", "rarest_missing", "numbers_missing", "abroad")
# A probability of exactly 0 or 1 has no logit.
_SURE = 1e-4
_NUMBER = re.compile(r"\d+")


def support(
    question: Question, ranked: Sequence[Ranked], reading: Reading, probability: float, threshold: float
) -> dict[str, float]:
    """Return SUPPORT by name, of a reading that has spans.

    `answerable` is how far the verdict's logit is above its threshold: below 0 the answer is an abstention.
    `shown_belief` is the share of the reader's belief that fell on the sentences shown. `rarest_missing` is the idf of
    the rarest term of the question that the best passage lacks, over that of the rarest of all. `numbers_missing` is 1
    where a number of the question is not in it, `abroad` where it is in another language than the question.
    """
    best = ranked[0].candidate
    held = set(_NUMBER.findall(f"{best.passage.context}\n{best.passage.text}"))
    return {
        "answerable": _logit(probability) - _logit(threshold),
        "shown_belief": min(1.0, sum(span.score for span in reading.spans)),
        "rarest_missing": best.missing,
        "numbers_missing": float(not held.issuperset(_NUMBER.findall(question.text))),
        "abroad": float((question.language == "zh") != (best.passage.language == "zh")),
    }


def _logit(probability: float) -> float:
    inside = min(1 - _SURE, max(_SURE, probability))
    return math.log(inside / (1 - inside))
