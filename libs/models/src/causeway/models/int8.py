"""Rewrites an FP32 ONNX encoder so that its matrix products run on 8-bit integers, each token with its own scale.

onnxruntime's quantize_dynamic takes one scale from a whole batch, so that a text's vector depends on its neighbours
in the batch (cosine 0.997 with itself, measured). With a scale for each token a vector depends on its own text only.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from causeway.models.packed import Floats

CONTRIB_DOMAIN = "com.microsoft"
# A smaller table is not worth the rounding.
TABLE_ROWS_MIN = 4096
_STEPS = 127.0
_ZERO_POINT = 128
_PEAK_MIN = 1e-6
# ReduceMax takes its axes as an input from this operator set on.
_OPSET_AXES_INPUT = 18


def quantize_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` with INT8 weights: per output column in MatMul, per row in large Gather tables."""
    return _Rewriter(model).rewrite()


def quantize_columns(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """[in, out] weights as int8 with one float scale for each output."""
    scales = np.maximum(np.abs(weight).max(axis=0) / _STEPS, 1e-12).astype(np.float32)
    return np.rint(weight / scales).astype(np.int8), scales


def quantize_rows(table: Floats) -> tuple[NDArray[np.int8], Floats]:
    """[rows, width] table as int8 with float scales [rows, 1]."""
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True) / _STEPS, 1e-12).astype(np.float32)
    return np.rint(table / scales).astype(np.int8), scales


class _Rewriter:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self._nodes: list[onnx.NodeProto] = []
        self._added: dict[str, onnx.TensorProto] = {}
        self._replaced: set[str] = set()
        self._rows: dict[str, tuple[str, str]] = {}

    def rewrite(self) -> onnx.ModelProto:
        self._add("int8.step", np.float32(1.0 / _STEPS))
        self._add("int8.zero_point", np.uint8(_ZERO_POINT))
        self._add("int8.peak_min", np.float32(_PEAK_MIN))
        self._add("int8.last_axis", np.array([-1], np.int64))
        for node in self._model.graph.node:
            if node.op_type == "MatMul" and self._is_weight(node.input[1], rows_min=1):
                self._rewrite_product(node)
            elif node.op_type == "Gather" and self._is_weight(node.input[0], rows_min=TABLE_ROWS_MIN):
                self._rewrite_lookup(node)
            else:
                self._nodes.append(node)
        return self._assemble()

    def _is_weight(self, name: str, rows_min: int) -> bool:
        tensor = self._weights.get(name)
        return (
            tensor is not None
            and len(tensor.dims) == 2
            and tensor.dims[0] >= rows_min
            and tensor.data_type == TensorProto.FLOAT
        )

    def _rewrite_product(self, node: onnx.NodeProto) -> None:
        quantized, peak = self._quantized_rows(node.input[0])
        name, output = node.input[1], node.output[0]
        if name not in self._replaced:
            weight, scales = quantize_columns(numpy_helper.to_array(self._weights[name]))
            self._add(f"{name}.int8", weight)
            self._add(f"{name}.scales", scales)
            self._add(f"{name}.zeros", np.zeros(len(scales), np.int8))
            self._replaced.add(name)
        inputs = [quantized, f"{name}.int8", "int8.step", f"{name}.scales", "int8.zero_point", f"{name}.zeros"]
        self._call("MatMulIntegerToFloat", f"{output}.unit", *inputs, domain=CONTRIB_DOMAIN)
        self._call("Mul", output, f"{output}.unit", peak)

    def _quantized_rows(self, value: str) -> tuple[str, str]:
        """The names of `value` as uint8 around the zero point, and of its [.., 1] peaks; once for all its readers."""
        if value not in self._rows:
            self._call("Abs", f"{value}.abs", value)
            self._reduce_max(f"{value}.highest", f"{value}.abs")
            self._call("Max", f"{value}.peak", f"{value}.highest", "int8.peak_min")
            self._call("Reciprocal", f"{value}.inverse", f"{value}.peak")
            self._call("Mul", f"{value}.ratio", value, f"{value}.inverse")
            self._call("QuantizeLinear", f"{value}.uint8", f"{value}.ratio", "int8.step", "int8.zero_point")
            self._rows[value] = (f"{value}.uint8", f"{value}.peak")
        return self._rows[value]

    def _reduce_max(self, output: str, value: str) -> None:
        if self._opset >= _OPSET_AXES_INPUT:
            self._call("ReduceMax", output, value, "int8.last_axis", keepdims=1)
        else:
            self._call("ReduceMax", output, value, axes=[-1], keepdims=1)

    def _rewrite_lookup(self, node: onnx.NodeProto) -> None:
        name, output = node.input[0], node.output[0]
        if name not in self._replaced:
            table, scales = quantize_rows(numpy_helper.to_array(self._weights[name]))
            self._add(f"{name}.int8", table)
            self._add(f"{name}.scales", scales)
            self._replaced.add(name)
        self._call("Gather", f"{output}.int8", f"{name}.int8", node.input[1])
        self._call("Gather", f"{output}.scales", f"{name}.scales", node.input[1])
        self._call("Cast", f"{output}.unit", f"{output}.int8", to=TensorProto.FLOAT)
        self._call("Mul", output, f"{output}.unit", f"{output}.scales")

    def _call(self, operator: str, output: str, *inputs: str, **attributes: object) -> None:
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))

    def _add(self, name: str, values: NDArray[np.generic] | np.generic) -> None:
        self._added[name] = numpy_helper.from_array(np.ascontiguousarray(values).reshape(np.shape(values)), name)

    def _assemble(self) -> onnx.ModelProto:
        read = {name for node in self._nodes for name in node.input}
        kept = [tensor for name, tensor in self._weights.items() if name in read]
        added = [tensor for name, tensor in self._added.items() if name in read]
        old = self._model.graph
        graph = helper.make_graph(self._nodes, old.name, old.input, old.output, [*kept, *added])
        opsets = [entry for entry in self._model.opset_import if entry.domain != CONTRIB_DOMAIN]
        model = helper.make_model(graph, opset_imports=[*opsets, helper.make_opsetid(CONTRIB_DOMAIN, 1)])
        model.ir_version, model.producer_name = self._model.ir_version, self._model.producer_name
        return model
