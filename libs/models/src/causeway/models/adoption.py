"""Makes an ONNX encoder that someone else exported answer like ours: two inputs, one pooled and normalised output.

An output that is already called `embedding` and has two dimensions is taken to be pooled and normalised.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from causeway.models.errors import ModelMismatch
from causeway.models.registry import Pooling
from causeway.models.signature import ATTENTION_MASK, EMBEDDING, INPUT_IDS

TOKEN_TYPES = "token_type_ids"  # noqa: S105 - an input's name.
_HIDDEN_RANK, _POOLED_RANK = 3, 2
# ReduceSum takes its axes as an input from 13 on, ReduceL2 and ReduceMax from 18 on.
_OPSET_MIN, _OPSET_AXES_INPUT = 13, 18


def adopt_graph(model: onnx.ModelProto, pooling: Pooling) -> onnx.ModelProto:
    """A copy that reads token ids and mask and answers `embedding`. Raises ModelMismatch where that can not be."""
    adopted = onnx.ModelProto()
    adopted.CopyFrom(model)
    if opset_of(adopted) < _OPSET_MIN:
        raise ModelMismatch(
            f"the graph has operator set {opset_of(adopted)}; export it again with {_OPSET_MIN} or later."
        )
    _drop_token_types(adopted.graph)
    _check_inputs(adopted.graph)
    _finish(adopted.graph, pooling, opset_of(adopted))
    return adopted


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operator set that a model was written for."""
    return int(next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")))


def output_width(model: onnx.ModelProto) -> int:
    """The last dimension of the first output, in floats."""
    width = int(model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value)
    if width <= 0:
        raise ModelMismatch("the graph does not state the width of its output; export it with a fixed last dimension.")
    return width


def _drop_token_types(graph: onnx.GraphProto) -> None:
    """Replaces the token type input by zeros: there is only ever one kind of text here."""
    for value in list(graph.input):
        if value.name == TOKEN_TYPES:
            graph.input.remove(value)
            shape = helper.make_node("Shape", [INPUT_IDS], ["adopted.ids_shape"], name="adopted.ids_shape")
            zero = helper.make_tensor("zero", TensorProto.INT64, [1], [0])
            zeros = helper.make_node(
                "ConstantOfShape", ["adopted.ids_shape"], [TOKEN_TYPES], name=TOKEN_TYPES, value=zero
            )
            graph.node.insert(0, shape)
            graph.node.insert(1, zeros)


def _check_inputs(graph: onnx.GraphProto) -> None:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {value.name for value in graph.input} - weights
    if inputs != {INPUT_IDS, ATTENTION_MASK}:
        raise ModelMismatch(
            f"the graph reads {sorted(inputs)}; export one that reads {INPUT_IDS} and {ATTENTION_MASK}."
        )


def _finish(graph: onnx.GraphProto, pooling: Pooling, opset: int) -> None:
    output = graph.output[0]
    rank = len(output.type.tensor_type.shape.dim)
    if output.name == EMBEDDING and rank == _POOLED_RANK:
        return
    if rank not in (_HIDDEN_RANK, _POOLED_RANK):
        raise ModelMismatch(
            f"the output {output.name} has {rank} dimensions; export last_hidden_state or a pooled vector."
        )
    width = output.type.tensor_type.shape.dim[-1].dim_value or "dims"
    value = output.name if rank == _POOLED_RANK else _pool(graph, output.name, pooling)
    _normalize(graph, value, opset)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["batch", width]))


def _pool(graph: onnx.GraphProto, hidden: str, pooling: Pooling) -> str:
    if pooling == "cls":
        _weight(graph, "adopted.first", np.array(0, np.int64))
        return _call(graph, "Gather", "adopted.pooled", hidden, "adopted.first", axis=1)
    _weight(graph, "adopted.axis_1", np.array([1], np.int64))
    _weight(graph, "adopted.axis_2", np.array([2], np.int64))
    _call(graph, "Cast", "adopted.mask", ATTENTION_MASK, to=TensorProto.FLOAT)
    _call(graph, "Unsqueeze", "adopted.mask_3d", "adopted.mask", "adopted.axis_2")
    _call(graph, "Mul", "adopted.kept", hidden, "adopted.mask_3d")
    # The mean's divisor cancels in the norm that follows.
    return _call(graph, "ReduceSum", "adopted.pooled", "adopted.kept", "adopted.axis_1", keepdims=0)


def _normalize(graph: onnx.GraphProto, value: str, opset: int) -> None:
    _weight(graph, "adopted.floor", np.array(1e-12, np.float32))
    if opset >= _OPSET_AXES_INPUT:
        _weight(graph, "adopted.axis_last", np.array([1], np.int64))
        _call(graph, "ReduceL2", "adopted.norm", value, "adopted.axis_last", keepdims=1)
    else:
        _call(graph, "ReduceL2", "adopted.norm", value, axes=[1], keepdims=1)
    _call(graph, "Max", "adopted.norm_floored", "adopted.norm", "adopted.floor")
    _call(graph, "Div", EMBEDDING, value, "adopted.norm_floored")


def _weight(graph: onnx.GraphProto, name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
    graph.initializer.append(numpy_helper.from_array(values, name))


def _call(graph: onnx.GraphProto, operator: str, output: str, *inputs: str, **attributes: object) -> str:
    graph.node.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
    return output
