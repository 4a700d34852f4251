"""Vectors of texts, encoded once and kept in one file, so that a second fit costs seconds."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from causeway.models import Encoder

BLOCK = 256


class VectorCache:
    """Encodes what the file does not hold yet; the file belongs to one model."""

    def __init__(self, encoder: Encoder, path: Path) -> None:
        self._encoder, self._path = encoder, path
        self._places: dict[bytes, int] = {}
        self._rows = np.zeros((0, encoder.dims), np.float16)
        if path.exists():
            stored = np.load(path)
            self._places = {bytes(key): place for place, key in enumerate(stored["k"])}
            self._rows = stored["v"]

    def questions(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row per question."""
        return self._vectors("q", texts)

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row per passage."""
        return self._vectors("p", texts)

    def _vectors(self, kind: str, texts: Sequence[str]) -> NDArray[np.float32]:
        keys = [hashlib.blake2b((kind + text).encode(), digest_size=12).digest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._places}
        if missing:
            self._add(kind, missing)
        return self._rows[[self._places[key] for key in keys]].astype(np.float32)

    def _add(self, kind: str, missing: dict[bytes, str]) -> None:
        encode = self._encoder.encode_queries if kind == "q" else self._encoder.encode_passages
        ordered = sorted(missing.items(), key=lambda item: len(item[1]))
        texts = [text for _, text in ordered]
        blocks = [encode(texts[at : at + BLOCK]) for at in range(0, len(texts), BLOCK)]
        self._places |= {key: len(self._rows) + place for place, (key, _) in enumerate(ordered)}
        self._rows = np.concatenate([self._rows, *(block.astype(np.float16) for block in blocks)])

    def save(self) -> None:
        """Write the file."""
        keys = np.frombuffer(b"".join(self._places), np.uint8).reshape(-1, 12)
        np.savez(self._path, k=keys, v=self._rows)
