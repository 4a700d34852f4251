"""Writes a tiny packed model of the form that the bundled one has, and a registry that names it by path."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from causeway.models.packed import BLOCK_WEIGHTS, MAGIC
from causeway.models.registry import ModelFile, ModelSpec, PathSource, Registry

HIDDEN, LAYERS, HEADS, FEED_FORWARD, POSITIONS, TOKEN_TYPES = 32, 2, 4, 64, 24, 2
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = ["▁", "▁query", "▁passage", ":", "▁hello", "▁world", "▁water", "水", "电", "▁pump", "s"]
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1) if chr(code) != "s"]
PIECES = [*SPECIALS, *WORDS, *LETTERS, "<mask>"]
ROWS = 64


def pack_q4(weights: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    """The Q4_0 blocks of `weights`: the largest value of each 32 becomes -8 times the scale."""
    packed = bytearray()
    for block in weights.reshape(-1, BLOCK_WEIGHTS):
        largest = float(block[np.abs(block).argmax()])
        scale = np.float16(largest / -8.0)
        steps = np.rint(block / float(scale)) if scale else np.zeros(BLOCK_WEIGHTS)
        nibbles = np.clip(steps + 8, 0, 15).astype(np.uint8)
        packed += scale.tobytes() + (nibbles[:16] | (nibbles[16:] << 4)).tobytes()
    return bytes(packed)


def write_packed_model(path: Path, seed: int = 7) -> None:
    """A model with random weights and a vocabulary of a few words and the Latin letters."""
    random = np.random.default_rng(seed)
    tensors = _tensors(random)
    directory_bytes = 4 + sum(2 + len(name) + 21 for name in tensors)
    head = _header() + _vocabulary() + _normalization()
    start = len(head) + directory_bytes
    directory, body = struct.pack("<i", len(tensors)), b""
    for name, (count, data) in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", 0, count, start + len(body), len(data))
        body += data
    path.write_bytes(head + directory + body)


def packed_spec(path: Path, *, name: str = "tiny", sha256: str | None = None) -> ModelSpec:
    """The registry entry of a packed model on this machine."""
    file = ModelFile(name="tiny-q4.bin", source=PathSource(path=str(path)), sha256=sha256)
    return ModelSpec(name=name, format="e5-packed", licence="MIT", files=[file], tokens_max=POSITIONS)


def packed_registry(path: Path, sha256: str | None = None) -> Registry:
    """A registry whose embedding model is the packed one at `path`."""
    return Registry({"embedding": packed_spec(path, sha256=sha256)})


def _header() -> bytes:
    sizes = struct.pack("<7i", HIDDEN, LAYERS, HEADS, FEED_FORWARD, ROWS, POSITIONS, TOKEN_TYPES)
    return MAGIC + struct.pack("<I", 1) + sizes + struct.pack("<fii", 1e-12, BLOCK_WEIGHTS, len(PIECES))


def _vocabulary() -> bytes:
    encoded = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, encoded)]).astype("<u4")
    # Words are likelier than the letters that spell them.
    scores = np.array([0.0 if piece.startswith("<") else -1.0 - 9.0 * (len(piece) == 1) for piece in PIECES], "<f4")
    ids = [PIECES.index(special) for special in ("<s>", "</s>", "<pad>", "<unk>")]
    return struct.pack("<4iQ", *ids, offsets[-1]) + offsets.tobytes() + scores.tobytes() + b"".join(encoded)


def _normalization() -> bytes:
    entries = struct.pack("<IB", 0x07, 0) + struct.pack("<IBI", 0x3000, 1, 0x20)
    return struct.pack("<iI", 2, len(entries)) + entries


def _tensors(random: np.random.Generator) -> dict[str, tuple[int, bytes]]:
    tensors: dict[str, tuple[int, bytes]] = {}

    def matrix(name: str, *dims: int) -> None:
        weights = random.normal(0.0, 0.3, dims).astype(np.float32)
        tensors[name] = (weights.size, pack_q4(weights))

    def vector(name: str, *dims: int, mean: float = 0.0) -> None:
        weights = random.normal(mean, 0.1, dims).astype("<f4")
        tensors[name] = (weights.size, weights.tobytes())

    def norm(name: str) -> None:
        vector(f"{name}.w", HIDDEN, mean=1.0)
        vector(f"{name}.b", HIDDEN)

    matrix("emb.word", ROWS, HIDDEN)
    vector("emb.pos", POSITIONS, HIDDEN)
    vector("emb.type", TOKEN_TYPES, HIDDEN)
    norm("emb.ln")
    for layer in range(LAYERS):
        for short, outputs, inputs in (
            ("q", HIDDEN, HIDDEN),
            ("k", HIDDEN, HIDDEN),
            ("v", HIDDEN, HIDDEN),
            ("ao", HIDDEN, HIDDEN),
            ("fi", FEED_FORWARD, HIDDEN),
            ("fo", HIDDEN, FEED_FORWARD),
        ):
            matrix(f"l{layer}.{short}.w", outputs, inputs)
            vector(f"l{layer}.{short}.b", outputs)
        norm(f"l{layer}.aln")
        norm(f"l{layer}.oln")
    return tensors
