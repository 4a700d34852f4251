"""A running site: the message server first, its streams, then the services; all of it stopped at the end."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from causeway.bus import Bus, BusSettings, ProblemReply, RequestFailed
from causeway.bus.streams import declare
from causeway.cli.admission import admit
from causeway.cli.commands_found import find_commands
from causeway.cli.errors import SiteFolderError, StartFailedError
from causeway.cli.http_get import http_get
from causeway.cli.keys import SiteKeys, key_check, make_missing, read_secret
from causeway.cli.nats_config import STORAGE_KEY_VARIABLE, USER, NatsServer, render_nats_config
from causeway.cli.ports import choose_ports
from causeway.cli.process_spec import (
    ProcessSpec,
    Surroundings,
    nats_spec,
    processes_count,
    service_specs,
    site_url,
)
from causeway.cli.restarts import RestartPolicy
from causeway.cli.site_config import SiteConfig
from causeway.cli.site_folder import SiteFolder, SiteIdentity, SiteRecord, holds_streams, write_whole
from causeway.cli.supervisor import READY_POLL_S, Supervisor, Watcher
from causeway.models.chosen import embedding_folder
from causeway.proto import subjects
from causeway.proto.answers import Search, SearchResult
from causeway.proto.streams import ALL_SITE

ANSWERS_TIMEOUT_S = 30.0
ANSWERS_TRY_S = 5.0


@dataclass(frozen=True, kw_only=True)
class RunningSite:
    """A site that is ready, as its own process sees it."""

    record: SiteRecord
    folder: SiteFolder
    supervisor: Supervisor


@dataclass(frozen=True, kw_only=True)
class _Preparation:
    config: SiteConfig
    around: Surroundings
    identity: SiteIdentity
    fresh: bool
    metrics_ports: list[int]


@asynccontextmanager
async def running_site(
    config: SiteConfig, folder: SiteFolder, watcher: Watcher, keys_made: Callable[[SiteKeys, list[Path]], None]
) -> AsyncIterator[RunningSite]:
    """Start the site in `folder` and stop it at the end of the block.

    Raises:
        UserError: the folder is held or does not fit, a port is taken, or a process does not start. Everything that
            was started is stopped, and nothing is declared over data that can not be read.
    """
    with folder.held():
        ready = _prepare(config, folder, keys_made)
        supervision = ready.config.supervision
        supervisor = Supervisor(
            folder, lambda: RestartPolicy(supervision.crashes_max, float(supervision.window_s)), watcher
        )
        try:
            record = await _start(ready, folder, supervisor)
            yield RunningSite(record=record, folder=folder, supervisor=supervisor)
        finally:
            with suppress(asyncio.CancelledError):
                await asyncio.shield(supervisor.stop(float(supervision.stop_timeout_s)))


def _prepare(config: SiteConfig, folder: SiteFolder, keys_made: Callable[[SiteKeys, list[Path]], None]) -> _Preparation:
    commands = find_commands()
    # Raises what is missing and how to get it, before anything is started.
    embedding_folder(config.model.name)
    known = folder.identity()
    streams_there = holds_streams(folder.jetstream)
    keys = SiteKeys(Path(config.security.keys).expanduser() if config.security.keys else folder.keys)
    made = make_missing(keys, initialised=known is not None or streams_there)
    keys_made(keys, made)
    storage_key = os.environ.get(STORAGE_KEY_VARIABLE) or read_secret(keys.storage)
    check = key_check(storage_key) if config.security.encryption else ""
    wanted = SiteIdentity(site=config.site, encryption=config.security.encryption, storage_key_check=check)
    fresh = admit(known, wanted, streams_there)
    ports, metrics_ports = choose_ports(config.ports, processes_count(config))
    config = replace(config, ports=ports)
    folder.prepare()
    around = Surroundings(
        commands=commands,
        environ=os.environ,
        keys=keys,
        vault=Path(config.storage.path).expanduser() if config.storage.path else folder.vault,
        nats_config=folder.nats_config_file,
        storage_key=storage_key,
        password=read_secret(keys.password),
    )
    return _Preparation(config=config, around=around, identity=wanted, fresh=fresh, metrics_ports=metrics_ports)


async def _start(ready: _Preparation, folder: SiteFolder, supervisor: Supervisor) -> SiteRecord:
    config, around = ready.config, ready.around
    write_whole(folder.nats_config_file, render_nats_config(_server(config, folder)).encode())
    nats = nats_spec(config, around)
    await supervisor.start(nats)
    await supervisor.ready(nats)
    await _refuse_unreadable_streams(config)
    await _declare(ready, folder)
    specs = service_specs(config, around, ready.metrics_ports)
    for spec in specs:
        await supervisor.start(spec)
    await asyncio.gather(*(supervisor.ready(spec) for spec in specs))
    async with Bus(_bus_settings(ready)) as bus:
        await _answers(bus)
    return _publish_record(ready, folder, supervisor, specs)


def _server(config: SiteConfig, folder: SiteFolder) -> NatsServer:
    return NatsServer(
        site=config.site,
        host=config.ports.host,
        port=config.ports.nats,
        monitor_port=config.ports.monitor,
        store_dir=str(folder.jetstream.resolve()),
        store_gb=config.limits.store_gb,
        memory_mb=config.limits.memory_mb,
        encryption=config.security.encryption,
    )


async def _refuse_unreadable_streams(config: SiteConfig) -> None:
    """Before anything is declared: a stream that was not recovered would be deleted by declaring it."""
    _, body = await http_get(f"http://127.0.0.1:{config.ports.monitor}/healthz")
    if "could not be recovered" in body:
        raise SiteFolderError(
            f"nats-server can not read the site's streams: {body.strip()}",
            "Most likely the storage key is not the one that they were written with: put the right storage.key (or "
            "CAUSEWAY_STORAGE_KEY) back. Nothing was declared or changed.",
        )


async def _declare(ready: _Preparation, folder: SiteFolder) -> None:
    """The identity is written before and after, so that a crash in between is known to be one."""
    if ready.fresh:
        folder.write_identity(ready.identity)
    async with Bus(_bus_settings(ready)) as bus:
        await declare(bus, ALL_SITE, fresh=ready.fresh)
    folder.write_identity(msgspec.structs.replace(ready.identity, declared=True))


def _bus_settings(ready: _Preparation) -> BusSettings:
    return BusSettings(
        url=site_url(ready.config),
        site=ready.config.site,
        service="cli",
        user=USER,
        password=ready.around.password,
    )


async def _answers(bus: Bus) -> None:
    """Return when a question gets a reply, whatever it says: a subscription may reach the server after its service
    has said that it is ready.

    Raises:
        StartFailedError: there is no reply in time.
    """
    probe = Search(kb="readiness", question="ready?", documents_max=1)
    deadline = time.monotonic() + ANSWERS_TIMEOUT_S
    while True:
        try:
            await bus.request(subjects.SEARCH.at(bus.settings.site, probe.kb), probe, SearchResult, ANSWERS_TRY_S)
        except ProblemReply:
            return
        except RequestFailed as error:
            if time.monotonic() > deadline:
                raise StartFailedError(f"no question is answered: {error}", "Look at edge-inference.log.") from error
            await asyncio.sleep(READY_POLL_S)
        else:
            return


def _publish_record(
    ready: _Preparation, folder: SiteFolder, supervisor: Supervisor, specs: list[ProcessSpec]
) -> SiteRecord:
    started = time.time()

    def write() -> SiteRecord:
        record = SiteRecord(
            site=ready.config.site,
            url=site_url(ready.config),
            user=USER,
            password_file=str(ready.around.keys.password.resolve()),
            monitor_url=f"http://127.0.0.1:{ready.config.ports.monitor}",
            metrics_urls={spec.name: spec.metrics_url for spec in specs},
            pid=os.getpid(),
            pids=supervisor.pids,
            started_unix_s=started,
        )
        folder.write_record(record)
        return record

    supervisor.on_change = write
    return write()
