"""What `Answer.decision` says to people, in English and Chinese: for the site that decides and for who shows it."""

REASONS: dict[str, tuple[str, str]] = {
    "cached": ("an earlier answer to the same question still holds", "此前对同一问题的回答仍然有效"),
    "confident": ("the local answer is sure enough", "本地回答的置信度足够高"),
    "restricted": (
        "the question or its evidence is restricted and stays at this site",
        "问题或其依据为受限内容，不得离开本站点",
    ),
    "internal": (
        "the question or its evidence is internal and can not leave without being de-identified",
        "问题或其依据为内部内容，未经去标识化不得离开本站点",
    ),
    "not_wanted": ("the asker does not want the hub to be asked", "提问者不希望询问中心"),
    "no_link": ("this site has no link to a hub, or it is not connected", "本站点没有到中心的链路，或链路未连接"),
    "breaker_open": (
        "the hub failed or was slow lately and is left alone for a while",
        "中心近期出错或缓慢，暂时不再询问",
    ),
    "budget": ("the budget does not allow the hub to be asked now", "预算目前不允许询问中心"),
    "no_time": ("too little of the deadline is left to ask the hub", "剩余时间不足以询问中心"),
    "unsure": ("the local answer is not sure enough", "本地回答的置信度不够"),
    "abstained": ("nothing here answers the question", "本地没有可以回答该问题的内容"),
    "cloud_slow": ("the hub's first word did not come in time", "中心的首个字未能按时到达"),
    "cloud_late": ("the hub was not done when the deadline came", "到截止时间中心仍未完成"),
    "cloud_stalled": ("the hub stopped in the middle of its answer", "中心在回答中途停住"),
    "cloud_broken": ("the hub broke off in the middle of its answer", "中心在回答中途中断"),
    "cloud_garbage": ("what came from the hub could not be read", "中心返回的内容无法识别"),
    "cloud_unreachable": ("the hub could not be reached", "无法连接中心"),
    "cloud_uncited": ("the hub's answer cites nothing", "中心的回答没有引用依据"),
    "cloud_abstained": ("the hub has no answer either", "中心也没有答案"),
    "refused_deadline": ("the hub could not have made it in time", "中心无法在截止时间前完成"),
    "refused_busy": ("the hub has too many questions at once", "中心同时处理的问题过多"),
    "refused_engine": ("the hub's model is down", "中心的模型不可用"),
    "refused_paused": ("the operator has paused the answers of the hub", "运维人员已暂停中心的回答"),
    "refused_unknown_kb": ("the hub holds nothing of this knowledge base", "中心没有该知识库的内容"),
    "refused": ("the hub did not take the question", "中心没有接受该问题"),
}
"""English and Chinese by code. A site that is newer may send a code that is not here."""


def reason_text(code: str, language: str) -> str:
    """One clause, in Chinese where `language` begins with `zh`, in English for all else; an unknown code as it is."""
    english, chinese = REASONS.get(code, (code, code))
    return chinese if language.startswith("zh") else english
