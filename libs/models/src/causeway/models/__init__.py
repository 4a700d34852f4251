"""Models by role: where they come from, their checksums, the embedding encoder and its quantization."""

from causeway.models.encoder import Encoder, Precision
from causeway.models.errors import ModelError

__all__ = ["Encoder", "ModelError", "Precision"]
