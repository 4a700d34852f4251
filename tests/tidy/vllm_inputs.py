"""A digest of what vLLM's lock is resolved from: the lock's first line, which a test compares."""

import hashlib
import sys
from pathlib import Path

ROOM = Path(__file__).parents[2] / "services" / "cloud-inference"
PREFIX = "# inputs: sha256 "


def digest() -> str:
    """sha256 over the requirements and the overrides, without comments."""
    lines = [
        line
        for name in ("vllm.in", "vllm-overrides.txt")
        for line in (ROOM / name).read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(f"{PREFIX}{digest()}\n")
