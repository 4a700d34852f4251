"""The configuration of a place's nats-server for each way to run it: a process here, compose, or Kubernetes."""

import enum
from collections.abc import Mapping

import msgspec

from causeway.cli.hub_folder import certificate_files
from causeway.cli.join_file import KEPT
from causeway.cli.keys import SiteKeys
from causeway.cli.linkage import hub_linkage, site_linkage
from causeway.cli.site_config import LimitsConfig, PortsConfig, SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.proto.subjects import HUB
from causeway.topology.bundle import Bundle
from causeway.topology.description import Fleet
from causeway.topology.hub_config import ACCOUNTS_FILE, HubServer, render_accounts, render_hub_config
from causeway.topology.server_config import Store, TlsFiles
from causeway.topology.site_config import Link, SiteServer, render_site_config

CONFIG_FILE = "nats-server.conf"
SEED_FILE = "leaf.seed"
STORE = "/data/jetstream"
CONTAINER_FOLDER = "/etc/causeway/nats"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside of a container, whose network says who reaches it.
LOOPBACK = "127.0.0.1"


class Deployment(enum.StrEnum):
    """Where a nats-server runs."""

    PROCESS = "process"
    COMPOSE = "compose"
    K8S = "k8s"


def hub_files(folder: SiteFolder, fleet: Fleet, deployment: Deployment) -> Mapping[str, str]:
    """The files of the hub's server by name; for a container its certificate is among them."""
    if deployment is Deployment.PROCESS:
        hub = fleet.hub
        ports = PortsConfig(nats=hub.ports.client, monitor=hub.ports.monitor)
        limits = LimitsConfig(store_gb=hub.store.gb, memory_mb=hub.store.memory_mb)
        config = SiteConfig(site=HUB, ports=ports, limits=limits)
        files = hub_linkage(folder, SiteKeys(folder.keys), fleet, rotate=False).files(config)
        return {path.name: text for path, text in files.items()}
    server = HubServer(
        store=Store(folder=STORE, gb=fleet.hub.store.gb, memory_mb=fleet.hub.store.memory_mb),
        client_host=EVERYWHERE,
        monitor_host=_monitor(deployment),
        tls=_tls("hub") if fleet.hub.tls else None,
    )
    certificates = certificate_files(folder) if fleet.hub.tls else {}
    return {CONFIG_FILE: render_hub_config(fleet.hub, server), ACCOUNTS_FILE: render_accounts(fleet), **certificates}


def site_files(
    config: SiteConfig, folder: SiteFolder, joined: Bundle | None, deployment: Deployment
) -> Mapping[str, str]:
    """The files of a site's server by name; in a container those that the join file holds are among them."""
    if deployment is Deployment.PROCESS:
        linkage = site_linkage(folder, SiteKeys(folder.keys), config.site, joined, rotate=False)
        return {path.name: text for path, text in linkage.files(config).items()}
    link = None
    if joined is not None:
        tls = _tls("site") if joined.tls else None
        link = Link(urls=tuple(joined.urls), compression=joined.compression, tls=tls)
    server = SiteServer(
        site=config.site,
        host=EVERYWHERE,
        port=config.ports.nats,
        monitor_port=config.ports.monitor,
        monitor_host=_monitor(deployment),
        store=Store(folder=STORE, gb=config.limits.store_gb, memory_mb=config.limits.memory_mb),
    )
    return {CONFIG_FILE: render_site_config(server, link)} | _handed_out(joined)


def secret_names() -> frozenset[str]:
    """Which of the files only their owner may read."""
    return frozenset({SEED_FILE, KEPT, "site.key", "hub.key"})


def _handed_out(joined: Bundle | None) -> dict[str, str]:
    if joined is None:
        return {}
    files = {SEED_FILE: joined.seed + "\n", KEPT: msgspec.json.encode(joined).decode() + "\n"}
    if joined.tls:
        files |= {"ca.pem": joined.authority, "site.pem": joined.certificate, "site.key": joined.key}
    return files


def _monitor(deployment: Deployment) -> str:
    # Kubernetes probes from outside of the container, compose from within.
    return EVERYWHERE if deployment is Deployment.K8S else LOOPBACK


def _tls(name: str) -> TlsFiles:
    return TlsFiles(
        certificate=f"{CONTAINER_FOLDER}/{name}.pem",
        key=f"{CONTAINER_FOLDER}/{name}.key",
        authority=f"{CONTAINER_FOLDER}/ca.pem",
    )
