"""A model exported elsewhere is installed by its registry entry and encodes at both precisions."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from causeway.models.encoder import Encoder
from causeway.models.errors import ModelMismatch
from causeway.models.registry import Registry, parse_registry
from causeway.models.store import ModelStore

WORDS = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "water": 4, "pump": 5, "card": 6}
REGISTRY = """
models:
  embedding:
    name: exported
    format: onnx
    licence: MIT
    query_prefix: ""
    passage_prefix: ""
    files:
      - {name: model.onnx, source: {type: path, path: model.onnx}}
      - {name: tokenizer.json, source: {type: path, path: tokenizer.json}}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    random = np.random.default_rng(11)
    names = ("input_ids", "attention_mask", "token_type_ids")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("MatMul", ["words", "kernel"], ["last_hidden_state"]),
    ]
    weights = [
        numpy_helper.from_array(random.normal(size=(8, 16)).astype(np.float32), "table"),
        numpy_helper.from_array(random.normal(size=(16, 16)).astype(np.float32), "kernel"),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "s"]) for name in names]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["b", "s", 16])
    graph = helper.make_graph(nodes, "export", inputs, [output], weights)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx"
    )
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return Registry(parse_registry(REGISTRY, "registry.yaml", tmp_path))


def test_it_encodes_at_both_precisions(registry: Registry, tmp_path: Path) -> None:
    folder = ModelStore(registry, tmp_path / "models").ensure("embedding")
    fp32, int8 = Encoder.load(folder, "fp32"), Encoder.load(folder, "int8")
    texts = ["water pump", "card", "", "pump pump water card"]
    assert fp32.dims == 16
    assert fp32.count_tokens(texts) == [4, 3, 2, 6]
    assert np.sum(fp32.encode_passages(texts) * int8.encode_passages(texts), axis=1).min() > 0.999
    # Without prefixes a text is the same as a question and as a passage.
    assert np.allclose(fp32.encode_queries(texts), fp32.encode_passages(texts))


def test_an_entry_without_its_tokenizer_is_refused(registry: Registry, tmp_path: Path) -> None:
    del registry.spec("embedding").files[1]
    with pytest.raises(ModelMismatch, match="an onnx model needs"):
        ModelStore(registry, tmp_path / "models").ensure("embedding")
