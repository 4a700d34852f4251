"""The command and environment of the hub's own engine, and what cloud-inference is told of any engine. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from causeway.cli.engine_config import EngineConfig, EngineKind, words

KEY_VARIABLE = "CAUSEWAY_ENGINE_KEY"
LOOPBACK = "127.0.0.1"
REQUESTS_MIN = 16
"""What cloud-inference works on at once at least: retrieval goes on while the engine is full."""
_SERVER = "vllm.entrypoints.openai.api_server"
_CHILD = "causeway.cli.llama_engine"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine as it was found on this machine. `adapters` are folders by served name, `by_kb` served names."""

    config: EngineConfig = field(default_factory=EngineConfig)
    program: str = ""
    model: Path | None = None
    name: str = ""
    adapters: Mapping[str, Path] = field(default_factory=dict)
    by_kb: Mapping[str, str] = field(default_factory=dict)
    key: str = field(default="", repr=False)
    key_file: Path | None = None


def engine_argv(engine: Engine, port: int) -> tuple[str, ...]:
    """The program with its arguments. No secret is among them."""
    if engine.config.kind is EngineKind.LLAMA:
        return _llama_argv(engine, port)
    return _vllm_argv(engine, port)


def engine_environment(engine: Engine) -> dict[str, str]:
    """What the engine needs beside what every process gets."""
    config = engine.config
    if config.kind is EngineKind.LLAMA:
        return {KEY_VARIABLE: engine.key}
    own = {"VLLM_API_KEY": engine.key, "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_COLOR": "0"}
    if config.device == "cpu":
        # With multiprocessing off one process less imports everything: 13 CPU seconds and 0.6 GB.
        own |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": str(config.threads)}
        own |= {"VLLM_CPU_KVCACHE_SPACE": str(config.cpu_kv_cache_gb)}
    return own


def cloud_settings(engine: Engine, port: int) -> dict[str, str]:
    """What cloud-inference must know: CLOUD_INFERENCE_* without the prefix."""
    config = engine.config
    if config.kind is EngineKind.NONE:
        return {"engine": config.kind.value}
    url = f"http://{LOOPBACK}:{port}" if config.own else config.base_url
    metrics = f"{url}/metrics" if config.own else config.metrics_url
    told = {
        "engine": config.kind.value,
        "engine_url": url,
        "engine_model": engine.name,
        "engine_metrics_url": metrics,
        "engine_sequences_max": str(config.max_num_seqs),
        "engine_context_tokens": str(config.max_model_len),
        "requests_max": str(max(REQUESTS_MIN, config.max_num_seqs)),
        "adapters": ",".join(f"{kb}={name}" for kb, name in sorted(engine.by_kb.items())),
    }
    if engine.key_file is not None:
        told["engine_key_file"] = str(engine.key_file)
    return {name: value for name, value in told.items() if value}


def _vllm_argv(engine: Engine, port: int) -> tuple[str, ...]:
    config = engine.config
    argv = [engine.program, "-m", _SERVER, "--host", LOOPBACK, "--port", str(port)]
    argv += ["--model", str(engine.model), "--served-model-name", engine.name]
    argv += ["--max-model-len", str(config.max_model_len), "--max-num-seqs", str(config.max_num_seqs)]
    argv += ["--max-num-batched-tokens", str(config.max_num_batched_tokens)]
    argv += ["--max-num-queued-reqs", str(config.max_num_queued_reqs)]
    argv += ["--enable-prefix-caching" if config.prefix_caching else "--no-enable-prefix-caching"]
    # What runs is finished on SIGTERM; the engine says itself what a request cost.
    argv += [
        "--shutdown-timeout",
        str(config.drain_s),
        "--enable-prompt-tokens-details",
        "--disable-uvicorn-access-log",
    ]
    argv += _of_device(config) + _of_adapters(engine)
    return (*argv, *words(config))


def _of_device(config: EngineConfig) -> list[str]:
    if config.device == "cpu":
        # Compiling takes minutes at each start on a CPU, and there are no CUDA graphs.
        return ["--dtype", "bfloat16", "--enforce-eager", "--distributed-executor-backend", "uni"]
    argv = ["--tensor-parallel-size", str(config.tensor_parallel)]
    argv += ["--gpu-memory-utilization", str(config.gpu_memory_utilization)]
    if not config.cuda_graphs:
        return [*argv, "--enforce-eager"]
    return [*argv, "--compilation-config", json.dumps({"cudagraph_mode": "FULL_AND_PIECEWISE"})]


def _of_adapters(engine: Engine) -> list[str]:
    if not engine.adapters:
        return []
    modules = [f"{name}={folder}" for name, folder in sorted(engine.adapters.items())]
    limits = ["--max-loras", str(len(modules)), "--max-lora-rank", str(engine.config.max_lora_rank)]
    return ["--enable-lora", *limits, "--lora-modules", *modules]


def _llama_argv(engine: Engine, port: int) -> tuple[str, ...]:
    config = engine.config
    argv = [engine.program, "-m", _CHILD, "--model", str(engine.model), "--name", engine.name, "--port", str(port)]
    argv += ["--threads", str(config.threads), "--parallel", str(config.max_num_seqs)]
    return (*argv, "--context", str(config.max_model_len), "--batch-tokens", str(config.max_num_batched_tokens))
