"""What the service says in its own words, in the language of the question."""

_ABSTAIN = {
    "zh": "在本知识库的文档中没有找到可以支持回答的内容。下面列出最接近的段落。",
    "en": "Nothing in the documents of this knowledge base supports an answer. The closest passages are listed below.",
}
_ABSTAIN_EMPTY = {
    "zh": "在本知识库的文档中没有找到与问题相关的内容。",
    "en": "Nothing in the documents of this knowledge base is about this question.",
}


def abstention(language: str, *, closest: bool) -> str:
    """The text of an answer that is none; `closest` says whether passages follow."""
    texts = _ABSTAIN if closest else _ABSTAIN_EMPTY
    return texts.get(language, texts["en"])


def behind_reason(behind: int, chunks: int) -> str:
    """What an answer says while it rests on meaning more than on words."""
    return f"the lexical index is being built: {behind} of {chunks} chunks to go"


def abstention_reason(probability: float) -> str:
    """Why there is no answer, for programs and logs."""
    return f"not supported: the evidence answers with a probability of only {probability:.2f}"
