"""Makes the folder of an embedding model, FP32 and INT8 graphs with their tokenizer, from a model's source files."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import onnx

from causeway.models import tokens
from causeway.models.adoption import adopt_graph, output_width
from causeway.models.encoder import Precision, graph_name
from causeway.models.errors import ModelMismatch
from causeway.models.graph import build_graph
from causeway.models.graphfile import load_graph, save_graph
from causeway.models.int8 import INT8_RECIPE, quantize_graph
from causeway.models.manifest import FileRecord, Manifest, Space, record_of
from causeway.models.packed import PackedWeights
from causeway.models.parts import Progress
from causeway.models.registry import ModelSpec

# Part of every model id: raise it when the same source would give other vectors.
BUILDER = "1"
GRAPH_SOURCE = "model.onnx"


def recipe_of(spec: ModelSpec) -> str:
    """Changes when a registry entry asks for another model than the installed one, and with the builder."""
    asked = msgspec.structs.replace(spec, note="", licence="")
    return hashlib.sha256(msgspec.json.encode([BUILDER, INT8_RECIPE, asked])).hexdigest()


def assemble(spec: ModelSpec, sources: Mapping[str, Path], folder: Path, progress: Progress) -> Manifest:
    """Writes the embedding model of `spec` into the empty `folder`; `sources` are its verified files by name."""
    progress("building the FP32 graph")
    graph, tokenizer = _read_sources(spec, sources, folder)
    dims = output_width(graph)
    # First, because saving a graph moves its tables out of memory.
    quantized = quantize_graph(graph)
    space = _source_digest(spec, sources)
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


def int8_digest(fp32_digest: str) -> str:
    """The embedding space that quantizing makes out of an FP32 one."""
    return hashlib.sha256(f"{fp32_digest} {INT8_RECIPE}".encode()).hexdigest()


def record_files(folder: Path, names: Iterable[str]) -> dict[str, FileRecord]:
    """Records of the named files, hashed now."""
    return {name: record_of(folder / name) for name in names}


def _source_digest(spec: ModelSpec, sources: Mapping[str, Path]) -> str:
    # Of the sources and not of the graphs: graph bytes may differ between versions of the onnx library, vectors do not.
    contents = {name: record_of(path).sha256 for name, path in sources.items()}
    decides = [BUILDER, spec.format, spec.pooling, spec.tokens_max, spec.query_prefix, spec.passage_prefix, contents]
    return hashlib.sha256(msgspec.json.encode(decides, order="deterministic")).hexdigest()


def _read_sources(spec: ModelSpec, sources: Mapping[str, Path], folder: Path) -> tuple[onnx.ModelProto, str]:
    """The FP32 graph, and the name of the tokenizer file that now lies in `folder`."""
    if spec.format == "e5-packed":
        packed = PackedWeights(next(iter(sources.values())))
        (folder / tokens.SENTENCEPIECE_NAME).write_bytes(tokens.build_sentencepiece(packed.vocabulary))
        return build_graph(packed, len(packed.vocabulary.pieces)), tokens.SENTENCEPIECE_NAME
    for name in (GRAPH_SOURCE, tokens.JSON_NAME):
        if name not in sources:
            raise ModelMismatch(
                f"{spec.name} has no file named {name}; an onnx model needs {GRAPH_SOURCE} and {tokens.JSON_NAME}."
            )
    shutil.copyfile(sources[tokens.JSON_NAME], folder / tokens.JSON_NAME)
    return adopt_graph(load_graph(sources[GRAPH_SOURCE]), spec.pooling), tokens.JSON_NAME
