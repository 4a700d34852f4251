"""The names that an encoder's graph goes by: its two inputs, its output, its file at each precision."""

from __future__ import annotations

from typing import Literal

Precision = Literal["int8", "fp32"]
INPUT_IDS, ATTENTION_MASK, EMBEDDING = "input_ids", "attention_mask", "embedding"


def graph_name(precision: Precision) -> str:
    """The file name of the graph at a precision."""
    return f"model.{precision}.onnx"
