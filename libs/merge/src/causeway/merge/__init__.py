"""Which of several versions of a document stands: hybrid logical clocks, what was seen, and siblings."""

from causeway.merge.clock import ZERO, Timestamp, tick, witness
from causeway.merge.resolution import Resolution, resolve, sibling_name
from causeway.merge.versions import Version, Versions, add, join

__all__ = [
    "ZERO",
    "Resolution",
    "Timestamp",
    "Version",
    "Versions",
    "add",
    "join",
    "resolve",
    "sibling_name",
    "tick",
    "witness",
]
