"""Which processes a place consists of."""

from dataclasses import replace
from pathlib import Path

from causeway.cli.keys import SiteKeys
from causeway.cli.process_spec import (
    ProcessSpec,
    Surroundings,
    base_specs,
    commands_needed,
    processes_count,
    service_specs,
    site_url,
)
from causeway.cli.site_config import (
    GeneratorConfig,
    MilvusConfig,
    PortsConfig,
    ServiceConfig,
    SiteConfig,
)
from causeway.cli.site_folder import SiteFolder

PROGRAMS = (
    "nats-server",
    "causeway-milvus",
    "ingestor",
    "embedder",
    "edge-inference",
    "cloud-inference",
    "sync-delta",
)
AROUND = Surroundings(
    commands={name: f"/bin/{name}" for name in PROGRAMS},
    environ={"PATH": "/bin", "CAUSEWAY_NATS_URL": "nats://elsewhere", "EMBEDDER_TYPO": "1", "CAUSEWAY_MODELS": "/m"},
    keys=SiteKeys(Path("/keys")),
    folder=SiteFolder(Path("/place")),
    vault=Path("/vault"),
    secrets={"CAUSEWAY_STORAGE_KEY": "k-storage", "CAUSEWAY_NATS_PASSWORD": "k-password"},
)
LINKED = replace(AROUND, linked=True)
HUB = SiteConfig(site="hub")


def all_of(config: SiteConfig, around: Surroundings) -> dict[str, ProcessSpec]:
    ports = list(range(1, processes_count(config, around.linked) + 1))
    return {spec.name: spec for spec in (*base_specs(config, around), *service_specs(config, around, ports))}


def test_a_site_alone_has_no_sync_delta_and_no_milvus() -> None:
    assert list(all_of(SiteConfig(), AROUND)) == ["nats-server", "ingestor", "embedder", "edge-inference"]
    assert commands_needed(SiteConfig(), linked=False) == ("nats-server", "ingestor", "embedder", "edge-inference")


def test_a_joined_site_has_a_sync_delta_that_knows_both_users() -> None:
    sync = all_of(SiteConfig(site="plant-1"), LINKED)["sync-delta"]
    given = {name: value for name, value in sync.env.items() if name.startswith(("SYNC_DELTA_", "CAUSEWAY_NATS"))}
    assert given == {
        "CAUSEWAY_NATS_URL": "nats://127.0.0.1:4222",
        "CAUSEWAY_NATS_USER": "causeway",
        "CAUSEWAY_NATS_PASSWORD_FILE": "/keys/nats.password",
        "SYNC_DELTA_ROLE": "site",
        "SYNC_DELTA_STATE_DIR": "/place/sync-delta",
        "SYNC_DELTA_ARTIFACTS_DIR": "/place/artifacts",
        "SYNC_DELTA_CHUNK_KEY_FILE": "/keys/chunk.key",
        "SYNC_DELTA_LINK_USER": "link",
        "SYNC_DELTA_LINK_PASSWORD_FILE": "/keys/link.password",
        "SYNC_DELTA_METRICS_PORT": "4",
    }


def test_edge_inference_asks_the_hub_as_the_user_of_the_link_where_there_is_a_hub() -> None:
    def link(config: SiteConfig, around: Surroundings) -> dict[str, str]:
        env = all_of(config, around)["edge-inference"].env
        return {name: value for name, value in env.items() if name.startswith("EDGE_INFERENCE_LINK")}

    assert link(SiteConfig(site="plant-1"), LINKED) == {
        "EDGE_INFERENCE_LINK_USER": "link",
        "EDGE_INFERENCE_LINK_PASSWORD_FILE": "/keys/link.password",
    }
    assert link(SiteConfig(), AROUND) == {}
    assert link(HUB, LINKED) == {}


def test_a_hub_runs_a_milvus_on_loopback_and_tells_sync_delta_where() -> None:
    specs = all_of(HUB, LINKED)
    assert list(specs) == list(PROGRAMS)
    milvus = specs["causeway-milvus"]
    assert milvus.argv[1:] == ("--data", "/place/milvus", "--host", "127.0.0.1", "--port", "19530")
    assert milvus.ready_url == "tcp://127.0.0.1:19530"
    sync = specs["sync-delta"].env
    assert (sync["SYNC_DELTA_ROLE"], sync["SYNC_DELTA_MILVUS_URI"]) == ("hub", "http://127.0.0.1:19530")
    assert "SYNC_DELTA_LINK_USER" not in sync
    assert "SYNC_DELTA_MILVUS_TOKEN_FILE" not in sync


def test_a_milvus_of_someone_else_is_used_and_none_is_started() -> None:
    config = replace(HUB, milvus=MilvusConfig(uri="http://milvus.lan:19530", token_file="/secret/token"))
    specs = all_of(config, LINKED)
    assert "causeway-milvus" not in specs
    assert "causeway-milvus" not in commands_needed(config, linked=True)
    assert specs["sync-delta"].env["SYNC_DELTA_MILVUS_URI"] == "http://milvus.lan:19530"
    assert specs["sync-delta"].env["SYNC_DELTA_MILVUS_TOKEN_FILE"] == "/secret/token"


def test_what_services_rest_upon_is_stopped_after_them() -> None:
    based = {name for name, spec in all_of(HUB, LINKED).items() if spec.base}
    assert based == {"nats-server", "causeway-milvus"}


def test_secrets_go_only_to_the_server_and_never_onto_a_command_line() -> None:
    specs = all_of(HUB, LINKED)
    assert specs.pop("nats-server").env["CAUSEWAY_STORAGE_KEY"] == "k-storage"
    for spec in specs.values():
        assert "k-storage" not in " ".join(spec.argv) + repr(spec)
        assert "k-storage" not in spec.env.values()
    assert "k-storage" not in repr(AROUND)


def test_settings_come_from_the_configuration_and_not_from_the_shell() -> None:
    embedder = all_of(SiteConfig(), AROUND)["embedder"]
    assert embedder.env["CAUSEWAY_NATS_URL"] == "nats://127.0.0.1:4222"
    assert "EMBEDDER_TYPO" not in embedder.env
    assert embedder.env["CAUSEWAY_MODELS"] == "/m"
    assert embedder.env["EMBEDDER_METRICS_PORT"] == "2"


def test_replicas_have_names_ports_and_vaults_of_their_own() -> None:
    services = SiteConfig().services | {"edge-inference": ServiceConfig(replicas=2, settings={"threads": "3"})}
    specs = all_of(replace(SiteConfig(), services=services), AROUND)
    one, two = specs["edge-inference-1"], specs["edge-inference-2"]
    assert (one.env["EDGE_INFERENCE_VAULT_DIR"], two.env["EDGE_INFERENCE_VAULT_DIR"]) == ("/vault/1", "/vault/2")
    assert two.env["EDGE_INFERENCE_THREADS"] == "3"
    assert two.ready_url == "http://127.0.0.1:4/readyz"


def test_a_generator_is_given_only_where_one_is_configured() -> None:
    assert "EDGE_INFERENCE_GENERATOR" not in all_of(SiteConfig(), AROUND)["edge-inference"].env
    config = replace(SiteConfig(), generator=GeneratorConfig(model="generator", threads=4))
    env = all_of(config, AROUND)["edge-inference"].env
    assert (env["EDGE_INFERENCE_GENERATOR"], env["EDGE_INFERENCE_GENERATOR_THREADS"]) == ("generator", "4")


def test_a_site_that_listens_everywhere_is_reached_on_loopback() -> None:
    config = replace(SiteConfig(), ports=PortsConfig(host="0.0.0.0", nats=5000))
    assert site_url(config) == "nats://127.0.0.1:5000"
