"""Turns an installed FP32 model into INT8 and reports what that costs and gains, both measured in the same run."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import msgspec
import numpy as np

from causeway.models.agreement import compare_rankings, compare_vectors, hits, rank
from causeway.models.assembly import record_files
from causeway.models.devset import DevSet, load_devset
from causeway.models.encoder import Encoder, Vectors
from causeway.models.errors import ModelError
from causeway.models.graphfile import load_graph, save_graph
from causeway.models.int8 import quantize_graph
from causeway.models.manifest import Space, read_manifest, verify_files, write_manifest
from causeway.models.parts import Progress
from causeway.models.recipe import int8_digest
from causeway.models.signature import Precision, graph_name
from causeway.models.store import silent
from causeway.models.tokens import JSON_NAME, SENTENCEPIECE_NAME

# Short enough that a change of the machine's load falls on both encoders alike.
SLICE_PASSAGES = 8


class QuantizeReport(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, speeds in passages per second of wall time; the ratios are INT8 over FP32.

    `recall_at_10` is the share of FP32's ten best passages that INT8 also ranks among its ten best, `top_1_agreement`
    the share of questions with the same best passage, `found_at_10_*` the share whose right passage is in the ten best.
    """

    model_id: str
    passages: int
    questions: int
    threads: int
    fp32_bytes: int
    int8_bytes: int
    size_ratio: float
    fp32_passages_per_s: float
    int8_passages_per_s: float
    speed_ratio: float
    cosine_min: float
    cosine_mean: float
    recall_at_10: float
    top_1_agreement: float
    found_at_10_fp32: float
    found_at_10_int8: float


def run(
    source: Path, target: Path, dev: DevSet | None = None, *, threads: int = 1, progress: Progress = silent
) -> QuantizeReport:
    """Writes the INT8 model of folder `source` to the new folder `target`, and compares the two on `dev`.

    `dev` is the bundled set unless given. Raises ModelError when `target` exists or `source` has no FP32 graph.
    """
    chosen = dev or load_devset()
    progress(f"quantizing {source}")
    quantize_folder(source, target)
    fp32 = _Timed(Encoder.load(source, "fp32", threads))
    int8 = _Timed(Encoder.load(target, "int8", threads))
    progress(f"comparing on {len(chosen.passages)} passages and {len(chosen.questions)} questions")
    for start in range(0, len(chosen.passages), SLICE_PASSAGES):
        for timed in (fp32, int8):
            timed.encode(chosen.passages[start : start + SLICE_PASSAGES])
    return _report(fp32, int8, chosen, (_weight_bytes(source, "fp32"), _weight_bytes(target, "int8")), threads)


def quantize_folder(source: Path, target: Path) -> None:
    """Makes `target` an installed model with the INT8 graph of `source`; whole or not at all."""
    manifest = read_manifest(source)
    if "fp32" not in manifest.spaces:
        raise ModelError(f"{source} has no fp32 graph to quantize; name the folder of an installed FP32 model.")
    if target.exists():
        raise ModelError(f"{target} exists already; name a new folder, or delete that one.")
    space = manifest.spaces["fp32"]
    verify_files(source, manifest, space.files)
    draft = target.with_name(f".quantizing-{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        names = save_graph(quantize_graph(load_graph(source / graph_name("fp32"))), draft / graph_name("int8"))
        tokenizer = next(name for name in space.files if name in (SENTENCEPIECE_NAME, JSON_NAME))
        shutil.copyfile(source / tokenizer, draft / tokenizer)
        files = [*names, tokenizer]
        spaces = {"int8": Space(digest=int8_digest(space.digest), files=files)}
        write_manifest(draft, msgspec.structs.replace(manifest, files=record_files(draft, files), spaces=spaces))
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class _Timed:
    """An encoder with the seconds that its passages took."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.seconds = 0.0
        self._parts: list[Vectors] = []
        # The first call grows the memory arena, which is no part of the speed.
        encoder.encode_passages(["warm"])

    def encode(self, passages: list[str]) -> None:
        begun = time.perf_counter()
        self._parts.append(self.encoder.encode_passages(passages))
        self.seconds += time.perf_counter() - begun

    @property
    def vectors(self) -> Vectors:
        return np.concatenate(self._parts)


def _report(fp32: _Timed, int8: _Timed, dev: DevSet, sizes: tuple[int, int], threads: int) -> QuantizeReport:
    texts, answers = [question.text for question in dev.questions], [question.answers for question in dev.questions]
    reference = rank(fp32.encoder.encode_queries(texts), fp32.vectors)
    candidate = rank(int8.encoder.encode_queries(texts), int8.vectors)
    cosine_min, cosine_mean = compare_vectors(fp32.vectors, int8.vectors)
    recall, top_1 = compare_rankings(reference, candidate)
    return QuantizeReport(
        model_id=int8.encoder.model_id,
        passages=len(dev.passages),
        questions=len(texts),
        threads=threads,
        fp32_bytes=sizes[0],
        int8_bytes=sizes[1],
        size_ratio=sizes[1] / sizes[0],
        fp32_passages_per_s=len(dev.passages) / fp32.seconds,
        int8_passages_per_s=len(dev.passages) / int8.seconds,
        speed_ratio=fp32.seconds / int8.seconds,
        cosine_min=cosine_min,
        cosine_mean=cosine_mean,
        recall_at_10=recall,
        top_1_agreement=top_1,
        found_at_10_fp32=hits(reference, answers),
        found_at_10_int8=hits(candidate, answers),
    )


def _weight_bytes(folder: Path, precision: Precision) -> int:
    manifest = read_manifest(folder)
    names = manifest.spaces[precision].files
    return sum(manifest.files[name].size_bytes for name in names if name not in (SENTENCEPIECE_NAME, JSON_NAME))
