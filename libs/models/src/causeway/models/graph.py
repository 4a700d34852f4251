"""Writes the E5 encoder as a plain ONNX graph: token ids in, one L2-normalised mean-pooled vector per text out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from causeway.models.packed import Floats, PackedWeights, Shape
from causeway.models.signature import ATTENTION_MASK, EMBEDDING, INPUT_IDS

OPSET = 17
IR_VERSION = 8
# Finite, so that a row of nothing but padding stays a number.
MASKED_SCORE = -1e4


@dataclass
class GraphWriter:
    """Collects nodes and weights; every `call` names its output after what it is."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def weight(self, name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def scalar(self, name: str, value: float) -> str:
        return self.weight(name, np.array(value, np.float32))

    def integers(self, name: str, *values: int) -> str:
        return self.weight(name, np.array(values, np.int64))

    def call(self, operator: str, output: str, *inputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output


def build_graph(packed: PackedWeights, token_count: int) -> onnx.ModelProto:
    """The FP32 model over the first `token_count` rows of the embedding table."""
    shape, writer = packed.shape, GraphWriter()
    _write_constants(writer, shape)
    hidden = _write_embeddings(writer, packed, token_count)
    bias = _write_mask_bias(writer)
    for layer in range(shape.layers):
        hidden = _write_layer(writer, packed, layer, hidden, bias)
    _write_pooling(writer, hidden)
    return _assemble(writer, shape)


def _write_constants(writer: GraphWriter, shape: Shape) -> None:
    head = shape.hidden // shape.heads
    writer.integers("axis_0", 0)
    writer.integers("axis_1", 1)
    writer.integers("axis_2", 2)
    writer.integers("axes_1_2", 1, 2)
    writer.integers("split_heads", 0, 0, shape.heads, head)
    writer.integers("join_heads", 0, 0, shape.hidden)
    writer.scalar("one", 1.0)
    writer.scalar("half", 0.5)
    writer.scalar("root_2", float(np.sqrt(2.0)))
    writer.scalar("head_scale", float(np.sqrt(head)))
    writer.scalar("masked_score", MASKED_SCORE)
    writer.scalar("norm_floor", 1e-12)


def _write_embeddings(writer: GraphWriter, packed: PackedWeights, token_count: int) -> str:
    shape = packed.shape
    words = packed.tensor("emb.word", shape.vocabulary, shape.hidden)[:token_count]
    # Token type is always 0 here, so its row is folded into the positions.
    types = packed.tensor("emb.type", shape.token_types, shape.hidden)
    positions = packed.tensor("emb.pos", shape.positions, shape.hidden) + types[0]
    writer.weight("word_embeddings", words)
    writer.weight("position_embeddings", positions)
    writer.call("Gather", "words", "word_embeddings", INPUT_IDS)
    writer.call("Shape", "ids_shape", INPUT_IDS)
    writer.call("Slice", "length", "ids_shape", "axis_1", "axis_2", "axis_0")
    writer.call("Slice", "places", "position_embeddings", "axis_0", "length", "axis_0")
    writer.call("Add", "embedded", "words", "places")
    return _write_norm(writer, "embeddings.norm", "embedded", packed, "emb.ln")


def _write_mask_bias(writer: GraphWriter) -> str:
    writer.call("Cast", "mask", ATTENTION_MASK, to=TensorProto.FLOAT)
    writer.call("Sub", "padding", "one", "mask")
    writer.call("Unsqueeze", "padding_4d", "padding", "axes_1_2")
    return writer.call("Mul", "mask_bias", "padding_4d", "masked_score")


def _write_norm(writer: GraphWriter, name: str, value: str, packed: PackedWeights, source: str) -> str:
    hidden = packed.shape.hidden
    gain = writer.weight(f"{name}.gain", packed.tensor(f"{source}.w", hidden))
    shift = writer.weight(f"{name}.shift", packed.tensor(f"{source}.b", hidden))
    return writer.call("LayerNormalization", name, value, gain, shift, axis=-1, epsilon=packed.shape.norm_epsilon)


def _write_linear(writer: GraphWriter, name: str, value: str, weight: Floats, bias: Floats) -> str:
    """`value @ weight.T + bias`; the weight is stored as [out, in] in the source and as [in, out] in the graph."""
    kernel = writer.weight(f"{name}.kernel", weight.T)
    product = writer.call("MatMul", f"{name}.product", value, kernel)
    return writer.call("Add", name, writer.weight(f"{name}.bias", bias), product)


def _write_layer(writer: GraphWriter, packed: PackedWeights, layer: int, hidden: str, bias: str) -> str:
    size, inner, name, source = packed.shape.hidden, packed.shape.feed_forward, f"layer.{layer}", f"l{layer}"

    def linear(role: str, value: str, short: str, outputs: int, inputs: int) -> str:
        weight, shift = (
            packed.tensor(f"{source}.{short}.w", outputs, inputs),
            packed.tensor(f"{source}.{short}.b", outputs),
        )
        return _write_linear(writer, f"{name}.{role}", value, weight, shift)

    query = linear("query", hidden, "q", size, size)
    key = linear("key", hidden, "k", size, size)
    value = linear("value", hidden, "v", size, size)
    attended = linear("attended", _write_attention(writer, name, query, key, value, bias), "ao", size, size)
    writer.call("Add", f"{name}.attention_sum", attended, hidden)
    normed = _write_norm(writer, f"{name}.attention_norm", f"{name}.attention_sum", packed, f"{source}.aln")
    widened = _write_gelu(writer, name, linear("widened", normed, "fi", inner, size))
    narrowed = linear("narrowed", widened, "fo", size, inner)
    writer.call("Add", f"{name}.output_sum", narrowed, normed)
    return _write_norm(writer, f"{name}.output_norm", f"{name}.output_sum", packed, f"{source}.oln")


def _write_attention(writer: GraphWriter, name: str, query: str, key: str, value: str, bias: str) -> str:
    for part, order in ((query, (0, 2, 1, 3)), (key, (0, 2, 3, 1)), (value, (0, 2, 1, 3))):
        writer.call("Reshape", f"{part}.split", part, "split_heads")
        writer.call("Transpose", f"{part}.heads", f"{part}.split", perm=order)
    writer.call("MatMul", f"{name}.products", f"{query}.heads", f"{key}.heads")
    writer.call("Div", f"{name}.scaled", f"{name}.products", "head_scale")
    writer.call("Add", f"{name}.scores", f"{name}.scaled", bias)
    writer.call("Softmax", f"{name}.shares", f"{name}.scores", axis=-1)
    writer.call("MatMul", f"{name}.mixed", f"{name}.shares", f"{value}.heads")
    writer.call("Transpose", f"{name}.mixed_rows", f"{name}.mixed", perm=(0, 2, 1, 3))
    return writer.call("Reshape", f"{name}.context", f"{name}.mixed_rows", "join_heads")


def _write_gelu(writer: GraphWriter, name: str, value: str) -> str:
    """x/2 (1 + erf(x/sqrt 2)), spelled so that onnxruntime fuses it into one Gelu."""
    writer.call("Div", f"{name}.gelu_ratio", value, "root_2")
    writer.call("Erf", f"{name}.gelu_erf", f"{name}.gelu_ratio")
    writer.call("Add", f"{name}.gelu_gate", f"{name}.gelu_erf", "one")
    writer.call("Mul", f"{name}.gelu_twice", value, f"{name}.gelu_gate")
    return writer.call("Mul", f"{name}.gelu", f"{name}.gelu_twice", "half")


def _write_pooling(writer: GraphWriter, hidden: str) -> str:
    writer.call("Unsqueeze", "mask_3d", "mask", "axis_2")
    writer.call("Mul", "kept", hidden, "mask_3d")
    # The mean's divisor would cancel in the norm, so the sum is normalised directly.
    writer.call("ReduceSum", "pooled", "kept", "axis_1", keepdims=0)
    writer.call("ReduceL2", "pooled_norm", "pooled", axes=[1], keepdims=1)
    writer.call("Max", "pooled_norm_floored", "pooled_norm", "norm_floor")
    return writer.call("Div", EMBEDDING, "pooled", "pooled_norm_floored")


def _assemble(writer: GraphWriter, shape: Shape) -> onnx.ModelProto:
    axes = ["batch", "sequence"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, axes) for name in (INPUT_IDS, ATTENTION_MASK)]
    output = helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["batch", shape.hidden])
    graph = helper.make_graph(writer.nodes, "e5", inputs, [output], writer.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="causeway")
    model.ir_version = IR_VERSION
    return model
