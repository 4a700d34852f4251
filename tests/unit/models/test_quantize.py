"""Quantizing an installed model makes a model that can be used, and a report that adds up."""

from pathlib import Path

import numpy as np
import pytest

from causeway.models import quantize
from causeway.models.devset import DevQuestion, DevSet
from causeway.models.encoder import Encoder
from causeway.models.errors import DeviceUnavailable, ModelError
from causeway.models.store import ModelStore
from tests.support.packed_model import packed_registry, write_packed_model

DEV = DevSet(
    passages=["hello world", "water pump", "water 水", "电 电", "hello pumps", "abc def", "水 水 水", "query passage"],
    questions=[DevQuestion("pump", frozenset({1})), DevQuestion("水", frozenset({2, 6}))],
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantize")
    write_packed_model(folder / "tiny.bin")
    return ModelStore(packed_registry(folder / "tiny.bin"), folder / "models").ensure("embedding")


def test_the_report_compares_both_precisions_in_one_run(installed: Path, tmp_path: Path) -> None:
    report = quantize.run(installed, tmp_path / "int8", DEV)
    assert (report.passages, report.questions, report.threads) == (8, 2, 1)
    assert report.cosine_min <= report.cosine_mean <= 1.0001
    assert report.cosine_min > 0.99
    assert report.int8_bytes < report.fp32_bytes
    assert report.size_ratio == report.int8_bytes / report.fp32_bytes
    assert report.speed_ratio == pytest.approx(report.int8_passages_per_s / report.fp32_passages_per_s)
    assert 0 <= report.top_1_agreement <= 1
    assert report.recall_at_10 == 1.0  # Eight passages, so that the ten best are all.


def test_the_quantized_folder_is_the_same_space_as_the_one_made_at_installation(
    installed: Path, tmp_path: Path
) -> None:
    quantize.quantize_folder(installed, tmp_path / "int8")
    made, shipped = Encoder.load(tmp_path / "int8", "int8"), Encoder.load(installed, "int8")
    assert made.model_id == shipped.model_id
    assert np.array_equal(made.encode_queries(["water pump"]), shipped.encode_queries(["water pump"]))


def test_an_existing_folder_is_not_overwritten(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "int8").mkdir()
    with pytest.raises(ModelError, match="exists already"):
        quantize.quantize_folder(installed, tmp_path / "int8")


def test_a_folder_without_an_fp32_graph_is_refused(installed: Path, tmp_path: Path) -> None:
    quantize.quantize_folder(installed, tmp_path / "int8")
    with pytest.raises(ModelError, match="no fp32 graph to quantize"):
        quantize.quantize_folder(tmp_path / "int8", tmp_path / "again")
    with pytest.raises(ModelError, match="has no fp32 graph"):
        Encoder.load(tmp_path / "int8", "fp32")


def test_int8_is_refused_on_cuda(installed: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="precision: fp32"):
        Encoder.load(installed, "int8", device="cuda")
