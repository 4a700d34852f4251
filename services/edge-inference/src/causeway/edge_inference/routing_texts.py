"""What the reasons of a decision say to people, in English and Chinese."""

from causeway.edge_inference.routing import Reason

_EN = {
    Reason.CACHED: "an earlier answer to the same question still holds",
    Reason.CONFIDENT: "the local answer is sure enough",
    Reason.RESTRICTED: "the question or its evidence is restricted and stays at this site",
    Reason.INTERNAL: "the question or its evidence is internal and can not leave without being de-identified",
    Reason.NOT_WANTED: "the asker wants no cloud",
    Reason.NO_LINK: "this site has no link to a hub, or it is not connected",
    Reason.BREAKER_OPEN: "the hub failed or was slow lately and is left alone for a while",
    Reason.BUDGET: "the budget for the cloud does not allow it now",
    Reason.NO_TIME: "too little of the deadline is left to ask the cloud",
    Reason.UNSURE: "the local answer is not sure enough",
    Reason.ABSTAINED: "nothing here answers the question",
    Reason.CLOUD_SLOW: "the cloud's first word did not come in time",
    Reason.CLOUD_LATE: "the cloud was not done when the deadline came",
    Reason.CLOUD_STALLED: "the cloud stopped in the middle of its answer",
    Reason.CLOUD_BROKEN: "the cloud broke off in the middle of its answer",
    Reason.CLOUD_GARBAGE: "what came from the cloud could not be read",
    Reason.CLOUD_UNREACHABLE: "the cloud could not be reached",
    Reason.CLOUD_UNCITED: "the cloud's answer cites nothing",
    Reason.CLOUD_ABSTAINED: "the cloud has no answer either",
    Reason.REFUSED_DEADLINE: "the cloud could not have made it in time",
    Reason.REFUSED_BUSY: "the cloud has too many questions at once",
    Reason.REFUSED_ENGINE: "the cloud's model is down",
    Reason.REFUSED_PAUSED: "the operator has paused cloud answers",
    Reason.REFUSED_UNKNOWN_KB: "the cloud holds nothing of this knowledge base",
    Reason.REFUSED: "the cloud did not take the question",
}
_ZH = {
    Reason.CACHED: "此前对同一问题的回答仍然有效",
    Reason.CONFIDENT: "本地回答的置信度足够高",
    Reason.RESTRICTED: "问题或其依据为受限内容，不得离开本站点",
    Reason.INTERNAL: "问题或其依据为内部内容，未经去标识化不得离开本站点",
    Reason.NOT_WANTED: "提问者不希望使用云端",
    Reason.NO_LINK: "本站点没有到中心的链路，或链路未连接",
    Reason.BREAKER_OPEN: "中心近期出错或缓慢，暂时不再调用",
    Reason.BUDGET: "云端预算目前不允许",
    Reason.NO_TIME: "剩余时间不足以询问云端",
    Reason.UNSURE: "本地回答的置信度不够",
    Reason.ABSTAINED: "本地没有可以回答该问题的内容",
    Reason.CLOUD_SLOW: "云端的首个字未能按时到达",
    Reason.CLOUD_LATE: "到截止时间云端仍未完成",
    Reason.CLOUD_STALLED: "云端在回答中途停住",
    Reason.CLOUD_BROKEN: "云端在回答中途中断",
    Reason.CLOUD_GARBAGE: "云端返回的内容无法识别",
    Reason.CLOUD_UNREACHABLE: "无法连接云端",
    Reason.CLOUD_UNCITED: "云端的回答没有引用依据",
    Reason.CLOUD_ABSTAINED: "云端也没有答案",
    Reason.REFUSED_DEADLINE: "云端无法在截止时间前完成",
    Reason.REFUSED_BUSY: "云端同时处理的问题过多",
    Reason.REFUSED_ENGINE: "云端模型不可用",
    Reason.REFUSED_PAUSED: "运维人员已暂停云端回答",
    Reason.REFUSED_UNKNOWN_KB: "云端没有该知识库的内容",
    Reason.REFUSED: "云端没有接受该问题",
}


def reason_text(reason: Reason, language: str) -> str:
    """One clause, in Chinese for `zh` and in English for all else."""
    return (_ZH if language == "zh" else _EN)[reason]
