"""The router: probabilities that the weak and the strong model are right about a question, from the question alone."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray

from causeway.difficulty.errors import WrongSpaceError
from causeway.difficulty.logistic import Vectors, sigmoid
from causeway.difficulty.surface import NAMES, surface, surfaces

EDITION = 1
# Surface features are counts of all sizes: one that is far from what was fitted says no more than one at the edge.
SURFACE_DEVIATIONS_MAX = 4.0
DIGEST_BYTES = 4


class FittedOn(msgspec.Struct, frozen=True, kw_only=True):
    """One set that a router was fitted on: its questions, and the share that each model had right."""

    name: str
    questions: int
    weak_right: float
    strong_right: float
    source: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """One logistic model: weights for the vector, then for the surface features."""

    intercept: float
    weights: list[float]


class RouterFile(msgspec.Struct, frozen=True, kw_only=True):
    """A router as it is kept. `space` is the embedding space of the vectors; `seen` are digests of the questions."""

    edition: int
    space: str
    weak_model: str
    strong_model: str
    languages: list[str]
    penalty: float
    surface_scale: float
    vector_scale: float
    features: list[str]
    vector_mean: list[float]
    surface_mean: list[float]
    surface_deviation: list[float]
    weak: Head
    strong: Head
    fitted_on: list[FittedOn]
    seen: str = ""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Probabilities that each model is right. `known_language` is False where the fit had no question of the language:
    the numbers are then an extrapolation through the vector, and nothing has measured them."""

    weak_right: float
    strong_right: float
    known_language: bool = True

    @property
    def gain(self) -> float:
        """What asking the strong model adds to the probability of a right answer, from -1 to 1."""
        return self.strong_right - self.weak_right


class Router:
    """Estimates for vectors of one embedding space. Immutable; may be used by several threads."""

    def __init__(self, file: RouterFile) -> None:
        if file.edition != EDITION or tuple(file.features) != NAMES:
            raise WrongSpaceError(f"a router of edition {file.edition} with {len(file.features)} features")
        self.file = file
        self._mean = np.array(file.vector_mean)
        self._surface_mean = np.array(file.surface_mean)
        self._surface_deviation = np.array(file.surface_deviation)
        self._weights = np.array([file.weak.weights, file.strong.weights]).T
        self._intercepts = np.array([file.weak.intercept, file.strong.intercept])
        packed = base64.b64decode(file.seen)
        self._seen = {packed[at : at + DIGEST_BYTES] for at in range(0, len(packed), DIGEST_BYTES)}

    @classmethod
    def shipped(cls) -> "Router":
        """The router that comes with this package."""
        return cls.read(files("causeway.difficulty").joinpath("router.json").read_bytes())

    @classmethod
    def read(cls, data: bytes) -> "Router":
        """A router from its JSON. Raises WrongSpaceError (another edition), msgspec.ValidationError (another form)."""
        return cls(msgspec.json.decode(data, type=RouterFile))

    def serves(self, space: str) -> bool:
        """Whether vectors of this embedding space (`Encoder.model_id`) are its own."""
        return space == self.file.space

    def has_seen(self, question: str) -> bool:
        """Whether it was fitted on this very question (another one passes for it with a chance of 1 in a million)."""
        return digest(question) in self._seen

    def estimate(self, question: str, language: str, vector: NDArray[np.float32]) -> Estimate:
        """Of one question. `vector` is its e5 question vector [dims], `language` a code such as en or zh."""
        rows = self.inputs(np.asarray(vector, np.float64)[None], np.array([surface(question)]))
        weak, strong = sigmoid(rows @ self._weights + self._intercepts)[0]
        known = language in self.file.languages
        return Estimate(weak_right=float(weak), strong_right=float(strong), known_language=known)

    def estimates(self, questions: Sequence[str], vectors: NDArray[np.floating]) -> tuple[Vectors, Vectors]:
        """Probabilities that the weak model and that the strong one is right, each [n]. `vectors` is [n, dims]."""
        rows = self.inputs(np.asarray(vectors, np.float64), surfaces(questions))
        both = sigmoid(rows @ self._weights + self._intercepts)
        return both[:, 0], both[:, 1]

    def inputs(self, vectors: Vectors, surface_rows: Vectors) -> Vectors:
        """What the heads see, [n, dims + features]. Raises WrongSpaceError for vectors of another length."""
        if vectors.shape[1] != len(self._mean):
            raise WrongSpaceError(f"a vector of {vectors.shape[1]} dimensions where {len(self._mean)} were fitted")
        centred = (vectors - self._mean) * self.file.vector_scale
        scaled = (surface_rows - self._surface_mean) / self._surface_deviation
        bounded = np.clip(scaled, -SURFACE_DEVIATIONS_MAX, SURFACE_DEVIATIONS_MAX) * self.file.surface_scale
        return np.hstack([centred, bounded])


def digest(question: str) -> bytes:
    """What a router keeps of a question that it was fitted on: enough to know it again, not to read it."""
    return blake2b(question.strip().encode(), digest_size=DIGEST_BYTES).digest()
