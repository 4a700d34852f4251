"""What deploy/ and docker-compose.yml say is what the services read, and what the operator's command writes."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from causeway.cli.keys import SiteKeys
from causeway.cli.printed_config import Deployment, site_files
from causeway.cli.site_config import SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.edge_inference.settings import from_environment
from causeway.runtime import ServiceSettings
from causeway.topology.names import LINK_USER
from tests.tidy.tree import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
LASTING = ("ingestor", "embedder", "edge-inference", "sync-delta")
MANIFESTS = ROOT / "deploy" / "k8s"
KEYS = SiteKeys(Path("keys"))
COMMON = {f"CAUSEWAY_{field.upper()}" for field in ServiceSettings.__struct_fields__}


def without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def check_settings(service: str, given: set[str]) -> None:
    """The environment has all that the service must have and nothing that it does not read."""
    settings = importlib.import_module(f"causeway.{service.replace('-', '_')}.settings").Settings
    prefix = service.upper().replace("-", "_")
    fields = {
        field.name: field
        for field in msgspec.structs.fields(settings)
        if f"CAUSEWAY_{field.name.upper()}" not in COMMON
    }
    own = {name for name in given if name.startswith(f"{prefix}_")}
    assert own <= {f"{prefix}_{name.upper()}" for name in fields}
    assert given - own <= COMMON
    needed = {f"{prefix}_{name.upper()}" for name, field in fields.items() if field.required}
    assert needed <= own


@pytest.mark.parametrize("service", LASTING)
@pytest.mark.parametrize("place", ["", "hub-"])
def test_the_compose_file_gives_a_service_only_settings_that_it_reads_and_all_that_it_must_have(
    service: str, place: str
) -> None:
    check_settings(service, set(COMPOSE["services"][f"{place}{service}"]["environment"]))


@pytest.mark.parametrize("service", LASTING)
def test_the_manifests_give_a_service_only_settings_that_it_reads_and_all_that_it_must_have(service: str) -> None:
    (container,) = [pod["containers"][0] for name, pod in pods() if name == service]
    check_settings(service, {variable["name"] for variable in container["env"]})


@pytest.mark.parametrize(("join", "user"), [("/etc/causeway/nats/site.join", LINK_USER), ("", "")])
def test_a_site_that_has_joined_asks_the_hub_as_the_user_of_the_link_and_another_asks_nobody(
    join: str, user: str
) -> None:
    entry = COMPOSE["services"]["edge-inference"]
    given = {name: filled(value, {"CAUSEWAY_JOIN": join}) for name, value in entry["environment"].items()}
    settings = from_environment(given)
    assert settings.link_user == user
    assert settings.link_password_file == Path("/run/secrets/link_password")
    sync = COMPOSE["services"]["sync-delta"]["environment"]
    assert sync["SYNC_DELTA_LINK_USER"] == LINK_USER
    assert sync["SYNC_DELTA_LINK_PASSWORD_FILE"] == str(settings.link_password_file)
    assert "link_password" in entry["secrets"]


def filled(value: str, variables: dict[str, str]) -> str:
    """As compose fills in `${NAME:-default}` and `${NAME:+instead}`."""

    def one(found: re.Match[str]) -> str:
        name, sign, word = found.groups()
        given = variables.get(name, "")
        return (word if given else "") if sign == "+" else given or word

    return re.sub(r"\$\{(\w+):([-+])([^}]*)\}", one, value)


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod of the manifests, by the name of what makes it."""
    for path in sorted(MANIFESTS.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if "template" in document.get("spec", {}):
                yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def test_every_pod_is_limited_hardened_and_given_no_key_of_the_cluster() -> None:
    for name, pod in pods():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False), name
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}, name
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            claims = {"messages", "data"}
            assert mounted <= {volume["name"] for volume in pod.get("volumes", ())} | claims, name


def test_the_manifests_are_all_named_and_read_only_files_that_the_commands_write() -> None:
    plan = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text(encoding="utf-8"))
    assert set(plan["resources"]) == {path.name for path in MANIFESTS.glob("*.yaml")} - {"kustomization.yaml"}
    read = {file for one in (*plan["configMapGenerator"], *plan["secretGenerator"]) for file in one["files"]}
    written = {"nats-server.conf", "accounts.conf", "ca.pem", "hub.pem", "hub.key"}
    keys = {"storage.key", "vault.key", "chunk.key", "nats.password", "engine.key"}
    assert read == {f"hub/nats/{name}" for name in written} | {f"hub/keys/{name}" for name in keys} | {"hub/fleet.yaml"}


@pytest.mark.parametrize("service", sorted(COMPOSE["services"]))
def test_every_container_is_limited_hardened_and_refers_to_what_is_defined(service: str) -> None:
    entry = COMPOSE["services"][service]
    assert set(entry["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert entry["read_only"] is True
    assert entry["cap_drop"] == ["ALL"]
    assert set(entry.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert set(entry.get("networks", [])) <= set(COMPOSE["networks"])
    assert set(entry.get("depends_on", {})) <= set(COMPOSE["services"])
    named = {volume.split(":")[0] for volume in entry.get("volumes", []) if not volume.startswith((".", "$"))}
    assert named <= set(COMPOSE["volumes"])


def test_services_have_no_way_out_but_the_message_servers() -> None:
    servers = ["nats", "hub-nats"]
    assert all(COMPOSE["networks"][name]["internal"] for name in ("site", "hub"))
    assert [name for name, entry in COMPOSE["services"].items() if "door" in entry.get("networks", [])] == servers
    assert [name for name, entry in COMPOSE["services"].items() if entry.get("ports")] == servers
    # Only the door for sites, who have keys and certificates, is open to others than this machine.
    open_ports = [port for name in servers for port in COMPOSE["services"][name]["ports"]]
    assert [port for port in open_ports if not port.startswith("127.0.0.1:")] == ["${CAUSEWAY_LEAF_PORT:-7422}:7422"]


def test_the_secrets_that_the_compose_file_reads_are_those_that_are_made() -> None:
    script = (ROOT / "deploy" / "make-secrets").read_text(encoding="utf-8")
    of_site = set((re.search(r"for name in (.*); do", script) or ["", ""])[1].split())
    files = [Path(secret["file"]) for secret in COMPOSE["secrets"].values()]
    assert {file.name for file in files if file.parent == Path("deploy/secrets")} == of_site
    of_hub = {file.name for file in files if file.parent == Path("deploy/hub/keys")}
    assert of_hub == {path.name for path in (*KEYS.lasting(), KEYS.password, KEYS.engine)}


def test_the_server_of_the_containers_is_configured_as_that_of_the_command() -> None:
    files = site_files(SiteConfig(site="SITE"), SiteFolder(ROOT), None, Deployment.COMPOSE)
    committed = (ROOT / "deploy" / "nats" / "nats-server.conf").read_text(encoding="utf-8")
    rendered = files["nats-server.conf"].replace('"SITE"', "$CAUSEWAY_SITE")
    assert without_comments(committed) == without_comments(rendered)
