"""Models by role: where they come from, their checksums, the embedding encoder and its quantization."""

from causeway.models.encoder import Encoder
from causeway.models.errors import ModelError
from causeway.models.registry import EMBEDDING, GENERATOR, GENERATOR_LARGE, HF_GENERATOR
from causeway.models.session import Device
from causeway.models.settings import ModelSettings
from causeway.models.signature import Precision
from causeway.models.store import ModelStore

__all__ = [
    "EMBEDDING",
    "GENERATOR",
    "GENERATOR_LARGE",
    "HF_GENERATOR",
    "Device",
    "Encoder",
    "ModelError",
    "ModelSettings",
    "ModelStore",
    "Precision",
]
