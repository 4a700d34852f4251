"""What the hub says in its own words, in the language of the question."""

from causeway.cloud_inference.completions import ABORT, LENGTH

_ABSTAIN = {
    "zh": "各站点共享的文档中没有可以支持回答的内容。",
    "en": "Nothing in the documents that are shared supports an answer.",
}
_CUT_SHORT = {
    ABORT: {"zh": "回答不完整：到截止时间而中止", "en": "cut short: the deadline ended it"},
    LENGTH: {"zh": "回答不完整：达到长度上限", "en": "cut short: it reached the limit of its tokens"},
}


def abstention(language: str) -> str:
    """The text of an answer that is none."""
    return _ABSTAIN.get(language, _ABSTAIN["en"])


def cut_short(finish_reason: str, language: str) -> str:
    """Why the text of an answer is not all that was to come; empty where it is."""
    texts = _CUT_SHORT.get(finish_reason, {})
    return texts.get(language, texts.get("en", ""))
