"""Turns texts into L2-normalised vectors with an installed E5 model on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from causeway.models.batching import plan_batches
from causeway.models.errors import DeviceUnavailable, ModelError
from causeway.models.manifest import Manifest, read_manifest, verify_files
from causeway.models.session import Device, open_session
from causeway.models.signature import ATTENTION_MASK, EMBEDDING, INPUT_IDS, Precision, graph_name
from causeway.models.tokens import TokenReader, open_tokens

# Padded tokens of one call. More than this falls out of a CPU's cache and halves the speed (measured).
CALL_TOKENS_MAX: dict[Device, int] = {"cpu": 384, "cuda": 16384}

Vectors = NDArray[np.float32]


class Session(Protocol):
    """The one call of an ONNX Runtime session that the encoder makes."""

    def run(self, output_names: Sequence[str] | None, input_feed: dict[str, Any], /) -> Sequence[Any]: ...


@dataclass(frozen=True)
class EncoderTraits:
    """What the manifest of a model says about how it is to be fed. `model_id` names the embedding space."""

    model_id: str
    dims: int
    tokens_max: int = 512
    query_prefix: str = "query: "
    passage_prefix: str = "passage: "
    call_tokens_max: int = CALL_TOKENS_MAX["cpu"]


class Encoder:
    """One model at one precision; `encode_*` may be called from several threads and give results in input order.

    A text longer than `tokens_max` tokens (prefix and specials included) is cut at its end. An empty text
    has a vector too: that of the bare prefix. Vectors may be compared if and only if their `model_id` is equal.
    """

    def __init__(self, tokens: TokenReader, session: Session, traits: EncoderTraits) -> None:
        self.model_id = traits.model_id
        self.dims = traits.dims
        self.tokens_max = traits.tokens_max
        self._traits = traits
        self._tokens = tokens
        self._session = session

    @classmethod
    def load(
        cls, model: Path | str, precision: Precision = "int8", threads: int = 1, device: Device = "cpu"
    ) -> Encoder:
        """Opens the model installed in folder `model`, its files checked against their manifest.

        Raises ModelMissing, ModelMismatch or DeviceUnavailable.
        """
        folder = Path(model)
        manifest = read_manifest(folder)
        traits = _read_traits(folder, manifest, precision, device)
        session = open_session(folder / graph_name(precision), threads=threads, device=device)
        return cls(open_tokens(folder), session, traits)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Questions to float32 [n, dims]."""
        return self._encode(self._traits.query_prefix, texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Passages to float32 [n, dims]."""
        return self._encode(self._traits.passage_prefix, texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens that each text costs as a passage, prefix and specials included; not cut at `tokens_max`."""
        return [len(self._tokens.read(self._traits.passage_prefix + text)) for text in texts]

    def _encode(self, prefix: str, texts: Sequence[str]) -> Vectors:
        rows = [self._cut(self._tokens.read(prefix + text)) for text in texts]
        vectors = np.empty((len(rows), self.dims), np.float32)
        for batch in plan_batches([len(row) for row in rows], self._traits.call_tokens_max):
            vectors[batch] = self._run([rows[index] for index in batch])
        return vectors

    def _cut(self, ids: list[int]) -> list[int]:
        if len(ids) <= self.tokens_max:
            return ids
        return [*ids[: self.tokens_max - 1], self._tokens.eos]

    def _run(self, rows: list[list[int]]) -> Vectors:
        width = max(len(row) for row in rows)
        ids = np.full((len(rows), width), self._tokens.pad, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        vectors: Vectors = self._session.run([EMBEDDING], {INPUT_IDS: ids, ATTENTION_MASK: mask})[0]
        return vectors


def space_id(manifest: Manifest, precision: Precision) -> str:
    """The name of the embedding space of a model at a precision.

    Raises:
        ModelError: the model has no such precision.
    """
    space = manifest.spaces.get(precision)
    if space is None:
        offered = ", ".join(sorted(manifest.spaces)) or "none"
        raise ModelError(f"{manifest.name} has no {precision} graph (precisions: {offered}); set one that it has.")
    return f"{manifest.name}/{precision}@{space.digest[:8]}"


def _read_traits(folder: Path, manifest: Manifest, precision: Precision, device: Device) -> EncoderTraits:
    model_id = space_id(manifest, precision)
    if device == "cuda" and precision == "int8":
        raise DeviceUnavailable("int8 graphs are written for the CPU; set precision: fp32 for device cuda.")
    verify_files(folder, manifest, manifest.spaces[precision].files)
    return EncoderTraits(
        model_id=model_id,
        dims=manifest.dims,
        tokens_max=manifest.tokens_max,
        query_prefix=manifest.query_prefix,
        passage_prefix=manifest.passage_prefix,
        call_tokens_max=CALL_TOKENS_MAX[device],
    )
