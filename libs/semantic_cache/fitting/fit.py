"""Fits `limits.json` on the open evaluation sets, and prints what it allows: see DESIGN.md of the package.

python -m libs.semantic_cache.fitting.fit --data DIR --model DIR --cache vectors.npz
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from causeway.models import Encoder
from causeway.semantic_cache import CONTENT, NEVER, Limit, Limits, Pair, judge, refusals, threshold, upper
from causeway.semantic_cache.difference import difference
from causeway.semantic_cache.judging import REWRITTEN_WORDS_MIN
from libs.semantic_cache.fitting.pairs import labelled, neighbours, questions, rewordings

BUDGET, DELTA = 0.01, 0.05
# Up to four entries are tried for one question: half of the budget for each pair is at most the budget for a question
# in all but a few.
PAIR_BUDGET = BUDGET / 2
# Set by hand, not fitted: where both questions say the same words, the guards alone keep the budget on all of these
# sets, and a floor only keeps out what the encoder sees apart for reasons that no guard knows.
FLOORS = {"zh": 0.988, "en": 0.97}
PACKAGE = Path(__file__).parents[1] / "src/causeway/semantic_cache"
LANGUAGES = {"cmedqq": "zh", "pawsx_zh": "zh", "questions_zh": "zh", "questions_en": "en", "semcache": "en"}


class Vectors:
    """Encodes what the file does not hold yet."""

    def __init__(self, encoder: Encoder, path: Path) -> None:
        self._encoder, self._path = encoder, path
        self._held: dict[str, NDArray[np.float32]] = {}
        if path.exists():
            stored = np.load(path)
            self._held = dict(zip(stored["k"].tolist(), stored["v"].astype(np.float32), strict=True))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row per text."""
        keys = [hashlib.blake2b(text.encode(), digest_size=12).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._held}
        ordered = sorted(missing.items(), key=lambda item: len(item[1]))
        for begin in range(0, len(ordered), 256):
            some = ordered[begin : begin + 256]
            rows = self._encoder.encode_queries([text for _, text in some])
            self._held |= dict(zip((key for key, _ in some), rows, strict=True))
        return np.array([self._held[key] for key in keys])

    def save(self) -> None:
        """Write the file."""
        np.savez(self._path, k=np.array(list(self._held)), v=np.array(list(self._held.values())))


def rewritten(pairs: Sequence[Pair]) -> float:
    """The limit for questions rewritten throughout, of pairs that differ; others count as never near."""
    return threshold([_nearness(pair) for pair in pairs if not pair.same], PAIR_BUDGET, DELTA)


def _nearness(pair: Pair) -> float:
    rest = difference(pair.one, pair.other)
    throughout = min(len(rest.one), len(rest.other)) >= REWRITTEN_WORDS_MIN
    return pair.cosine if throughout and refusals(pair.one, pair.other) == [CONTENT] else -1.0


def half_of(pair: Pair) -> int:
    """0 or 1 by the first question."""
    return hashlib.blake2b(pair.one.normal.encode(), digest_size=1).digest()[0] & 1


def measured(pairs: Sequence[Pair], limit: Limit) -> dict[str, float]:
    """Hits and false hits under a limit, with the upper bound of the second."""
    same = [judge(pair.one, pair.other, pair.cosine, limit).hit for pair in pairs if pair.same]
    different = [judge(pair.one, pair.other, pair.cosine, limit).hit for pair in pairs if not pair.same]
    return {
        "same": len(same),
        "hits": sum(same),
        "different": len(different),
        "false_hits": sum(different),
        "false_upper": round(upper(sum(different), len(different), DELTA), 5),
    }


def fitted(sets: dict[str, list[Pair]]) -> dict[str, Limit]:
    """A limit by language: the floor, and for English what the rewordings and the documents' questions allow."""
    english = [rewritten(sets["semcache"]), rewritten(sets["questions_en"])]
    highest = max(english)
    return {
        "zh": Limit(same_words=FLOORS["zh"]),
        "en": Limit(same_words=FLOORS["en"], rewritten=NEVER if highest >= 1 else round(highest + 5e-4, 3)),
    }


def main() -> None:
    """Fit on each half and print the other; then fit on all, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of evaluation sets")
    parser.add_argument("--model", type=Path, required=True, help="folder of the installed encoder")
    parser.add_argument("--cache", type=Path, required=True, help="file that keeps vectors between runs (.npz)")
    parser.add_argument("--out", type=Path, default=PACKAGE, help="where limits.json goes")
    chosen = parser.parse_args()
    vectors = Vectors(Encoder.load(chosen.model, "int8"), chosen.cache)
    sets = {
        "cmedqq": labelled(chosen.data / "qpairs/cmedqq.jsonl", vectors),
        "pawsx_zh": labelled(chosen.data / "qpairs/pawsx_zh.jsonl", vectors),
        "questions_zh": neighbours(questions(chosen.data, "zh"), vectors),
        "questions_en": neighbours(questions(chosen.data, "en"), vectors),
        "semcache": rewordings(chosen.data / "semcache/gptcache_mock.jsonl", vectors),
    }
    vectors.save()
    for half in (0, 1):
        limits = fitted({name: [pair for pair in pairs if half_of(pair) == half] for name, pairs in sets.items()})
        for name, pairs in sets.items():
            other = measured([pair for pair in pairs if half_of(pair) != half], limits[LANGUAGES[name]])
            sys.stdout.write(f"fitted on half {half}, {limits['en'].rewritten}: {name} {other}\n")
    limits = fitted(sets)
    evidence = {name: measured(pairs, limits[LANGUAGES[name]]) for name, pairs in sets.items()}
    for name, numbers in evidence.items():
        sys.stdout.write(f"all: {name} {numbers}\n")
    file = Limits(
        provenance={
            "encoder": "multilingual-e5-small int8",
            "fitted_on": "cMedQQ (ChineseBLUE, Apache-2.0), PAWS-X zh, mock_data.json of GPTCache (MIT), questions of "
            "CMRC 2018, DRCD, XQuAD (CC BY-SA) and Natural Questions (CC BY-SA)",
            "by_hand": "same_words",
        },
        space="multilingual-e5-small/",
        budget=BUDGET,
        delta=DELTA,
        limits=limits,
        evidence=evidence,
    )
    (chosen.out / "limits.json").write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")


if __name__ == "__main__":
    main()
