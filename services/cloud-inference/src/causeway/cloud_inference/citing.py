"""Whether an answer stands on its passages: each [n] is checked, and what is not supported loses it. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from causeway.cloud_inference.numerals import numbers
from causeway.language import detect, sentences, terms

# Of the terms that a sentence adds to the question, so many must be in the passage that it cites.
SUPPORT_MIN = 0.5
# A sentence without a mark gets that of a passage that has this much of it.
ATTRIBUTE_MIN = 0.8
_NUMBERS = r"(?:passages?|段落|文段|来源)?\s*(\d{1,3}(?:\s*[,，、;；]\s*\d{1,3})*)\s*"
_MARK = re.compile(rf"\s*[\[【［]{_NUMBERS}[\]】］]", re.IGNORECASE)
_MARKS_AFTER_END = re.compile(rf"([。！？!?；.]+[”’』」）)\"']*)((?:\s*[\[【［]{_NUMBERS}[\]】］])+)", re.IGNORECASE)
_LEADING_MARK = re.compile(rf"^\s*[\[【［]{_NUMBERS}[\]】］]", re.IGNORECASE)
_ENDING = re.compile(r"[。！？!?；.…]+[”’』」）)\"']*$")
_NUMBER = re.compile(r"\d+")
_CLOSED = re.compile(r"[。！？!?….][”’』」）)\"']*\s*$")
_ABSTAINS = re.compile(
    r"(?:passages?|context|documents?|text|information)\b.{0,40}"
    r"\b(?:do(?:es)? not|don't|doesn't|did not|cannot|can not|can't|not)\b.{0,30}"
    r"\b(?:answer|contain|say|mention|hold|provide|include|specif|state|given|available|enough)"
    r"|\bnot (?:mentioned|stated|specified|provided|found|given|contained) in"
    r" (?:any of )?(?:the )?(?:passages?|context|text)\b"
    r"|\bno (?:relevant )?(?:information|answer|mention)\b|\bi (?:do not|don't) know\b"
    r"|\b(?:cannot|can't) (?:be )?answer|\bnot in the passages\b"
    r"|(?:段落|文段|资料|文中|上文|文档|材料|内容)[^。]{0,12}(?:没有|未|无法|不包含|不含|并无)[^。]{0,12}"
    r"(?:答案|提及|提到|说明|提供|信息|回答|涉及|包含|给出|相关|找到)"
    r"|没有(?:找到|提供|提及|提到)?[^。]{0,6}(?:答案|相关信息)|无法(?:从[^。]{0,12})?(?:回答|得知|确定|判断)|我不知道|不得而知",
    re.IGNORECASE,
)
# Words that any two texts share and that so support nothing.
_EMPTY = frozenset(
    "a an and are as at be been by can do does for from had has have he her his how if in into is it its may not of on"
    " or our she so some such that the their them then there these they this to was we were what when where which who"
    " will with you your 的 了 是 在 和 与 及 或 有 也 就 都 而 为 于 以 其 这 那 个 一 不".split()
)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The text with marks renumbered from 1: mark n is passage `cited[n - 1]`, itself counted from 1 in the prompt.

    `removed` counts marks that did not stand, `added` those that were put to a sentence without one.
    """

    text: str
    cited: tuple[int, ...] = ()
    abstained: bool = False
    reason: str = ""
    removed: int = 0
    added: int = 0


@dataclass
class _Tally:
    cited: list[int] = field(default_factory=list)
    removed: int = 0
    added: int = 0

    def number(self, passage: int) -> int:
        if passage not in self.cited:
            self.cited.append(passage)
        return self.cited.index(passage) + 1


def checked(text: str, question: str, passages: Sequence[str], *, whole: bool = True) -> Checked:
    """The model's text as it may be given. `whole` says that the model had ended: if not, a last sentence that is not
    closed is left out."""
    text = _marks_inside(text.strip())
    if not whole:
        text = _closed(text)
    if not text:
        return _abstained("not in the passages: the model wrote nothing")
    if abstains(text):
        return _abstained("not in the passages: the model says so")
    asked, known = _Text(question), [_Text(passage) for passage in passages]
    tally, out, at = _Tally(), "", 0
    for span in sentences(text):
        out += text[at : span.start] + _sentence(span.of(text), asked, known, tally)
        at = span.end
    if not tally.cited:
        reason = "not in the passages: no sentence is supported by one"
        return Checked(text="", abstained=True, reason=reason, removed=tally.removed)
    return Checked(text=out.strip(), cited=tuple(tally.cited), removed=tally.removed, added=tally.added)


def abstains(text: str) -> bool:
    """Whether the first sentence of the text says that the passages do not answer."""
    spans = sentences(_MARK.sub("", text))
    return bool(spans) and bool(_ABSTAINS.search(spans[0].of(_MARK.sub("", text))))


def support(sentence: str, question: str, passage: str) -> float:
    """The share of what the sentence adds to the question that the passage has; 0 where a number is not in either.

    A sentence that adds nothing is measured whole. Where the languages differ only numbers can be told: 1 or 0.
    """
    return _support(_Text(sentence), _Text(question), _Text(passage))


class _Text:
    """A text with what is asked of it again and again."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def language(self) -> str:
        return detect(self.text)

    @cached_property
    def terms(self) -> frozenset[str]:
        return frozenset(terms(self.text))

    @cached_property
    def content(self) -> frozenset[str]:
        """The terms that say something: of Chinese the pairs and words, and single characters only where alone."""
        found = self.terms - _EMPTY
        return frozenset(term for term in found if len(term) > 1 or term.isascii()) or found

    @cached_property
    def numbers(self) -> set[str]:
        """Those that it says in any way."""
        return numbers(self.text, words=True)


def _support(sentence: _Text, question: _Text, passage: _Text) -> float:
    if not numbers(sentence.text) <= passage.numbers | question.numbers:
        return 0.0
    if len({sentence.language, passage.language} - {"und"}) > 1:
        return 1.0
    told = sentence.content - question.content or sentence.content
    return len(told & passage.terms) / len(told) if told else 0.0


def _sentence(text: str, question: _Text, passages: Sequence[_Text], tally: _Tally) -> str:
    """The sentence with those of its marks that stand, before its full stop."""
    bare = _MARK.sub("", text).strip()
    sentence = _Text(bare)
    named = [int(number) for marks in _MARK.findall(text) for number in _NUMBER.findall(marks.replace(",", " "))]
    if not sentence.content:
        tally.removed += len(named)
        return bare
    named = list(dict.fromkeys(named))
    known = [number for number in named if 1 <= number <= len(passages)]
    kept = [number for number in known if _support(sentence, question, passages[number - 1]) >= SUPPORT_MIN]
    tally.removed += len(named) - len(kept)
    if not kept and (best := _attributed(sentence, question, passages)):
        kept = [best]
        tally.added += 1
    marks = "".join(f"[{number}]" for number in sorted(tally.number(passage) for passage in kept))
    if not marks:
        return bare
    ending = _ENDING.search(bare)
    head, end = (bare[: ending.start()], ending.group()) if ending else (bare, "")
    return f"{head}{'' if sentence.language == 'zh' else ' '}{marks}{end}"


def _attributed(sentence: _Text, question: _Text, passages: Sequence[_Text]) -> int:
    """The passage that the sentence is clearly from, or 0. A passage in another language can not be told to be."""
    scores = [
        _support(sentence, question, passage) if sentence.language == passage.language else 0.0 for passage in passages
    ]
    best = max(range(len(scores)), key=scores.__getitem__, default=-1)
    return best + 1 if best >= 0 and scores[best] >= ATTRIBUTE_MIN else 0


def _marks_inside(text: str) -> str:
    """Marks that follow a full stop put before it, unless the text writes them before its sentences."""
    return text if _LEADING_MARK.match(text) else _MARKS_AFTER_END.sub(lambda found: found[2] + found[1], text)


def _closed(text: str) -> str:
    spans = sentences(text)
    if spans and not _CLOSED.search(spans[-1].of(text)):
        spans = spans[:-1]
    return text[: spans[-1].end] if spans else ""


def _abstained(reason: str) -> Checked:
    return Checked(text="", abstained=True, reason=reason)
