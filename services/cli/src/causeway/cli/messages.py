"""The words of `ask` and `demo` in English and Chinese."""

import os
from collections.abc import Mapping

_TABLE: Mapping[str, tuple[str, str]] = {
    "answer": ("Answer:", "回答："),
    "draft": ("Draft, not checked yet:", "草稿（尚未核对）："),
    "checked": ("Checked: the text above is the answer.", "已核对：以上文字即为回答。"),
    "abstained": ("No answer: the documents do not support one.", "无法回答：文档中没有足够的依据。"),
    "closest": ("Closest passages", "最接近的段落"),
    "citations": ("Sources", "引用"),
    "revision": ("revision", "修订"),
    "page": ("page {page}", "第 {page} 页"),
    "confidence": ("confidence {value:.2f} ({believed})", "置信度 {value:.2f}（{believed}）"),
    "uncalibrated": ("uncalibrated", "未校准"),
    "calibrated": ("calibrated", "已校准"),
    "promised": (
        "calibrated: {promise:.0%} of answers this sure or surer are right",
        "已校准：置信度不低于此的回答有 {promise:.0%} 正确",
    ),
    "route": ("route {route}", "路径 {route}"),
    "route_why": ("route {route}: {why}", "路径 {route}：{why}"),
    "fallback_why": (
        "the hub was asked and gave no answer that can stand",
        "已询问中心，但未得到可用的回答",
    ),
    "time": ("time", "用时"),
    "note": ("Note: {reason}", "说明：{reason}"),
    "written_by_model": ("reworded by {model}", "由 {model} 改写"),
    "written_at_hub": ("written by {model} at the hub", "由中心的 {model} 撰写"),
    "instant": ("Instant answer", "即时回答"),
    "answer_id": ("answer", "回答编号"),
    "following": (
        "Watching whether what this answer cites changes. Ctrl-C ends it.",
        "正在留意本回答所引用的内容是否有变化。按 Ctrl-C 结束。",
    ),
    "unfollowed": ("No longer watching. Come back with: {command}", "已停止留意。稍后可继续：{command}"),
    "invalidated_revised": (
        "This answer may be wrong now: {document} has changed (revision {revision}). Ask again.",
        "此回答现在可能不再正确：{document} 已修订（修订 {revision}）。请重新提问。",
    ),
    "invalidated_deleted": (
        "This answer may be wrong now: {document} was deleted (revision {revision}). Ask again.",
        "此回答现在可能不再正确：{document} 已删除（修订 {revision}）。请重新提问。",
    ),
    "invalidated_replaced": (
        "This answer may be wrong now: {document} (revision {revision}) gave way to another version. Ask again.",
        "此回答现在可能不再正确：{document}（修订 {revision}）已被另一版本取代。请重新提问。",
    ),
    "feedback_right": ("Thank you: noted as right.", "谢谢，已记为正确。"),
    "feedback_wrong": ("Thank you: noted as wrong.", "谢谢，已记为错误。"),
    "feedback_corrected": ("Thank you: noted as wrong, with your correction.", "谢谢，已记为错误，并记下您的更正。"),
    "demo_network": ("Every socket stayed on loopback", "所有套接字都只用了本机回环"),
    "demo_cut": ("The network is cut: only loopback is left", "网络已切断：只剩本机回环"),
    "demo_again": ("Asked again without any network", "断网后再次提问"),
    "demo_right": ("as expected", "符合预期"),
    "demo_wrong": ("NOT as expected", "与预期不符"),
}
LANGUAGES = ("en", "zh")


def say(key: str, language: str, **facts: object) -> str:
    """The words of `key`; any language but Chinese reads English."""
    english, chinese = _TABLE[key]
    return (chinese if language.startswith("zh") else english).format(**facts)


def interface_language(chosen: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """`chosen` if there is one, else what the locale says: `zh` or `en`."""
    if chosen:
        return chosen
    locale = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


def label_language(chosen: str | None, answer_language: str, environ: Mapping[str, str] = os.environ) -> str:
    """The language of the labels around an answer: the one asked for, else the answer's, else the locale's."""
    if chosen:
        return chosen
    if answer_language.startswith("zh"):
        return "zh"
    return "en" if answer_language.startswith("en") else interface_language(None, environ)
