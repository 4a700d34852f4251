"""Which processes a site consists of."""

from dataclasses import replace
from pathlib import Path

from causeway.cli.keys import SiteKeys
from causeway.cli.process_spec import Surroundings, nats_spec, processes_count, service_specs, site_url
from causeway.cli.site_config import GeneratorConfig, PortsConfig, SecurityConfig, ServiceConfig, SiteConfig

AROUND = Surroundings(
    commands={name: f"/bin/{name}" for name in ("nats-server", "ingestor", "embedder", "edge-inference")},
    environ={"PATH": "/bin", "CAUSEWAY_NATS_URL": "nats://elsewhere", "EMBEDDER_TYPO": "1", "CAUSEWAY_MODELS": "/m"},
    keys=SiteKeys(Path("/keys")),
    vault=Path("/vault"),
    nats_config=Path("/site/nats-server.conf"),
    storage_key="k-storage",
    password="k-password",
)


def test_secrets_go_only_to_the_server_and_never_onto_a_command_line() -> None:
    config = SiteConfig()
    server = nats_spec(config, AROUND)
    assert server.env["CAUSEWAY_STORAGE_KEY"] == "k-storage"
    services = service_specs(config, AROUND, [1, 2, 3])
    for spec in (server, *services):
        assert "k-storage" not in " ".join(spec.argv) + repr(spec)
    assert all("k-storage" not in spec.env.values() for spec in services)


def test_without_encryption_the_server_gets_no_storage_key() -> None:
    config = replace(SiteConfig(), security=SecurityConfig(encryption=False))
    assert "CAUSEWAY_STORAGE_KEY" not in nats_spec(config, AROUND).env


def test_settings_come_from_the_configuration_and_not_from_the_shell() -> None:
    embedder = service_specs(SiteConfig(), AROUND, [1, 2, 3])[1]
    assert embedder.env["CAUSEWAY_NATS_URL"] == "nats://127.0.0.1:4222"
    assert "EMBEDDER_TYPO" not in embedder.env
    assert embedder.env["CAUSEWAY_MODELS"] == "/m"
    assert embedder.env["EMBEDDER_METRICS_PORT"] == "2"


def test_replicas_have_names_ports_and_vaults_of_their_own() -> None:
    services = SiteConfig().services | {"edge-inference": ServiceConfig(replicas=2, settings={"threads": "3"})}
    config = replace(SiteConfig(), services=services)
    assert processes_count(config) == 4
    one, two = service_specs(config, AROUND, [1, 2, 3, 4])[2:]
    assert (one.name, two.name) == ("edge-inference-1", "edge-inference-2")
    assert (one.env["EDGE_INFERENCE_VAULT_DIR"], two.env["EDGE_INFERENCE_VAULT_DIR"]) == ("/vault/1", "/vault/2")
    assert two.env["EDGE_INFERENCE_THREADS"] == "3"
    assert two.ready_url == "http://127.0.0.1:4/readyz"


def test_a_generator_is_given_only_where_one_is_configured() -> None:
    assert "EDGE_INFERENCE_GENERATOR" not in service_specs(SiteConfig(), AROUND, [1, 2, 3])[2].env
    config = replace(SiteConfig(), generator=GeneratorConfig(model="generator", threads=4))
    env = service_specs(config, AROUND, [1, 2, 3])[2].env
    assert (env["EDGE_INFERENCE_GENERATOR"], env["EDGE_INFERENCE_GENERATOR_THREADS"]) == ("generator", "4")


def test_a_site_that_listens_everywhere_is_reached_on_loopback() -> None:
    config = replace(SiteConfig(), ports=PortsConfig(host="0.0.0.0", nats=5000))
    assert site_url(config) == "nats://127.0.0.1:5000"
