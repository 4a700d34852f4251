"""Labelled answers whose true probabilities are known, clustered by passage, for tests of calibration."""

import numpy as np

from causeway.calibration.fitting import Labelled
from causeway.calibration.judging import FEATURES


def labelled(
    count: int,
    seed: int = 0,
    *,
    language: str = "en",
    per_passage: int = 4,
    lift: float = 0.0,
    together: float = 0.0,
    withheld: float = 0.3,
) -> list[Labelled]:
    """Answers whose logit is 2 + 1.5 times `answerable` (standard normal) + `lift`, plus what their passage adds.

    `together` is the standard deviation of the passage's part, which no feature shows; `withheld` the share abstained.
    """
    generator = np.random.default_rng(seed)
    passages = generator.normal(scale=together, size=count // per_passage + 1) if together else np.zeros(count)
    made = []
    for number in range(count):
        strength = float(generator.normal())
        logit = 0.5 + 1.5 * strength + lift + float(passages[number // per_passage])
        abstains = bool(generator.random() < withheld)
        features = dict.fromkeys(FEATURES, 0.0) | {
            "answerable": -1.0 if abstains else 3.0 + strength,
            "shown_belief": float(generator.random()),
        }
        right = not abstains and bool(generator.random() < 1 / (1 + np.exp(-logit)))
        made.append(Labelled(f"q{seed}-{number}", language, features, right, f"p{seed}-{number // per_passage}"))
    return made
