"""Quantizing keeps vectors near FP32's, and a text's vector independent of its neighbours."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from causeway.models import int8
from causeway.models.graph import build_graph
from causeway.models.graphfile import save_graph
from causeway.models.int8 import quantize_columns, quantize_graph, quantize_rows
from causeway.models.packed import PackedWeights
from causeway.models.session import open_session
from causeway.models.signature import ATTENTION_MASK, EMBEDDING, INPUT_IDS
from tests.support.packed_model import PIECES, write_packed_model


@pytest.fixture
def graph(tmp_path: Path) -> onnx.ModelProto:
    write_packed_model(tmp_path / "tiny.bin")
    return build_graph(PackedWeights(tmp_path / "tiny.bin"), len(PIECES))


def run(model: onnx.ModelProto, folder: Path, rows: list[list[int]]) -> np.ndarray:
    save_graph(model, folder / "run.onnx")
    width = max(map(len, rows))
    ids = np.array([row + [1] * (width - len(row)) for row in rows], np.int64)
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], np.int64)
    session = open_session(folder / "run.onnx", threads=1, device="cpu")
    return np.asarray(session.run([EMBEDDING], {INPUT_IDS: ids, ATTENTION_MASK: mask})[0])


def random_rows(count: int) -> list[list[int]]:
    random = np.random.default_rng(3)
    return [random.integers(4, len(PIECES) - 1, size=random.integers(3, 20)).tolist() for _ in range(count)]


def test_int8_vectors_are_near_fp32_ones(graph: onnx.ModelProto, tmp_path: Path) -> None:
    rows = random_rows(12)
    quantized = run(quantize_graph(graph), tmp_path, rows)
    assert np.min(np.sum(quantized * run(graph, tmp_path, rows), axis=1)) > 0.998
    assert np.allclose(np.linalg.norm(quantized, axis=1), 1, atol=1e-5)


def test_a_text_has_the_same_vector_alone_and_among_others(graph: onnx.ModelProto, tmp_path: Path) -> None:
    rows = random_rows(12)
    quantized = quantize_graph(graph)
    together = run(quantized, tmp_path, rows)
    for row, vector in zip(rows, together, strict=True):
        assert np.allclose(run(quantized, tmp_path, [row])[0], vector, atol=2e-5)


def test_a_large_token_table_is_quantized_too(
    graph: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "TABLE_ROWS_MIN", 8)
    quantized = quantize_graph(graph)
    kinds = {tensor.name: tensor.data_type for tensor in quantized.graph.initializer}
    assert "word_embeddings" not in kinds
    assert kinds["word_embeddings.int8"] == onnx.TensorProto.INT8
    rows = random_rows(6)
    assert np.min(np.sum(run(quantized, tmp_path, rows) * run(graph, tmp_path, rows), axis=1)) > 0.998


def test_no_float_product_with_weights_is_left(graph: onnx.ModelProto) -> None:
    quantized = quantize_graph(graph).graph
    weights = {tensor.name for tensor in quantized.initializer}
    assert not [node for node in quantized.node if node.op_type == "MatMul" and set(node.input) & weights]
    assert sum(node.op_type == "MatMulIntegerToFloat" for node in quantized.node) == 12


def test_the_three_readers_of_one_value_share_its_quantized_form(graph: onnx.ModelProto) -> None:
    steps = [node for node in quantize_graph(graph).graph.node if node.op_type == "QuantizeLinear"]
    assert len(steps) == 2 * 4


@pytest.mark.parametrize("opset", [17, 18, 21])
def test_graphs_of_older_and_newer_operator_sets_are_quantized(opset: int, tmp_path: Path) -> None:
    weight = np.random.default_rng(1).normal(size=(16, 4)).astype(np.float32)
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [product],
        "one",
        [value("x", 1, ["n", 16])],
        [value("y", 1, ["n", 4])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    save_graph(quantize_graph(model), tmp_path / "one.onnx")
    x = np.random.default_rng(2).normal(size=(3, 16)).astype(np.float32)
    y = np.asarray(open_session(tmp_path / "one.onnx", threads=1, device="cpu").run(["y"], {"x": x})[0])
    assert np.abs(y - x @ weight).max() < 0.05 * np.abs(x @ weight).max()


def test_a_column_and_a_row_of_zeros_stay_zero() -> None:
    weights = np.array([[0.0, 1.0], [0.0, -2.0]], np.float32)
    columns, scales = quantize_columns(weights)
    assert np.allclose(columns * scales, weights, atol=0.01)
    rows, scales = quantize_rows(weights.T)
    assert np.allclose(rows * scales, weights.T, atol=0.01)


def test_a_product_of_the_greatest_integers_is_exact_on_any_cpu(tmp_path: Path) -> None:
    """Where a CPU adds two products in 16 bits, their sum would be cut."""
    depth, width = 64, 16
    signs = np.where(np.arange(width) % 2, 1, -1)
    weight = np.tile(127 * signs, (depth, 1)).astype(np.float32)
    value = helper.make_tensor_value_info("value", onnx.TensorProto.FLOAT, [1, depth])
    product = helper.make_tensor_value_info("product", onnx.TensorProto.FLOAT, [1, width])
    node = helper.make_node("MatMul", ["value", "weight"], ["product"])
    plain = helper.make_graph([node], "one", [value], [product], [numpy_helper.from_array(weight, "weight")])
    model = helper.make_model(plain, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    save_graph(quantize_graph(model), tmp_path / "run.onnx")
    session = open_session(tmp_path / "run.onnx", threads=1, device="cpu")
    found = session.run(None, {"value": np.ones((1, depth), np.float32)})[0][0]
    assert np.allclose(found, depth * 127 * signs, rtol=1e-5)
