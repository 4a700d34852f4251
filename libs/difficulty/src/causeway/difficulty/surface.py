"""What can be counted in a question without understanding it: lengths, numbers, choices. English and Chinese."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

_WORD = re.compile(r"[A-Za-z]+|[\u4e00-\u9fff]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OPERATOR = re.compile(r"[-+*/=^<>×÷√∑∫±≤≥]")
_CHOICE = re.compile(r"^\s*[(（]?[A-Ea-e][.)、．）:：]\s*(.*)$", re.MULTILINE)
_FIRST_CHOICE = re.compile(r"^\s*[(（]?[Aa][.)、．）:：]\s", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？]")
_NEGATION = re.compile(r"\b(?:not|except|never|incorrect|false|least|n't)\b|不|没有|错误|除了|并非", re.IGNORECASE)
_HOW_MUCH = re.compile(r"\bhow (?:many|much|long|old|far|often)\b|多少|几[个人天年次]|多[长久远大]", re.IGNORECASE)
_PROPORTION = re.compile(
    r"\b(?:half|twice|third|quarter|times|percent|ratio|each|per)\b|%|倍|一半|百分|比例|每", re.IGNORECASE
)
_BLANK = re.compile(r"_{2,}|（\s*）|\(\s*\)")
_STATEMENTS = re.compile(r"\bstatement\s+(?:1|i)\b|[①Ⅰ]", re.IGNORECASE)
_CODE = re.compile(r"[{};]\s*$|\b(?:def|return|class|import|SELECT|void)\b|```", re.MULTILINE)
_LONG_NUMBER = re.compile(r"\d{4,}")

NAMES = (
    "chars",
    "stem_chars",
    "words",
    "numbers",
    "operators",
    "multiple_choice",
    "choice_chars",
    "choice_spread",
    "questions_asked",
    "negation",
    "statements",
    "blank",
    "sentences",
    "word_chars",
    "distinct_words",
    "money_or_percent",
    "long_number",
    "commas",
    "lines",
    "capitals",
    "numeric_choices",
    "how_much",
    "proportion",
    "code",
    "chinese",
)


def surface(question: str) -> list[float]:
    """The features named in `NAMES`, in that order: counts as log(1 + n), the rest shares, means or 0 and 1."""
    words, choices = _WORD.findall(question), _CHOICE.findall(question)
    first = _FIRST_CHOICE.search(question)
    choice_chars = [len(choice) for choice in choices] or [0]
    counts = {
        "chars": len(question),
        "stem_chars": first.start() if first else len(question),
        "words": len(words),
        "numbers": _found(_NUMBER, question),
        "operators": _found(_OPERATOR, question),
        "choice_chars": float(np.mean(choice_chars)),
        "choice_spread": float(np.std(choice_chars)),
        "questions_asked": question.count("?") + question.count("？"),
        "sentences": _found(_SENTENCE_END, question),
        "money_or_percent": sum(question.count(sign) for sign in "$%¥￥€"),
        "commas": sum(question.count(sign) for sign in ",，、"),
        "lines": question.count("\n"),
    }
    shares = {
        "multiple_choice": float(len(choices) > 1),
        "negation": _holds(_NEGATION, question),
        "statements": _holds(_STATEMENTS, question),
        "blank": _holds(_BLANK, question),
        "word_chars": _mean([len(word) for word in words]),
        "distinct_words": len({word.lower() for word in words}) / max(1, len(words)),
        "long_number": _holds(_LONG_NUMBER, question),
        "capitals": sum(char.isupper() for char in question) / max(1, len(question)),
        "numeric_choices": _mean([any(char.isdigit() for char in choice) for choice in choices]),
        "how_much": _holds(_HOW_MUCH, question),
        "proportion": _holds(_PROPORTION, question),
        "code": _holds(_CODE, question),
        "chinese": sum("\u4e00" <= char <= "\u9fff" for char in question) / max(1, len(question)),
    }
    every = {name: float(np.log1p(count)) for name, count in counts.items()} | shares
    return [every[name] for name in NAMES]


def surfaces(questions: Sequence[str]) -> Vectors:
    """One row for each question, [n, features]."""
    return np.array([surface(question) for question in questions], np.float64).reshape(len(questions), len(NAMES))


def _found(pattern: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))


def _holds(pattern: re.Pattern[str], text: str) -> float:
    return float(pattern.search(text) is not None)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
