"""Reads and writes ONNX files; large tables lie beside the graph, where processes share them through the page cache."""

from __future__ import annotations

from pathlib import Path

import onnx

# Only the token table is this large: it is read a few rows at a time, the other weights all at once.
TABLE_BYTES_MIN = 16 << 20
_FILE_MODE = 0o644


def table_name(graph: str) -> str:
    """The file that holds the tables of the graph file `graph`."""
    return f"{graph}.tables"


def save_graph(model: onnx.ModelProto, path: Path) -> list[str]:
    """Writes `model` to `path` and gives the names of the files that were written."""
    onnx.save(
        model,
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=table_name(path.name),
        size_threshold=TABLE_BYTES_MIN,
    )
    written = [name for name in (path.name, table_name(path.name)) if (path.parent / name).is_file()]
    for name in written:
        (path.parent / name).chmod(_FILE_MODE)
    return written


def load_graph(path: Path) -> onnx.ModelProto:
    """The whole model with the tables that lie beside it."""
    return onnx.load(str(path))
