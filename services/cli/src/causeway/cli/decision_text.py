"""Why an answer took its route, in words. What became of the cloud, of a fallback, is the answer's own reason. Pure."""

from causeway.proto.answers import Answer, Route

_FALLBACK = ("the hub was asked and gave no answer that can stand", "已询问中心，但未得到可用的回答")
_WORDS = {
    "cached": ("an earlier answer to the same question still holds", "此前对同一问题的回答仍然有效"),
    "confident": ("the local answer is sure enough", "本地回答的置信度足够高"),
    "restricted": ("the question or its evidence is restricted and stays here", "问题或其依据为受限内容，不离开本站点"),
    "internal": ("the question or its evidence is internal and stays here", "问题或其依据为内部内容，不离开本站点"),
    "not_wanted": ("the hub was not to be asked", "提问者不希望询问中心"),
    "no_link": ("there is no link to a hub", "没有到中心的链路"),
    "breaker_open": ("the hub failed or was slow lately", "中心近期出错或缓慢"),
    "budget": ("the budget does not allow the hub now", "预算目前不允许询问中心"),
    "no_time": ("there was too little time to ask the hub", "剩余时间不足以询问中心"),
    "unsure": ("the local answer was not sure enough", "本地回答的置信度不够"),
    "abstained": ("nothing here answers the question", "本地没有可以回答该问题的内容"),
}


def decision_text(answer: Answer, language: str) -> str:
    """One clause; the code itself where this command does not know it, nothing where the site says none."""
    english, chinese = (
        _FALLBACK if answer.route is Route.FALLBACK else _WORDS.get(answer.decision, (answer.decision, answer.decision))
    )
    return chinese if language.startswith("zh") else english
