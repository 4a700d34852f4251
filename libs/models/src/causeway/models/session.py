"""Opens ONNX Runtime sessions with a bounded number of threads, on the CPU or on CUDA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from causeway.models.errors import DeviceUnavailable

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort  # It reports to its maker unless that is switched off before the import.

Device = Literal["cpu", "cuda"]
_PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# On a CPU the fused operator runs unvectorised: a fifth of the whole time, against a fiftieth unfused (measured, 1.32).
_SLOW_FUSIONS: dict[Device, list[str]] = {"cpu": ["SkipLayerNormFusion"], "cuda": []}


def open_session(path: Path, *, threads: int, device: Device) -> ort.InferenceSession:
    """A session over the graph at `path`; raises DeviceUnavailable when `device` has no provider here."""
    provider = _PROVIDERS[device]
    if provider not in ort.get_available_providers():
        raise DeviceUnavailable(
            f"device {device} needs onnxruntime's {provider}, which is not in this installation; "
            "install onnxruntime-gpu in place of onnxruntime, or set device: cpu."
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Batches differ in shape, so a memory pattern would be planned anew for each.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    # Without VNNI an x86 CPU adds two products of U8 x S8 in 16 bits, which saturate: vectors would be others than
    # elsewhere (cosine .9985 to FP32 instead of .9991, down to .86 in small models, measured). This is exact there, and
    # changes nothing on other CPUs.
    options.add_session_config_entry("session.x64quantprecision", "1")
    # With a shared machine in mind: waiting threads sleep.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(str(path), options, providers=[provider], disabled_optimizers=_SLOW_FUSIONS[device])
    # onnxruntime falls back to the CPU with no more than a warning when CUDA's own libraries do not load.
    if provider not in session.get_providers():
        raise DeviceUnavailable(
            f"onnxruntime could not start its {provider}; install the CUDA and cuDNN versions that it names, "
            "or set device: cpu."
        )
    return session
