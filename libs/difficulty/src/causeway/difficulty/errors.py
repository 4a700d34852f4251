"""Errors of this package.

DifficultyError
├── FitError            the data do not give a router
└── WrongSpaceError     a vector of another embedding space, or a file of another edition
"""


class DifficultyError(Exception):
    """Something is wrong with a router."""


class FitError(DifficultyError):
    """The data do not give a router; the text says why."""


class WrongSpaceError(DifficultyError):
    """The router was fitted on vectors of another model, or by another edition of this package. Fit it again:
    `python -m causeway.cli.evaluation.routing_fit --data DIR --out FILE`."""
