"""Turns texts into L2-normalised vectors with an installed E5 model on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from causeway.models.batching import plan_batches
from causeway.models.errors import ModelError
from causeway.models.graph import ATTENTION_MASK, EMBEDDING, INPUT_IDS
from causeway.models.manifest import Manifest, read_manifest, verify_file
from causeway.models.session import Device, open_session
from causeway.models.tokenizer import EOS, PAD

Precision = Literal["int8", "fp32"]
QUERY_PREFIX, PASSAGE_PREFIX = "query: ", "passage: "
TOKENIZER_NAME = "tokenizer.json"
# Beyond this a larger sub-batch gains nothing on a CPU and only costs memory.
BATCH_TOKENS_MAX = 2048

Vectors = NDArray[np.float32]


class Session(Protocol):
    """The one call of an ONNX Runtime session that the encoder makes."""

    def run(self, output_names: Sequence[str] | None, input_feed: dict[str, Any], /) -> Sequence[Any]: ...


def graph_name(precision: Precision) -> str:
    """The file name of the graph at a precision."""
    return f"model.{precision}.onnx"


class Encoder:
    """One model at one precision; `encode_*` are thread-safe and give results in input order.

    A text longer than `tokens_max` tokens (prefix and specials included) is cut at its end. An empty text
    has a vector too: that of the bare prefix.
    """

    def __init__(self, tokenizer: Tokenizer, session: Session, *, model_id: str, dims: int, tokens_max: int) -> None:
        """`model_id` names the embedding space: vectors may be compared if and only if their ids are equal."""
        self.model_id = model_id
        self.dims = dims
        self.tokens_max = tokens_max
        self._tokenizer = tokenizer
        self._session = session
        self._eos = tokenizer.token_to_id(EOS)
        self._pad = tokenizer.token_to_id(PAD)

    @classmethod
    def load(cls, model: Path | str, precision: Precision = "int8", threads: int = 1, device: Device = "cpu") -> Encoder:
        """Opens the model installed in folder `model`, its files checked against their manifest.

        Raises ModelMissing, ModelMismatch or DeviceUnavailable.
        """
        folder = Path(model)
        manifest = read_manifest(folder)
        _check_files(folder, manifest, precision)
        return cls(
            Tokenizer.from_file(str(folder / TOKENIZER_NAME)),
            open_session(folder / graph_name(precision), threads=threads, device=device),
            model_id=f"{manifest.name}/{precision}@{manifest.spaces[precision][:8]}",
            dims=manifest.dims,
            tokens_max=manifest.tokens_max,
        )

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Questions to float32 [n, dims]."""
        return self._encode(QUERY_PREFIX, texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Passages to float32 [n, dims]."""
        return self._encode(PASSAGE_PREFIX, texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens that each text costs as a passage, prefix and specials included; not cut at `tokens_max`."""
        return [len(ids) for ids in self._tokenize(PASSAGE_PREFIX, texts)]

    def _tokenize(self, prefix: str, texts: Sequence[str]) -> list[list[int]]:
        return [self._tokenizer.encode(prefix + text).ids for text in texts]

    def _encode(self, prefix: str, texts: Sequence[str]) -> Vectors:
        rows = [self._cut(ids) for ids in self._tokenize(prefix, texts)]
        vectors = np.empty((len(rows), self.dims), np.float32)
        for batch in plan_batches([len(row) for row in rows], BATCH_TOKENS_MAX):
            vectors[batch] = self._run([rows[index] for index in batch])
        return vectors

    def _cut(self, ids: list[int]) -> list[int]:
        if len(ids) <= self.tokens_max:
            return ids
        return [*ids[: self.tokens_max - 1], self._eos]

    def _run(self, rows: list[list[int]]) -> Vectors:
        width = max(len(row) for row in rows)
        ids = np.full((len(rows), width), self._pad, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        vectors: Vectors = self._session.run([EMBEDDING], {INPUT_IDS: ids, ATTENTION_MASK: mask})[0]
        return vectors


def _check_files(folder: Path, manifest: Manifest, precision: Precision) -> None:
    if precision not in manifest.spaces:
        offered = ", ".join(sorted(manifest.spaces)) or "none"
        raise ModelError(f"{folder} has no {precision} graph (it has: {offered}); set precision to one of {get_args(Precision)}.")
    for name in (TOKENIZER_NAME, graph_name(precision)):
        verify_file(folder, name, manifest.files[name])
