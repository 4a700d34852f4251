"""How often the comparison of audits says what, on question sets (`python agreement.py FOLDER_OF_SETS`).

Right pairs: the sentence that holds the gold answer, against that answer as it stands, in a sentence framed as
`judging` knows frames, in one that it does not know, and in other words. Wrong pairs: another sentence of the passage,
and one of another passage, where other passages are cited too.
"""

import json
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from causeway.edge_inference.judging import Agreement, compare

SEED = 1
SHORT = {
    "en": ("It is {}.", "The answer is {}.", "According to the documents, this was {}."),
    "zh": ("答案是{}。", "应该是{}。", "根据资料，是{}。"),
}
UNFRAMED = {"en": "As far as I can see, {} would be meant here.", "zh": "依我看，这里指的多半是{}。"}
OTHER_WORDS = {
    "en": {"founded": "set up", "large": "big", "people": "inhabitants", "war": "conflict", "king": "monarch",
           "city": "town", "began": "started", "many": "numerous", "million": "m", "percent": "%"},
    "zh": {"成立": "创办", "公司": "企业", "学校": "院校", "城市": "都市", "人": "名", "开始": "起初",
           "位于": "坐落在", "主要": "重要", "大": "巨", "年": "载"},
}  # fmt: skip
WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
Row = tuple[str, str, str, str, list[str]]


def rows(folder: Path) -> Iterator[tuple[str, Row]]:
    """Name of the set, then language, question, passage id, passage, gold answers."""
    for name, languages in (("bi_xquad", ("en", "zh")), ("zh_cmrc2018", ("",))):
        passages = {one["pid"]: one for one in _lines(folder / name / "passages.jsonl")}
        for question in _lines(folder / name / "questions.jsonl"):
            for language in languages:
                end = f"_{language}" if language else ""
                asked, gold = question[f"q{end}" if end else "question"], question[f"a{end}" if end else "answers"]
                text = passages[question["pid"]][language or "text"]
                yield f"{name}{end}", (language or "zh", asked, question["pid"], text, gold)


def _lines(path: Path) -> Iterator[dict]:  # type: ignore[type-arg]
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def sentences(text: str) -> list[str]:
    """Of a passage."""
    return [one.strip() for one in re.split(r"(?<=[。！？；])|(?<=[.!?])\s+(?=[A-Z])", text) if one.strip()]


def in_other_words(gold: str, language: str) -> str:
    """The gold answer with digits in words and words changed for like ones, or the same where nothing is to change."""
    if language == "zh":
        said = re.sub(r"[0-9]+", lambda found: "".join("零一二三四五六七八九"[int(one)] for one in found[0]), gold)
    else:
        said = re.sub(r"(?<![\w.,:/-])(?:[0-9]|1[0-2])(?![\w,:/-]|\.[0-9])", lambda found: WORDS[int(found[0])], gold)
    border = r"\b" if language == "en" else ""
    for word, other in OTHER_WORDS[language].items():
        said = re.sub(f"{border}{word}{border}", other, said)
    return said


def pairs(row: Row, others: list[Row], chance: random.Random) -> Iterator[tuple[str, str, str, bool]]:
    """Kind, local answer, cloud answer, and whether the same passages are cited."""
    language, _, pid, text, golds = row
    parts, gold = sentences(text), golds[0]
    right = next((one for one in parts if gold in one), None)
    if right is None:
        return
    framed, changed = chance.choice(SHORT[language]).format(gold), in_other_words(gold, language)
    said = {"as it stands": gold, "framed": framed, "in another sentence": UNFRAMED[language].format(gold)}
    if changed != gold:
        said["in other words"] = chance.choice(SHORT[language]).format(changed)
    for kind, cloud in said.items():
        yield f"right, {kind}", right, cloud, True
        yield f"right, {kind}, others cited", right, cloud, False
    wrong = [one for one in parts if not any(each in one for each in golds)]
    if wrong:
        yield "wrong, same passage", chance.choice(wrong), framed, True
    other = next((one for one in chance.sample(others, 20) if one[2] != pid), None)
    elsewhere = [one for one in sentences(other[3]) if not any(each in one for each in golds)] if other else []
    if elsewhere:
        yield "wrong, other passage", chance.choice(elsewhere), framed, False


def main(folder: Path) -> None:
    """Print a table."""
    chance = random.Random(SEED)  # noqa: S311  # A draw, not a secret.
    found = defaultdict[tuple[str, str], Counter[Agreement]](Counter)
    by_set = defaultdict[str, list[Row]](list)
    for name, row in rows(folder):
        by_set[name].append(row)
    for name, all_rows in by_set.items():
        for row in all_rows:
            for kind, local, cloud, same in pairs(row, all_rows, chance):
                found[name, kind][compare(local, cloud, row[1], same_passages=same).agreement] += 1
    print("| set | pair | pairs | agrees | differs | undecided |\n|---|---|---:|---:|---:|---:|")
    for (name, kind), counted in sorted(found.items()):
        shares = " | ".join(f"{100 * counted[one] / counted.total():.1f}%" for one in Agreement)
        print(f"| {name} | {kind} | {counted.total()} | {shares} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
