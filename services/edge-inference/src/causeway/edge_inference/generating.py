"""What a local model is asked, and whether its text may stand: it must be made of the evidence. Pure."""

from collections.abc import Sequence

from causeway.edge_inference.ports import Prompt
from causeway.language import detect, terms

# About 600 tokens in either language: reading the prompt is most of the time of a short answer.
EVIDENCE_CHARS_MAX = {"zh": 800, "en": 2_000}
# Below this share of its terms in the evidence and the question, a text is invention.
SUPPORT_MIN = 0.5
_SYSTEM = {
    "zh": "你是阅读理解助手。只根据给出的段落回答问题，用段落中最短的原文词句作答，不要解释，不要重复问题。",
    "en": "You answer questions from a passage. Reply with the shortest exact words of the passage that answer the"
    " question, without explanation and without repeating the question.",
}
_USER = {
    "zh": "段落：{passages}\n\n问题：{question}\n\n最短答案：",
    "en": "Passage: {passages}\n\nQuestion: {question}\n\nShortest answer:",
}
_LABELS = ("shortest answer:", "answer:", "最短答案：", "答案：", "答：", "回答：")
_QUOTES = "\"'“”‘’「」`"


def messages_of(prompt: Prompt) -> list[dict[str, str]]:
    """The chat that asks for a short, direct answer in the language of the question."""
    language = "zh" if prompt.language == "zh" else "en"
    passages = trimmed(prompt.passages, EVIDENCE_CHARS_MAX[detect_passages(prompt.passages)])
    return [
        {"role": "system", "content": _SYSTEM[language]},
        {"role": "user", "content": _USER[language].format(passages=passages, question=prompt.question.strip())},
    ]


def trimmed(passages: Sequence[str], chars_max: int) -> str:
    """The passages, best first, until there is no more room; the best one is cut rather than left out."""
    kept: list[str] = []
    left = chars_max
    for passage in passages:
        if kept and len(passage) > left:
            break
        kept.append(passage[:left])
        left -= len(passage)
    return "\n\n".join(kept)


def detect_passages(passages: Sequence[str]) -> str:
    """`zh` or `en`, for what counts as long."""
    return "zh" if detect(passages[0] if passages else "") == "zh" else "en"


def cleaned(text: str) -> str:
    """The model's text without the label or the quotation marks that small models like to add."""
    text = text.strip()
    for label in _LABELS:
        if text.lower().startswith(label):
            text = text[len(label) :].strip()
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


def support(text: str, prompt: Prompt) -> float:
    """The share of the text's terms that the evidence or the question has.

    1.0 where the text is in another language than the evidence, because then it can not be told this way.
    """
    evidence = "\n".join(prompt.passages)
    if detect(text) != detect(evidence) and detect(text) != "und":
        return 1.0
    own = set(terms(text))
    known = set(terms(evidence)) | set(terms(prompt.question))
    return len(own & known) / len(own) if own else 0.0
