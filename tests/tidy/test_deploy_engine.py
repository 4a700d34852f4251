"""The engine and cloud-inference as they are deployed: what each is told is what it reads, by vLLM's own names."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from causeway.cli.engine_command import Engine, engine_argv
from causeway.cli.engine_config import EngineConfig, EngineKind
from tests.support.engine_process import VLLM_METRICS
from tests.tidy.test_deploy import COMPOSE, check_settings, pods
from tests.tidy.tree import ROOT

OVERLAY = ROOT / "deploy" / "k8s-engine"
# What both deployments have; the supervisor's own command is made from the same.
DEPLOYED = EngineConfig(
    kind=EngineKind.VLLM,
    device="cuda",
    max_model_len=8192,
    max_num_seqs=256,
    max_num_batched_tokens=2048,
    max_num_queued_reqs=512,
    drain_s=20,
)
PLACE = {"--host", "--port", "--model", "--served-model-name"}


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((OVERLAY / name).read_text(encoding="utf-8")))


def vllm_pod() -> dict[str, Any]:
    (pod,) = [each["spec"]["template"]["spec"] for each in documents("vllm.yaml") if each["kind"] == "Deployment"]
    return dict(pod)


def options(argv: list[str]) -> dict[str, str]:
    """Options with their values, whether parted by a space or by =; without those of the place."""
    found: dict[str, str] = {}
    for word in argv:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            found[name] = value
        else:
            found[next(reversed(found))] = word
    return {name: value for name, value in found.items() if name not in PLACE}


def expected(config: EngineConfig) -> dict[str, str]:
    engine = Engine(config=config, program="python3", model=Path("/model"), name="hub-model")
    return options([word for word in engine_argv(engine, 8000)[3:] if word])


def test_the_manifest_starts_vllm_as_the_supervisor_does() -> None:
    (container,) = vllm_pod()["containers"]
    assert container["command"] == ["python3", "-m", "vllm.entrypoints.openai.api_server"]
    assert options(container["args"]) == expected(replace(DEPLOYED, tensor_parallel=2))
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2


def test_compose_starts_vllm_as_the_supervisor_does() -> None:
    script = COMPOSE["services"]["hub-engine"]["command"][0].replace("\\\n", " ")
    words = shlex.split(next(line for line in script.splitlines() if line.strip().startswith("exec")))
    given = options([word for word in words[4:] if word != "$$EXTRA"])
    assert (given.pop("--tensor-parallel-size"), given.pop("--max-num-batched-tokens")) == (
        "$$GPUS",
        "$$BATCHED_TOKENS",
    )
    wanted = expected(DEPLOYED)
    assert wanted.pop("--tensor-parallel-size") == "1"
    assert wanted.pop("--max-num-batched-tokens") == "2048"
    assert given == wanted
    assert COMPOSE["services"]["hub-engine"]["environment"]["BATCHED_TOKENS"].endswith(":-2048}")


@pytest.mark.parametrize("where", ["compose", "manifest", "overlay"])
def test_cloud_inference_is_given_only_settings_that_it_reads(where: str) -> None:
    if where == "compose":
        given = set(COMPOSE["services"]["hub-cloud-inference"]["environment"])
    else:
        (container,) = [pod["containers"][0] for name, pod in pods() if name == "cloud-inference"]
        given = {variable["name"] for variable in container["env"]}
    if where == "overlay":
        (patch,) = documents("cloud-inference-patch.yaml")
        given |= {each["name"] for each in patch["spec"]["template"]["spec"]["containers"][0]["env"]}
    check_settings("cloud-inference", given)


@pytest.mark.parametrize("where", ["compose", "overlay"])
def test_cloud_inference_knows_the_limits_of_the_engine_beside_it(where: str) -> None:
    if where == "compose":
        told = COMPOSE["services"]["hub-cloud-inference"]["environment"]
    else:
        (patch,) = documents("cloud-inference-patch.yaml")
        env = patch["spec"]["template"]["spec"]["containers"][0]["env"]
        told = {each["name"]: each["value"] for each in env}
    assert told["CLOUD_INFERENCE_ENGINE_SEQUENCES_MAX"] == str(DEPLOYED.max_num_seqs)
    assert told["CLOUD_INFERENCE_ENGINE_CONTEXT_TOKENS"] == str(DEPLOYED.max_model_len)
    assert told["CLOUD_INFERENCE_ENGINE_MODEL"].strip("}").endswith("hub-model")


def test_the_engines_pod_is_limited_hardened_and_given_no_key_of_the_cluster() -> None:
    pod = vllm_pod()
    assert pod["securityContext"]["runAsNonRoot"]
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    (container,) = pod["containers"]
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "nvidia.com/gpu"}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    drain_s = int(expected(DEPLOYED)["--shutdown-timeout"])
    assert pod["terminationGracePeriodSeconds"] >= drain_s + 30, "an engine whose drain runs out must be killed"


def test_the_autoscaler_asks_for_metrics_that_vllm_has() -> None:
    (scaled,) = documents("autoscaling.yaml")
    assert scaled["spec"]["scaleTargetRef"]["name"] == "vllm"
    queries = [trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]]
    named = {name for query in queries for name in re.findall(r"vllm:\w+", query)}
    assert named
    assert named <= set(VLLM_METRICS)
    assert all(float(trigger["metadata"]["threshold"]) > 0 for trigger in scaled["spec"]["triggers"])


def test_every_file_of_the_overlay_is_named_and_stands_on_the_hubs_own() -> None:
    plan = yaml.safe_load((OVERLAY / "kustomization.yaml").read_text(encoding="utf-8"))
    named = {*plan["resources"], *(patch["path"] for patch in plan["patches"])}
    assert named == {"../k8s"} | {path.name for path in OVERLAY.glob("*.yaml")} - {"kustomization.yaml"}


def test_the_engine_has_no_way_out_and_no_port_of_its_own() -> None:
    entry = COMPOSE["services"]["hub-engine"]
    assert entry["networks"] == ["hub"]
    assert "ports" not in entry
    assert entry["user"] == "10001:10001"
