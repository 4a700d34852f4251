"""Limits for one knowledge base, from labelled pairs of its own questions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.cache_scores import Counted, counted_of, held_out, rates
from causeway.cli.evaluation.cache_sets import CacheSet
from causeway.semantic_cache import (
    NEVER,
    BadLimitsError,
    Limits,
    Pair,
    calibrated,
    read,
    read_kb_limits,
    upper,
    written_kb_limits,
)

FEW = "Label more pairs of near questions that differ: some 300 of a language are the least."


def fitted_limits(
    sets: Sequence[CacheSet], vectors: Mapping[str, NDArray[np.float32]], model_id: str, base: Limits
) -> Limits:
    """`base` with a limit for reworded questions in each language that has the pairs for one. `evidence` is held out:
    either half is judged with the limit of the other.

    Raises:
        BadDataError: no language has the pairs for one, or `base` is of another encoder.
    """
    if not model_id.startswith(base.space):
        raise BadDataError(
            f"the limits are of {base.space}, and the encoder is {model_id}", "Take the shipped encoder."
        )
    limits, evidence = dict(base.limits), {}
    for language, cases in _by_language(sets, vectors).items():
        limit = base.of(language, model_id)
        found = calibrated([case.pair for case in cases], limit, base.budget, base.delta)
        if found.reworded < NEVER:
            limits[language] = found
            evidence[language] = _evidence(cases, base, model_id)
    if not evidence:
        raise BadDataError(f"no limit keeps false hits to {base.budget:.0%} of these pairs", FEW)
    fitted_on = ", ".join(one.name for one in sets if one.pairs)
    return msgspec.structs.replace(
        base, provenance={"encoder": model_id, "fitted_on": fitted_on}, limits=limits, evidence=evidence
    )


def keep_limits(path: Path, kb: str, limits: Limits, model_id: str) -> None:
    """Write the limits of a kb into a file, beside those of others.

    Raises:
        BadDataError: the file holds something else, or can not be written.
    """
    try:
        held = read_kb_limits(path.read_bytes(), model_id) if path.exists() else {}
        path.write_bytes(written_kb_limits(held | {kb: limits}))
    except (BadLimitsError, OSError) as error:
        raise BadDataError(f"{path}: {error}", "Name another --limits-file.") from error


def _by_language(sets: Sequence[CacheSet], vectors: Mapping[str, NDArray[np.float32]]) -> dict[str, list[Counted]]:
    cases: dict[str, list[Counted]] = {}
    for case in (case for one in sets for case in one.pairs):
        pair = Pair(read(case.one), read(case.other), float(vectors[case.one] @ vectors[case.other]), case.same)
        cases.setdefault(pair.one.language, []).append(Counted(case.id, pair))
    return {language: counted_of(of) for language, of in cases.items()}


def _evidence(cases: Sequence[Counted], base: Limits, model_id: str) -> dict[str, float]:
    judged, _ = held_out(cases, lambda pair: base.of(pair.one.language, model_id), base.budget, base.delta)
    found = rates(judged)
    counts = {name: found[name] for name in ("same", "hits", "different", "false_hits")}
    return {**counts, "false_upper": round(upper(found["false_hits"], found["different"], base.delta), 5)}
