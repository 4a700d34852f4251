"""How often one changed content word goes unnoticed: English questions about documents with a word replaced or dropped.

python -m libs.semantic_cache.fitting.changed --data DIR --model DIR --cache vectors.npz
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from causeway.models import Encoder
from causeway.semantic_cache import Pair, judge, read, shipped_limits
from causeway.semantic_cache.question import stem
from libs.semantic_cache.fitting.fit import Vectors
from libs.semantic_cache.fitting.pairs import Encode, questions

NEIGHBOURS = (-1, 1, 2, -2)
COSINES = (0.97, 0.98, 0.9877)
_WORD = re.compile(r"[A-Za-z]{3,}")


def changed(texts: Sequence[str], encode: Encode) -> dict[str, list[Pair]]:
    """Each question with one of its content words replaced by one of a neighbour's, and with it dropped. Which word is
    taken hangs on the text alone."""
    found: dict[str, list[tuple[str, str]]] = {"replaced": [], "dropped": []}
    words = [_content(text) for text in texts]
    for at, text in enumerate(texts):
        near = [at + step for step in NEIGHBOURS if 0 <= at + step < len(texts) and words[at + step]]
        if not words[at] or not near:
            continue
        choice = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
        word = words[at][choice % len(words[at])]
        others = words[near[choice // 7 % len(near)]]
        other = others[choice // 13 % len(others)].group().lower()
        if other != word.group().lower():
            found["replaced"].append((text, text[: word.start()] + other + text[word.end() :]))
        if len(words[at]) > 2:
            found["dropped"].append((text, text[: word.start()].rstrip() + text[word.end() :]))
    return {name: _pairs(pairs, encode) for name, pairs in found.items()}


def _content(text: str) -> list[re.Match[str]]:
    question = read(text)
    said = question.bearing - question.names
    return [word for word in _WORD.finditer(text) if stem(word.group().lower()) in said]


def _pairs(pairs: Sequence[tuple[str, str]], encode: Encode) -> list[Pair]:
    ones, others = encode([one for one, _ in pairs]), encode([other for _, other in pairs])
    rows = zip(pairs, ones, others, strict=True)
    return [Pair(read(one), read(other), float(a @ b), same=False) for (one, other), a, b in rows]


def main() -> None:
    """Print how many such pairs a plain cosine and the shipped cache let pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of evaluation sets")
    parser.add_argument("--model", type=Path, required=True, help="folder of the installed encoder")
    parser.add_argument("--cache", type=Path, required=True, help="file that keeps vectors between runs (.npz)")
    chosen = parser.parse_args()
    encoder = Encoder.load(chosen.model, "int8")
    vectors = Vectors(encoder, chosen.cache)
    limit = shipped_limits().of("en", encoder.model_id)
    for name, pairs in changed([asked.text for asked in questions(chosen.data, "en")], vectors).items():
        hits = sum(judge(pair.one, pair.other, pair.cosine, limit).hit for pair in pairs)
        near = {cosine: sum(pair.cosine >= cosine for pair in pairs) for cosine in COSINES}
        sys.stdout.write(f"{name}: {len(pairs)} pairs, {hits} hits, at or above a cosine: {near}\n")
    vectors.save()


if __name__ == "__main__":
    main()
