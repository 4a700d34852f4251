"""What the hub says in its own words, in the language of the question."""

_ABSTAIN = {
    "zh": "各站点共享的文档中没有可以支持回答的内容。",
    "en": "Nothing in the documents that are shared supports an answer.",
}


def abstention(language: str) -> str:
    """The text of an answer that is none."""
    return _ABSTAIN.get(language, _ABSTAIN["en"])
