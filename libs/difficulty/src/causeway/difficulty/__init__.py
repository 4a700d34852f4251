"""Whether the strong model is needed: a learnt estimate from a question's vector and its surface. Pure."""

from causeway.difficulty.errors import DifficultyError, FitError, WrongSpaceError
from causeway.difficulty.fitting import Answered, Recipe, cross_fitted, fit, transferred, with_sources
from causeway.difficulty.router import Estimate, FittedOn, Router, RouterFile

__all__ = [
    "Answered",
    "DifficultyError",
    "Estimate",
    "FitError",
    "FittedOn",
    "Recipe",
    "Router",
    "RouterFile",
    "WrongSpaceError",
    "cross_fitted",
    "fit",
    "transferred",
    "with_sources",
]
