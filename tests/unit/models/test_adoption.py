"""An encoder exported elsewhere is made to read two inputs and answer one normalised vector."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from causeway.models.adoption import adopt_graph, output_width
from causeway.models.errors import ModelMismatch
from causeway.models.graphfile import save_graph
from causeway.models.session import open_session
from causeway.models.signature import ATTENTION_MASK, EMBEDDING, INPUT_IDS

TABLE = np.random.default_rng(5).normal(size=(30, 6)).astype(np.float32)
IDS = np.array([[3, 4, 5, 0], [7, 8, 0, 0]], np.int64)
MASK = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int64)


def exported(*, opset: int = 17, output: str = "last_hidden_state", inputs: tuple[str, ...] = ()) -> onnx.ModelProto:
    """Looks tokens up, adds the token types and a nothing of the mask: the form of a usual export."""
    value = helper.make_tensor_value_info
    names = (INPUT_IDS, ATTENTION_MASK, "token_type_ids", *inputs)
    nodes = [
        helper.make_node("Gather", ["table", INPUT_IDS], ["words"]),
        helper.make_node("Gather", ["types", "token_type_ids"], ["kinds"]),
        helper.make_node("Add", ["words", "kinds"], [output]),
    ]
    weights = [numpy_helper.from_array(TABLE, "table"), numpy_helper.from_array(np.zeros((2, 6), np.float32), "types")]
    graph = helper.make_graph(
        nodes,
        "export",
        [value(name, TensorProto.INT64, ["b", "s"]) for name in names],
        [value(output, TensorProto.FLOAT, ["b", "s", 6])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def vectors_of(model: onnx.ModelProto, folder: Path) -> np.ndarray:
    save_graph(model, folder / "adopted.onnx")
    session = open_session(folder / "adopted.onnx", threads=1, device="cpu")
    return np.asarray(session.run([EMBEDDING], {INPUT_IDS: IDS, ATTENTION_MASK: MASK})[0])


@pytest.mark.parametrize("opset", [14, 17, 20])
def test_tokens_are_averaged_under_the_mask_and_normalised(opset: int, tmp_path: Path) -> None:
    adopted = adopt_graph(exported(opset=opset), "mean")
    expected = np.stack([TABLE[[3, 4, 5]].mean(axis=0), TABLE[[7, 8]].mean(axis=0)])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(vectors_of(adopted, tmp_path), expected, atol=1e-5)
    assert output_width(adopted) == 6


def test_a_model_may_be_read_at_its_first_token_instead(tmp_path: Path) -> None:
    expected = TABLE[[3, 7]] / np.linalg.norm(TABLE[[3, 7]], axis=1, keepdims=True)
    assert np.allclose(vectors_of(adopt_graph(exported(), "cls"), tmp_path), expected, atol=1e-5)


def test_an_adopted_graph_is_adopted_again_unchanged() -> None:
    adopted = adopt_graph(exported(), "mean")
    assert adopt_graph(adopted, "mean") == adopted


def test_a_graph_with_other_inputs_is_refused() -> None:
    with pytest.raises(ModelMismatch, match="pixels"):
        adopt_graph(exported(inputs=("pixels",)), "mean")


def test_an_old_operator_set_is_refused() -> None:
    with pytest.raises(ModelMismatch, match="operator set 11"):
        adopt_graph(exported(opset=11), "mean")
