"""Turns one GGUF file into a folder that transformers and vLLM read: `python hf_child.py FILE.gguf FOLDER`.

Runs by path, with the Python of an environment that has torch, transformers and gguf; it imports nothing of ours.
"""

import stat
import sys
from pathlib import Path

THREADS = 1


def convert(source: Path, target: Path) -> None:
    """Weights as bfloat16 safetensors, configuration, tokenizer and chat template. Nothing is fetched."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    from transformers import (  # type: ignore[import-not-found, unused-ignore]
        AutoModelForCausalLM,
        AutoTokenizer,
        GgufConfig,
    )

    torch.set_num_threads(THREADS)
    folder, name = str(source.parent), source.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    # Without the explicit configuration the weights stay packed, and packed weights can not be saved.
    unpacked = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, quantization_config=unpacked, dtype=torch.bfloat16
    )
    model.save_pretrained(str(target))
    tokenizer.save_pretrained(str(target))
    for path in target.iterdir():
        # safetensors writes files that only their owner can read; a container's user is another.
        path.chmod(path.stat().st_mode | stat.S_IRGRP | stat.S_IROTH)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
