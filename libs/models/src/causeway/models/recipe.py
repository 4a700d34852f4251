"""What decides an installed model and its vectors, as digests: the same source and the same recipe, the same space."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from causeway.models.registry import ModelSpec

# Part of every model id: raise it when the same source would give other vectors.
BUILDER = "1"
# Part of every INT8 model id: raise it when the same FP32 graph would give other vectors.
INT8_RECIPE = "rows-1"


def recipe_of(spec: ModelSpec) -> str:
    """Changes when a registry entry asks for another model than the installed one, and with the builder."""
    asked = msgspec.structs.replace(spec, note="", licence="")
    return _digest([BUILDER, INT8_RECIPE, asked])


def fp32_digest(spec: ModelSpec, contents: Mapping[str, str]) -> str:
    """The embedding space of the FP32 graph; `contents` are the sha256 of the source files by name.

    Of the sources and not of the graph: a graph's bytes may differ between versions of the onnx library.
    """
    return _digest(
        [BUILDER, spec.format, spec.pooling, spec.tokens_max, spec.query_prefix, spec.passage_prefix, dict(contents)]
    )


def int8_digest(fp32_digest: str) -> str:
    """The embedding space that quantizing makes out of an FP32 one."""
    return hashlib.sha256(f"{fp32_digest} {INT8_RECIPE}".encode()).hexdigest()


def _digest(values: list[object]) -> str:
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()
