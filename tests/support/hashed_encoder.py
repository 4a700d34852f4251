"""An encoder that costs nothing: a text is the sum of fixed random vectors of its terms, so like texts are near."""

from collections.abc import Sequence

import numpy as np

from causeway.edge_inference.ports import Vectors
from causeway.language import terms
from tests.support.knowledge_builders import unit_vector


class HashedEncoder:
    """A fake of `causeway.models.Encoder` for tests that are not about meaning."""

    model_id = "hashed"
    dims = 64

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self.encode_passages(texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Vectors:
        total = sum((unit_vector(term, self.dims) for term in terms(text)), np.full(self.dims, 1e-3, np.float32))
        unit: Vectors = (total / np.linalg.norm(total)).astype(np.float32)
        return unit
