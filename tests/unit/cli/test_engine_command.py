"""The engine's process, and what cloud-inference is told of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from causeway.cli.engine_command import Engine, cloud_settings, engine_argv, engine_environment
from causeway.cli.engine_config import EngineConfig, EngineKind
from causeway.cli.keys import SiteKeys
from causeway.cli.process_spec import Surroundings, engine_spec, service_specs
from causeway.cli.site_config import SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.cloud_inference.settings import Settings

KEY = "k-of-the-engine"
VLLM = EngineConfig(kind=EngineKind.VLLM)
LLAMA = EngineConfig(kind=EngineKind.LLAMA, max_num_seqs=4, threads=2)
GPU = replace(VLLM, device="cuda", tensor_parallel=2, max_num_batched_tokens=512, max_num_seqs=256)


def found(config: EngineConfig, **more: Any) -> Engine:
    return Engine(config=config, program="/v/bin/python", model=Path("/m/qwen"), name="qwen", key=KEY, **more)


def around(engine: Engine) -> Surroundings:
    return Surroundings(
        commands=dict.fromkeys(("ingestor", "embedder", "edge-inference", "cloud-inference", "sync-delta"), "/bin/x"),
        environ={"PATH": "/bin", "CLOUD_INFERENCE_TYPO": "1"},
        keys=SiteKeys(Path("/keys")),
        folder=SiteFolder(Path("/place")),
        vault=Path("/vault"),
        secrets={},
        linked=True,
        engine=engine,
    )


def value_of(argv: tuple[str, ...], option: str) -> str:
    return argv[argv.index(option) + 1]


def cloud_environment(config: SiteConfig, engine: Engine) -> dict[str, str]:
    specs = {spec.name: spec for spec in service_specs(config, around(engine), [1, 2, 3, 4, 5])}
    assert "CLOUD_INFERENCE_TYPO" not in specs["cloud-inference"].env
    return {name: value for name, value in specs["cloud-inference"].env.items() if name.startswith("CLOUD_INFERENCE_")}


def test_vllm_on_a_cpu_compiles_nothing_and_runs_as_one_process_less() -> None:
    argv, environment = engine_argv(found(VLLM), 8000), engine_environment(found(VLLM))
    assert argv[:3] == ("/v/bin/python", "-m", "vllm.entrypoints.openai.api_server")
    assert (value_of(argv, "--host"), value_of(argv, "--port")) == ("127.0.0.1", "8000")
    assert (value_of(argv, "--model"), value_of(argv, "--served-model-name")) == ("/m/qwen", "qwen")
    assert "--enforce-eager" in argv
    assert value_of(argv, "--distributed-executor-backend") == "uni"
    assert environment["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert (environment["VLLM_CPU_KVCACHE_SPACE"], environment["OMP_NUM_THREADS"]) == ("1", "1")
    assert "--tensor-parallel-size" not in argv


def test_vllm_on_gpus_has_tensor_parallel_prefix_caching_and_cuda_graphs() -> None:
    argv, environment = engine_argv(found(GPU), 8000), engine_environment(found(GPU))
    assert value_of(argv, "--tensor-parallel-size") == "2"
    assert value_of(argv, "--max-num-batched-tokens") == "512"
    assert value_of(argv, "--max-num-seqs") == "256"
    assert value_of(argv, "--gpu-memory-utilization") == "0.9"
    assert value_of(argv, "--compilation-config") == '{"cudagraph_mode": "FULL_AND_PIECEWISE"}'
    assert "--enable-prefix-caching" in argv
    assert not {"--enforce-eager", "--dtype"} & set(argv)
    assert not {name for name in environment if "CPU" in name or "MULTIPROCESSING" in name}


def test_cuda_graphs_and_prefix_caching_can_be_turned_off() -> None:
    argv = engine_argv(found(replace(GPU, cuda_graphs=False, prefix_caching=False)), 8000)
    assert {"--enforce-eager", "--no-enable-prefix-caching"} <= set(argv)
    assert not {"--compilation-config", "--enable-prefix-caching"} & set(argv)


def test_further_arguments_come_last_so_that_they_hold() -> None:
    argv = engine_argv(found(replace(VLLM, extra_args="--dtype float32 --seed 7")), 8000)
    assert argv[-4:] == ("--dtype", "float32", "--seed", "7")


def test_adapters_are_served_by_their_folders_name() -> None:
    adapters = {"finance": Path("/a/finance"), "clinic": Path("/b/clinic")}
    argv = engine_argv(found(VLLM, adapters=adapters), 8000)
    assert "--enable-lora" in argv
    first = argv.index("--lora-modules")
    assert argv[first + 1 : first + 3] == ("clinic=/b/clinic", "finance=/a/finance")
    assert (value_of(argv, "--max-loras"), value_of(argv, "--max-lora-rank")) == ("2", "16")
    assert "--enable-lora" not in engine_argv(found(VLLM), 8000)


@pytest.mark.parametrize("config", [VLLM, GPU, LLAMA])
def test_the_engines_key_is_in_its_environment_and_never_on_its_command_line(config: EngineConfig) -> None:
    engine = found(config)
    place = SiteConfig(site="hub", engine=config)
    spec = engine_spec(place, around(engine))
    assert spec is not None
    assert KEY not in " ".join(spec.argv) + repr(spec) + repr(engine) + repr(around(engine))
    assert KEY in spec.env.values()
    assert (spec.base, spec.ready_url) == (True, "http://127.0.0.1:8000/health")


@pytest.mark.parametrize("config", [EngineConfig(), EngineConfig(kind=EngineKind.URL, url="http://h", model="m")])
def test_an_engine_that_is_not_ours_has_no_process(config: EngineConfig) -> None:
    assert engine_spec(SiteConfig(site="hub", engine=config), around(Engine(config=config))) is None


def test_llama_cpp_shares_its_context_out_as_it_is_told() -> None:
    argv = engine_argv(found(LLAMA), 9)
    assert argv[:3] == ("/v/bin/python", "-m", "causeway.cli.llama_engine")
    assert (value_of(argv, "--parallel"), value_of(argv, "--threads"), value_of(argv, "--context")) == (
        "4",
        "2",
        "4096",
    )


def test_without_an_engine_cloud_inference_knows_that_there_is_none() -> None:
    told = cloud_environment(SiteConfig(site="hub"), Engine())
    assert told["CLOUD_INFERENCE_ENGINE"] == "none"
    assert "CLOUD_INFERENCE_ENGINE_URL" not in told


def test_cloud_inference_finds_the_engine_of_the_hub_and_its_adapters_by_kb() -> None:
    engine = found(VLLM, by_kb={"loans": "finance", "bonds": "finance"}, key_file=Path("/keys/engine.key"))
    told = cloud_environment(SiteConfig(site="hub", engine=VLLM), engine)
    assert told == {
        "CLOUD_INFERENCE_ENGINE": "vllm",
        "CLOUD_INFERENCE_ENGINE_URL": "http://127.0.0.1:8000",
        "CLOUD_INFERENCE_ENGINE_MODEL": "qwen",
        "CLOUD_INFERENCE_ENGINE_METRICS_URL": "http://127.0.0.1:8000/metrics",
        "CLOUD_INFERENCE_ENGINE_KEY_FILE": "/keys/engine.key",
        "CLOUD_INFERENCE_ENGINE_SEQUENCES_MAX": "16",
        "CLOUD_INFERENCE_ENGINE_CONTEXT_TOKENS": "4096",
        "CLOUD_INFERENCE_REQUESTS_MAX": "16",
        "CLOUD_INFERENCE_ADAPTERS": "bonds=finance,loans=finance",
        "CLOUD_INFERENCE_MILVUS_URI": "http://127.0.0.1:19530",
        "CLOUD_INFERENCE_MODEL": "multilingual-e5-small",
        "CLOUD_INFERENCE_PRECISION": "int8",
        "CLOUD_INFERENCE_DEVICE": "cpu",
        "CLOUD_INFERENCE_METRICS_PORT": "4",
    }


def test_an_engine_elsewhere_is_named_without_v1_and_judged_by_its_own_page() -> None:
    config = EngineConfig(kind=EngineKind.URL, url="https://h/api/v1", model="m", metrics_url="http://h:9/metrics")
    told = cloud_settings(Engine(config=config, name="m", by_kb={"k": "lora"}), 8000)
    assert (told["engine_url"], told["engine_metrics_url"]) == ("https://h/api", "http://h:9/metrics")
    assert (told["engine_model"], told["adapters"]) == ("m", "k=lora")
    assert "engine_key_file" not in told


@pytest.mark.parametrize("config", [EngineConfig(), VLLM, LLAMA, EngineConfig(kind=EngineKind.URL, url="http://h")])
def test_cloud_inference_reads_every_setting_that_it_is_given(config: EngineConfig) -> None:
    fields = {field.name for field in msgspec.structs.fields(Settings)}
    engine = found(config, by_kb={"k": "a"}, key_file=Path("/keys/engine.key"))
    assert set(cloud_settings(engine, 8000)) <= fields
