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


def behind_reason(behind: int, chunks: int, language: str) -> str:
    """What an answer says while it rests on meaning more than on words."""
    if language == "zh":
        return f"词语索引尚在建立：{chunks} 个片段中还有 {behind} 个"
    return f"the lexical index is being built: {behind} of {chunks} chunks to go"


def abstention_reason(probability: float, language: str) -> str:
    """Why there is no answer."""
    if language == "zh":
        return f"依据不足：现有内容能回答该问题的概率仅为 {probability:.2f}"
    return f"not supported: the evidence answers with a probability of only {probability:.2f}"


def nothing_written(language: str) -> str:
    """Why the sentences of the documents stand, and no text of the local model."""
    return "本地模型没有写出内容" if language == "zh" else "the local model gave no answer: it wrote nothing"


def set_aside(share: float, language: str) -> str:
    """The same, where only `share` of what it wrote is in the evidence."""
    if language == "zh":
        return f"未采用本地模型的文字：其中只有 {share:.0%} 见于依据"
    return f"the local model's text was set aside: only {share:.0%} of it is in the evidence"
