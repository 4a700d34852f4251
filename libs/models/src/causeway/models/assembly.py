"""Makes the folder of an embedding model, FP32 and INT8 graphs with their tokenizer, from a model's source files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx

from causeway.models import tokens
from causeway.models.adoption import adopt_graph, output_width
from causeway.models.errors import ModelMismatch
from causeway.models.graph import build_graph
from causeway.models.graphfile import load_graph, save_graph
from causeway.models.int8 import quantize_graph
from causeway.models.manifest import FileRecord, Manifest, Space, record_of, sha256_of
from causeway.models.packed import PackedWeights
from causeway.models.parts import Progress
from causeway.models.piecefile import build_sentencepiece
from causeway.models.recipe import fp32_digest, int8_digest, recipe_of
from causeway.models.registry import ModelSpec
from causeway.models.signature import Precision, graph_name

GRAPH_SOURCE = "model.onnx"


def assemble(spec: ModelSpec, sources: Mapping[str, Path], folder: Path, progress: Progress) -> Manifest:
    """Writes the embedding model of `spec` into the empty `folder`; `sources` are its verified files by name."""
    progress("building the FP32 graph")
    graph, tokenizer = _read_sources(spec, sources, folder)
    dims = output_width(graph)
    # First, because saving a graph moves its tables out of memory.
    quantized = quantize_graph(graph)
    space = fp32_digest(spec, {name: sha256_of(path) for name, path in sources.items()})
    files: dict[Precision, list[str]] = {"fp32": save_graph(graph, folder / graph_name("fp32"))}
    progress("building the INT8 graph")
    files["int8"] = save_graph(quantized, folder / graph_name("int8"))
    return Manifest(
        name=spec.name,
        licence=spec.licence,
        recipe=recipe_of(spec),
        files=record_files(folder, [*files["fp32"], *files["int8"], tokenizer]),
        spaces={
            "fp32": Space(digest=space, files=[*files["fp32"], tokenizer]),
            "int8": Space(digest=int8_digest(space), files=[*files["int8"], tokenizer]),
        },
        dims=dims,
        tokens_max=spec.tokens_max,
        query_prefix=spec.query_prefix,
        passage_prefix=spec.passage_prefix,
    )


def record_files(folder: Path, names: Iterable[str]) -> dict[str, FileRecord]:
    """Records of the named files, hashed now."""
    return {name: record_of(folder / name) for name in names}


def _read_sources(spec: ModelSpec, sources: Mapping[str, Path], folder: Path) -> tuple[onnx.ModelProto, str]:
    """The FP32 graph, and the name of the tokenizer file that now lies in `folder`."""
    if spec.format == "e5-packed":
        packed = PackedWeights(next(iter(sources.values())))
        (folder / tokens.SENTENCEPIECE_NAME).write_bytes(build_sentencepiece(packed.vocabulary))
        return build_graph(packed, len(packed.vocabulary.pieces)), tokens.SENTENCEPIECE_NAME
    for name in (GRAPH_SOURCE, tokens.JSON_NAME):
        if name not in sources:
            raise ModelMismatch(
                f"{spec.name} has no file named {name}; an onnx model needs {GRAPH_SOURCE} and {tokens.JSON_NAME}."
            )
    shutil.copyfile(sources[tokens.JSON_NAME], folder / tokens.JSON_NAME)
    return adopt_graph(load_graph(sources[GRAPH_SOURCE]), spec.pooling), tokens.JSON_NAME
