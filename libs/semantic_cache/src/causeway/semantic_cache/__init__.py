"""When the answer to one question may be given for another: calibrated similarity and guards. Pure functions."""

from causeway.semantic_cache.bounds import lower, threshold, upper
from causeway.semantic_cache.calibration import Pair, calibrated
from causeway.semantic_cache.guards import CONTENT, GUARDS, refusals, refusing
from causeway.semantic_cache.judging import Verdict, judge
from causeway.semantic_cache.kb_limits import BadLimitsError, read_kb_limits, written_kb_limits
from causeway.semantic_cache.models import NEVER, Limit, Limits, shipped_limits
from causeway.semantic_cache.question import Question, normalised, read
from causeway.semantic_cache.times import relative

__all__ = [
    "CONTENT",
    "GUARDS",
    "NEVER",
    "BadLimitsError",
    "Limit",
    "Limits",
    "Pair",
    "Question",
    "Verdict",
    "calibrated",
    "judge",
    "lower",
    "normalised",
    "read",
    "read_kb_limits",
    "refusals",
    "refusing",
    "relative",
    "shipped_limits",
    "threshold",
    "upper",
    "written_kb_limits",
]
