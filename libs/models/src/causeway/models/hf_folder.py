"""Makes the folder that vLLM reads out of a GGUF file, in a process of the environment that has torch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from causeway.models.errors import ConversionFailed, ConverterMissing, ModelMismatch

Converter = Callable[[Path, Path], list[Path]]
"""From a GGUF file into a folder; the files that were made."""

CONVERT_TIMEOUT_S = 3600.0
_CHILD = Path(__file__).with_name("hf_child.py")
_WEIGHTS = "model.safetensors"
_NEEDED = (_WEIGHTS, "config.json", "tokenizer.json")
_TAIL_LINES = 12


def no_converter(_source: Path, _target: Path) -> list[Path]:
    """Where no environment for conversions is known. Raises ConverterMissing."""
    raise ConverterMissing(f"no environment with torch is known here; {ConverterMissing.__doc__}")


def converter_of(environment: Path, timeout_s: float = CONVERT_TIMEOUT_S) -> Converter:
    """The converter of vLLM's virtual environment."""

    def convert(source: Path, target: Path) -> list[Path]:
        python = environment / "bin" / "python"
        if not python.is_file():
            raise ConverterMissing(f"{python} is not there; {ConverterMissing.__doc__}")
        before = set(target.iterdir())
        _run([str(python), "-I", str(_CHILD), str(source), str(target)], source, timeout_s)
        made = sorted(path for path in target.iterdir() if path not in before)
        missing = [name for name in _NEEDED if not (target / name).is_file()]
        if missing:
            raise ModelMismatch(f"the conversion of {source.name} made no {', '.join(missing)}; nothing was installed.")
        return made

    return convert


def _run(command: list[str], source: Path, timeout_s: float) -> None:
    # Alone the file's own environment: it must fetch nothing, and use one thread beside what else runs here.
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",
    }
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConversionFailed(f"{source.name} was not converted within {timeout_s:g} s; is memory short?") from error
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-_TAIL_LINES:])
        raise ConversionFailed(f"{source.name} was not converted (exit code {done.returncode}):\n{tail}")
