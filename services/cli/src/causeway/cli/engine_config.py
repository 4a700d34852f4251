"""What hub.yaml may say of the engine, the larger model's server: which one, with what, within which limits. Pure."""

import enum
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from causeway.cli.errors import BadConfigError
from causeway.cli.yaml_keys import Choice, Flag, Keys, Number, Place, Section, Settings, Text
from causeway.proto.documents import KB_NAME

_URL = re.compile(r"https?://[^/\s@?#]+(/[^\s?#]*)?$")
_KB = re.compile(KB_NAME)
_KINDS = ("none", "vllm", "llama.cpp", "openai-url")


class EngineKind(enum.StrEnum):
    """Who generates at the hub. Of `vllm` and `llama.cpp` the hub runs the process itself."""

    NONE = "none"
    VLLM = "vllm"
    LLAMA = "llama.cpp"
    URL = "openai-url"


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """The engine. Names and defaults of the limits are vLLM's own words; llama.cpp takes those that it has.

    `adapters` gives a kb its LoRA: a folder of ours for vllm, a served name for openai-url.
    """

    kind: EngineKind = EngineKind.NONE
    url: str = ""
    key_file: str = ""
    metrics_url: str = ""
    model: str = ""
    adapters: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""
    device: str = "cpu"
    threads: int = 1
    max_model_len: int = 4096
    max_num_seqs: int = 16
    max_num_batched_tokens: int = 2048
    max_num_queued_reqs: int = 32
    max_lora_rank: int = 16
    prefix_caching: bool = True
    cuda_graphs: bool = True
    tensor_parallel: int = 1
    gpu_memory_utilization: float = 0.9
    cpu_kv_cache_gb: int = 1
    start_timeout_s: int = 600
    drain_s: int = 10
    extra_args: str = ""

    @property
    def own(self) -> bool:
        """Whether the hub runs the engine's process."""
        return self.kind in (EngineKind.VLLM, EngineKind.LLAMA)

    @property
    def base_url(self) -> str:
        """The address of an engine of someone else, without the /v1 that clients add."""
        return self.url.rstrip("/").removesuffix("/v1")


@dataclass(frozen=True)
class Share:
    """A part of a whole: above 0, at most 1."""

    def read(self, node: yaml.Node, at: Place) -> float:
        value = yaml.safe_load(yaml.serialize(node)) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise at.refuse(node, f"is {value!r}", f"{at.path} takes a number above 0 and up to 1, such as 0.9.")
        return float(value)


def _built(**values: object) -> EngineConfig:
    kind = EngineKind(str(values.pop("kind", EngineKind.NONE)))
    return EngineConfig(kind=kind, **values)  # type: ignore[arg-type]  # Each key's reader gives its type.


_ENGINE_KEYS: Keys = {
    "kind": Choice(*_KINDS),
    "url": Text(),
    "key_file": Text(),
    "metrics_url": Text(),
    "model": Text(),
    "adapters": Settings(),
    "environment": Text(),
    "device": Choice("cpu", "cuda"),
    "threads": Number(1, 256),
    "max_model_len": Number(512, 1_048_576),
    "max_num_seqs": Number(1, 4_096),
    "max_num_batched_tokens": Number(256, 131_072),
    "max_num_queued_reqs": Number(1, 100_000),
    "max_lora_rank": Number(1, 512),
    "prefix_caching": Flag(),
    "cuda_graphs": Flag(),
    "tensor_parallel": Number(1, 64),
    "gpu_memory_utilization": Share(),
    "cpu_kv_cache_gb": Number(1, 4_096),
    "start_timeout_s": Number(10, 7_200),
    "drain_s": Number(1, 300),
    "extra_args": Text(),
}
ENGINE = Section(_built, _ENGINE_KEYS)


def checked_engine(engine: EngineConfig, source: str) -> EngineConfig:
    """The engine, if what it says fits together; `source` names the file in errors.

    Raises:
        BadConfigError: with the key that does not fit, and what to do.
    """
    problem = _problem_of_kind(engine) or _problem_of_limits(engine)
    if problem:
        raise BadConfigError(f"{source}: engine.{problem[0]}", problem[1])
    return engine


def engine_note(engine: EngineConfig) -> str:
    """What the operator of a hub should know of its engine when the hub is ready."""
    if engine.kind is EngineKind.NONE:
        return "No engine: what sites ask the hub's model is refused. One of: causeway up hub --engine vllm|llama.cpp"
    if engine.own:
        return f"The engine ({engine.kind}) may still be loading; until it is ready, what sites ask it is refused."
    return f"The engine is at {engine.base_url}."


def words(engine: EngineConfig) -> tuple[str, ...]:
    """The further arguments of vLLM, taken apart as a shell would."""
    return tuple(shlex.split(engine.extra_args))


def _problem_of_kind(engine: EngineConfig) -> tuple[str, str] | None:
    if engine.kind is EngineKind.URL:
        if not _URL.match(engine.url):
            return f"url is {engine.url!r}", "openai-url takes http(s)://HOST[:PORT][/PREFIX]: --engine-url."
        if not engine.model:
            return "model is empty", "Name the model as the server at engine.url does: --engine-model."
    elif engine.url or engine.key_file or engine.metrics_url:
        return "url, key_file and metrics_url are of openai-url", f"Leave them out, or set kind (now {engine.kind})."
    if engine.metrics_url and not _URL.match(engine.metrics_url):
        return f"metrics_url is {engine.metrics_url!r}", "It takes the whole address of a Prometheus page."
    if engine.adapters and engine.kind in (EngineKind.NONE, EngineKind.LLAMA):
        return f"adapters are there and kind is {engine.kind}", "LoRA adapters are served by vllm, or by openai-url."
    if bad := next((kb for kb in engine.adapters if not _KB.fullmatch(kb)), None):
        return f"adapters has {bad!r}", "Its keys are knowledge bases: lower-case letters, digits, - and _."
    return None


def _problem_of_limits(engine: EngineConfig) -> tuple[str, str] | None:
    if engine.max_num_batched_tokens < engine.max_num_seqs:
        return (
            f"max_num_batched_tokens is {engine.max_num_batched_tokens}, below max_num_seqs ({engine.max_num_seqs})",
            "Each sequence of a step takes at least one token: 512 for the first token soon, 2048 for throughput.",
        )
    if engine.device == "cpu" and engine.tensor_parallel > 1:
        return "tensor_parallel is of device cuda", "Set device: cuda, or leave it at 1."
    try:
        words(engine)
    except ValueError as error:
        return f"extra_args can not be taken apart: {error}", "Quote as in a shell."
    return None
