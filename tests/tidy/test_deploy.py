"""What deploy/ and docker-compose.yml say is what the services read, and what the operator's command writes."""

import importlib
import re
from typing import Any

import msgspec
import pytest
import yaml

from causeway.cli.printed_config import Deployment, site_files
from causeway.cli.site_config import SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.runtime import ServiceSettings
from tests.tidy.tree import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
LASTING = ("ingestor", "embedder", "edge-inference")
COMMON = {f"CAUSEWAY_{field.upper()}" for field in ServiceSettings.__struct_fields__}


def without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("service", LASTING)
def test_the_compose_file_gives_a_service_only_settings_that_it_reads_and_all_that_it_must_have(service: str) -> None:
    settings = importlib.import_module(f"causeway.{service.replace('-', '_')}.settings").Settings
    prefix = service.upper().replace("-", "_")
    fields = {
        field.name: field
        for field in msgspec.structs.fields(settings)
        if f"CAUSEWAY_{field.name.upper()}" not in COMMON
    }
    given = set(COMPOSE["services"][service]["environment"])
    own = {name for name in given if name.startswith(f"{prefix}_")}
    assert own <= {f"{prefix}_{name.upper()}" for name in fields}
    assert given - own <= COMMON
    needed = {f"{prefix}_{name.upper()}" for name, field in fields.items() if field.required}
    assert needed <= own


@pytest.mark.parametrize("service", sorted(COMPOSE["services"]))
def test_every_container_is_limited_hardened_and_refers_to_what_is_defined(service: str) -> None:
    entry = COMPOSE["services"][service]
    assert set(entry["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert entry["read_only"] is True
    assert entry["cap_drop"] == ["ALL"]
    assert set(entry.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert set(entry.get("networks", [])) <= set(COMPOSE["networks"])
    assert set(entry.get("depends_on", {})) <= set(COMPOSE["services"])
    named = {volume.split(":")[0] for volume in entry.get("volumes", []) if not volume.startswith(".")}
    assert named <= set(COMPOSE["volumes"])


def test_services_have_no_way_out_but_the_message_server() -> None:
    assert COMPOSE["networks"]["site"]["internal"] is True
    assert [name for name, entry in COMPOSE["services"].items() if "door" in entry.get("networks", [])] == ["nats"]
    assert [name for name, entry in COMPOSE["services"].items() if entry.get("ports")] == ["nats"]
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"]["nats"]["ports"])


def test_the_secrets_that_the_compose_file_reads_are_those_that_make_secrets_makes() -> None:
    script = (ROOT / "deploy" / "make-secrets").read_text(encoding="utf-8")
    made = set((re.search(r"for name in (.*); do", script) or ["", ""])[1].split())
    assert {secret["file"].rpartition("/")[2] for secret in COMPOSE["secrets"].values()} == made


def test_the_server_of_the_containers_is_configured_as_that_of_the_command() -> None:
    files = site_files(SiteConfig(site="SITE"), SiteFolder(ROOT), None, Deployment.COMPOSE)
    committed = (ROOT / "deploy" / "nats" / "site.conf").read_text(encoding="utf-8")
    rendered = files["nats-server.conf"].replace('"SITE"', "$CAUSEWAY_SITE")
    assert without_comments(committed) == without_comments(rendered)
