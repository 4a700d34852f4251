"""Limits of single knowledge bases in one file, a JSON object by kb."""

from collections.abc import Mapping

import msgspec

from causeway.semantic_cache.models import NEVER, Limits


class BadLimitsError(ValueError):
    """The file holds no limits that can be used here; `causeway eval cache --kb KB --limits-file FILE` writes one."""


def read_kb_limits(raw: bytes, model_id: str) -> dict[str, Limits]:
    """The limits by kb.

    Raises:
        BadLimitsError: it is no such file, or its limits were measured with another encoder.
    """
    try:
        found = msgspec.json.decode(raw, type=dict[str, Limits])
    except msgspec.MsgspecError as error:
        raise BadLimitsError(f"no limits by kb: {error}") from error
    for kb, limits in found.items():
        _check(kb, limits, model_id)
    return found


def written_kb_limits(limits: Mapping[str, Limits]) -> bytes:
    """The file."""
    return msgspec.json.format(msgspec.json.encode(dict(sorted(limits.items()))), indent=1) + b"\n"


def _check(kb: str, limits: Limits, model_id: str) -> None:
    if not limits.space or not model_id.startswith(limits.space):
        raise BadLimitsError(f"the limits of {kb} were measured with {limits.space!r}, and the encoder is {model_id}")
    for language, limit in limits.limits.items():
        for cosine in (limit.same_words, limit.rewritten, limit.reworded):
            if not 0 <= cosine <= NEVER:
                raise BadLimitsError(f"the limits of {kb} say {cosine} for {language}: they go from 0 to {NEVER:.0f}")
