"""Fits a router on questions that both models have answered, and scores questions by routers that never saw them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from causeway.difficulty.errors import FitError
from causeway.difficulty.logistic import Vectors, fit_logistic
from causeway.difficulty.router import EDITION, FittedOn, Head, Router, RouterFile, digest
from causeway.difficulty.surface import NAMES, surfaces

QUESTIONS_MIN = 20
FOLDS_MIN = 2


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a router is fitted. `penalty` shrinks the weights; the scales say how far each kind of input is trusted.

    The defaults were chosen by ten-fold cross-fitting on the shipped router's own sets, among twenty choices whose
    APGR lay within .02 of each other.
    """

    space: str
    penalty: float = 30.0
    surface_scale: float = 0.5
    vector_spread: float = 2.0
    weak_model: str = ""
    strong_model: str = ""
    languages: tuple[str, ...] = ("en",)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Questions of one or more sets: `vectors` [n, dims]; `weak` and `strong` [n], how right each was, from 0 to 1."""

    questions: Sequence[str]
    sets: Sequence[str]
    vectors: NDArray[np.floating]
    weak: Vectors
    strong: Vectors

    def part(self, chosen: NDArray[np.bool_]) -> "Answered":
        """Those of a mask [n]."""
        places: list[int] = np.flatnonzero(chosen).tolist()
        return Answered(
            questions=[self.questions[place] for place in places],
            sets=[self.sets[place] for place in places],
            vectors=self.vectors[places],
            weak=self.weak[places],
            strong=self.strong[places],
        )


def fit(answered: Answered, recipe: Recipe) -> Router:
    """A router for questions like these.

    Raises:
        FitError: there are fewer than 20 questions, or the shapes do not agree.
    """
    if len(answered.questions) < QUESTIONS_MIN:
        raise FitError(f"{len(answered.questions)} questions are too few to fit a router; it takes {QUESTIONS_MIN}")
    vectors, rows = np.asarray(answered.vectors, np.float64), surfaces(answered.questions)
    nothing = Head(intercept=0.0, weights=[0.0] * (vectors.shape[1] + rows.shape[1]))
    # A spread of 1 over all dimensions together: the penalty then means the same in any embedding space.
    spread = float(np.sqrt(((vectors - vectors.mean(0)) ** 2).sum(1).mean())) or 1.0
    file = RouterFile(
        edition=EDITION,
        space=recipe.space,
        weak_model=recipe.weak_model,
        strong_model=recipe.strong_model,
        languages=list(recipe.languages),
        penalty=recipe.penalty,
        surface_scale=recipe.surface_scale,
        vector_scale=recipe.vector_spread / spread,
        features=list(NAMES),
        vector_mean=_rounded(vectors.mean(0)),
        surface_mean=_rounded(rows.mean(0)),
        surface_deviation=_rounded(np.where(rows.std(0) > 0, rows.std(0), 1.0)),
        weak=nothing,
        strong=nothing,
        fitted_on=_fitted_on(answered),
        seen=base64.b64encode(b"".join(sorted({digest(question) for question in answered.questions}))).decode(),
    )
    inputs = Router(file).inputs(vectors, rows)
    heads = [_head(*fit_logistic(inputs, target, recipe.penalty)) for target in (answered.weak, answered.strong)]
    return Router(msgspec.structs.replace(file, weak=heads[0], strong=heads[1]))


def cross_fitted(answered: Answered, recipe: Recipe, folds: int, seed: int) -> tuple[Vectors, Vectors]:
    """Estimates [n] of each question by a router that was fitted on the other folds; equal questions share a fold.

    Raises:
        FitError: there are fewer than 2 folds, or too few questions in what is left of one.
    """
    if folds < FOLDS_MIN:
        raise FitError(f"{folds} fold can not be left out; take at least {FOLDS_MIN}")
    names = sorted({digest(question) for question in answered.questions})
    shuffled = np.random.default_rng(seed).permutation(len(names))
    fold_of = {name: int(shuffled[number]) % folds for number, name in enumerate(names)}
    return _held_out(answered, recipe, [str(fold_of[digest(question)]) for question in answered.questions])


def transferred(answered: Answered, recipe: Recipe) -> tuple[Vectors, Vectors]:
    """Estimates [n] of each question by a router that was fitted on the other sets only.

    Raises:
        FitError: there is only one set.
    """
    if len(set(answered.sets)) < FOLDS_MIN:
        raise FitError("a router can be carried over only between two sets or more")
    return _held_out(answered, recipe, answered.sets)


def with_sources(router: Router, sources: dict[str, str]) -> Router:
    """The same, with where each set came from."""
    fitted_on = [
        msgspec.structs.replace(one, source=sources.get(one.name, one.source)) for one in router.file.fitted_on
    ]
    return Router(msgspec.structs.replace(router.file, fitted_on=fitted_on))


def _held_out(answered: Answered, recipe: Recipe, groups: Sequence[str]) -> tuple[Vectors, Vectors]:
    weak, strong = np.zeros(len(answered.questions)), np.zeros(len(answered.questions))
    labels = np.array(groups)
    for group in sorted(set(groups)):
        out = labels == group
        router = fit(answered.part(~out), recipe)
        left = answered.part(out)
        weak[out], strong[out] = router.estimates(left.questions, left.vectors)
    return weak, strong


def _head(intercept: float, weights: Vectors) -> Head:
    return Head(intercept=round(intercept, 6), weights=_rounded(weights))


def _rounded(values: Vectors) -> list[float]:
    """Five significant digits: the file stays small, and a probability keeps four."""
    return [float(f"{value:.5g}") for value in values]


def _fitted_on(answered: Answered) -> list[FittedOn]:
    sets = np.array(answered.sets)
    return [
        FittedOn(
            name=name,
            questions=int((sets == name).sum()),
            weak_right=round(float(answered.weak[sets == name].mean()), 4),
            strong_right=round(float(answered.strong[sets == name].mean()), 4),
        )
        for name in dict.fromkeys(answered.sets)
    ]
