"""Scores the router of `causeway.difficulty` on routing sets: the numbers of `causeway eval routing`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causeway.cli.evaluation.metrics import share
from causeway.cli.evaluation.routing_curve import (
    CURVE_POINTS,
    Curve,
    Numbers,
    auroc,
    calibration_error,
    curve_of,
    intervals,
    oracle,
)
from causeway.cli.evaluation.routing_sets import RoutingSet
from causeway.difficulty import Answered, Recipe, Router, cross_fitted, transferred

RECOVERED = (50, 80)
QUALITIES = (50, 80, 90, 100)
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class Fit(StrEnum):
    """Where the router comes from: as shipped, fitted on the other folds of the data, or on the other sets."""

    SHIPPED = "shipped"
    CROSS = "cross"
    TRANSFER = "transfer"


@dataclass(frozen=True, kw_only=True)
class RoutingPlan:
    """How it is measured. `weak_cost` is what a call of the weak model costs, as a share of one of the strong."""

    fit: Fit = Fit.SHIPPED
    folds: int = 10
    seed: int = 7
    resamples: int = 1_000
    weak_cost: float = 0.01


def answered_of(sets: Sequence[RoutingSet], encode: Encode) -> Answered:
    """All sets in one, their questions encoded."""
    questions = [question for one in sets for question in one.questions]
    return Answered(
        questions=questions,
        sets=[one.name for one in sets for _ in one.questions],
        vectors=encode(questions),
        weak=np.array([result for one in sets for result in one.weak]),
        strong=np.array([result for one in sets for result in one.strong]),
    )


def run_routing(answered: Answered, router: Router, plan: RoutingPlan) -> Mapping[str, Any]:
    """The numbers of each set, what the router is, and how many of the questions it was fitted on.

    Raises:
        FitError: there is too little to fit on. WrongSpaceError: the vectors are not of the router's length.
    """
    weak, strong = _estimates(answered, router, plan)
    names, every = np.array(answered.sets), list(dict.fromkeys(answered.sets))
    shipped = plan.fit is Fit.SHIPPED
    measured = {}
    for name in every:
        chosen = names == name
        part = answered.part(chosen)
        measured[name] = _numbers(part, weak[chosen], strong[chosen], plan) | {
            "seen_in_fit": share(sum(map(router.has_seen, part.questions)), len(part.questions)) if shipped else 0.0
        }
    leaked = [name for name in every if measured[name]["seen_in_fit"] > 0]
    return {
        "fit": str(plan.fit),
        "fit_is": _what_fit_is(router, plan),
        "in_sample": leaked,
        "warning": _warning(leaked),
        "sets": measured,
        "published": PUBLISHED,
    }


PUBLISHED: Mapping[str, Any] = {
    "source": "RouteLLM (Ong et al., arXiv 2406.18665), GPT-4-1106 and Mixtral-8x7B, whole benchmarks; the best of its"
    " routers in each column",
    "mmlu": {"apgr": 0.603, "cpt_50": 0.354, "cpt_80": 0.703, "fitted_on": "Chatbot Arena and the validation of MMLU"},
    "gsm8k": {"fewer_calls_than_chance_50": 1.49, "fewer_calls_than_chance_80": 1.27},
    "mt_bench": {"apgr": 0.802, "cpt_50": 0.134, "cpt_80": 0.313, "fitted_on": "Chatbot Arena and a judge's labels"},
}


def _estimates(answered: Answered, router: Router, plan: RoutingPlan) -> tuple[Numbers, Numbers]:
    recipe = Recipe(space=router.file.space)
    if plan.fit is Fit.CROSS:
        return cross_fitted(answered, recipe, plan.folds, plan.seed)
    if plan.fit is Fit.TRANSFER:
        return transferred(answered, recipe)
    return router.estimates(answered.questions, answered.vectors)


def _numbers(part: Answered, weak: Numbers, strong: Numbers, plan: RoutingPlan) -> dict[str, Any]:
    curve = curve_of(strong - weak, part.weak, part.strong)
    return {
        "questions": len(part.questions),
        "router": _of_router(part, strong - weak, curve, plan),
        "baselines": {
            "always_weak": {"quality": float(curve.quality[0]), "cost": plan.weak_cost},
            "always_strong": {"quality": float(curve.quality[-1]), "cost": 1.0},
            "random": {"apgr": 0.5, "cpt_50": 0.5, "cpt_80": 0.8},
            "oracle": _oracle(part),
        },
        "cost_at_equal_quality": {
            f"pgr_{recovered}": _cost(curve.cpt(recovered / 100), plan.weak_cost) for recovered in QUALITIES
        },
        "best": _best(curve, plan.weak_cost),
        "estimates": {
            "weak_right_auroc": auroc(weak, part.weak),
            "weak_right_ece": calibration_error(weak, part.weak),
            "strong_right_auroc": auroc(strong, part.strong),
            "strong_right_ece": calibration_error(strong, part.strong),
        },
        "curve": [[float(calls), curve.quality_at(calls)] for calls in np.linspace(0, 1, CURVE_POINTS)],
    }


def _of_router(part: Answered, gains: Numbers, curve: Curve, plan: RoutingPlan) -> dict[str, Any]:
    wanted = tuple(recovered / 100 for recovered in RECOVERED)
    apgr, cpts = intervals(gains, part.weak, part.strong, wanted, plan.resamples, plan.seed)
    found: dict[str, Any] = {"apgr": curve.apgr(), "apgr_95": [apgr.low, apgr.high]}
    for recovered, interval in zip(RECOVERED, cpts, strict=True):
        calls = curve.cpt(recovered / 100)
        found[f"cpt_{recovered}"] = calls
        found[f"cpt_{recovered}_95"] = [interval.low, interval.high]
        # How many times as many calls a router at random takes for the same.
        found[f"fewer_calls_than_chance_{recovered}"] = recovered / 100 / calls if calls else None
    return found


def _oracle(part: Answered) -> dict[str, float | None]:
    curve = oracle(part.weak, part.strong)
    return {"apgr": curve.apgr(), "cpt_50": curve.cpt(0.5), "cpt_80": curve.cpt(0.8)}


def _cost(calls: float | None, weak_cost: float) -> float | None:
    """The cost of a question, as a share of always asking the strong model; every question not sent is the weak's."""
    return None if calls is None else calls + (1 - calls) * weak_cost


def _best(curve: Curve, weak_cost: float) -> dict[str, float | None]:
    """Where the quality is highest: two models together may be better than the strong one alone."""
    at = int(np.argmax(curve.quality))
    calls = float(curve.calls[at])
    return {"quality": float(curve.quality[at]), "strong_calls": calls, "cost": _cost(calls, weak_cost)}


def _what_fit_is(router: Router, plan: RoutingPlan) -> dict[str, Any]:
    if plan.fit is Fit.CROSS:
        return {"folds": plan.folds, "seed": plan.seed, "on": "the other folds of this data"}
    if plan.fit is Fit.TRANSFER:
        return {"on": "the other sets of this data"}
    fitted = {one.name: one.questions for one in router.file.fitted_on}
    return {"on": fitted, "languages": router.file.languages, "penalty": router.file.penalty}


def _warning(leaked: Sequence[str]) -> str:
    if not leaked:
        return ""
    return f"the shipped router was fitted on questions of {', '.join(leaked)}: take --fit cross for honest numbers"
