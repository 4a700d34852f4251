"""A running place, a site or the hub: its message server, its streams, then its services; all stopped at the end."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import msgspec

from causeway.bus import Bus, BusSettings, ProblemReply, RequestFailed
from causeway.cli.admission import admit
from causeway.cli.commands_found import find_commands
from causeway.cli.declaring import bus_settings, declare_account
from causeway.cli.engine_config import engine_note
from causeway.cli.engine_place import find_engine, own_key
from causeway.cli.engine_watch import engine_started
from causeway.cli.errors import SiteFolderError, StartFailedError
from causeway.cli.http_get import http_get
from causeway.cli.hub_folder import read_hub
from causeway.cli.join_file import joined_site, keep_join_file
from causeway.cli.keys import SiteKeys, key_check, make_missing, read_secret
from causeway.cli.linkage import Linkage, hub_linkage, site_linkage
from causeway.cli.ports import check_free, choose_ports
from causeway.cli.process_spec import (
    Surroundings,
    base_specs,
    commands_needed,
    engine_spec,
    processes_count,
    service_specs,
    site_url,
)
from causeway.cli.restarts import RestartPolicy
from causeway.cli.site_config import LimitsConfig, Role, SiteConfig
from causeway.cli.site_folder import (
    VERSION,
    SiteFolder,
    SiteIdentity,
    SiteRecord,
    forget_consumers,
    holds_homeless_streams,
    holds_streams,
    write_whole,
)
from causeway.cli.space_change import SpaceChange
from causeway.cli.space_record import SpaceRecord, in_force, other_model_note, read_space, vault_of, write_space
from causeway.cli.supervisor import READY_POLL_S, Supervisor, Watcher
from causeway.models.chosen import embedding_folder
from causeway.proto import subjects
from causeway.proto.answers import Search, SearchResult
from causeway.topology import names

ANSWERS_TIMEOUT_S = 30.0
ANSWERS_TRY_S = 5.0
KeysMade = Callable[[SiteKeys, list[Path]], None]


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a start is told besides the configuration: a join file, and the key that the store was encrypted with before
    the one it has now."""

    join: Path | None = None
    previous_key: Path | None = None


@dataclass(frozen=True, kw_only=True)
class RunningPlace:
    """A place that is ready, as its own process sees it."""

    record: SiteRecord
    folder: SiteFolder
    supervisor: Supervisor
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class _Preparation:
    config: SiteConfig
    space: SpaceRecord
    note: str
    around: Surroundings
    linkage: Linkage
    identity: SiteIdentity
    fresh: bool
    metrics_ports: list[int]

    def settings(self, number: int = 0) -> BusSettings:
        """The operator's connection as the user of an account, the first by default."""
        return bus_settings(site_url(self.config), self.config.site, self.linkage.accounts[number])


@asynccontextmanager
async def running_place(
    config: SiteConfig, folder: SiteFolder, watcher: Watcher, keys_made: KeysMade, start: Start | None = None
) -> AsyncIterator[RunningPlace]:
    """Start the place in `folder` and stop it at the end of the block.

    Raises:
        UserError: the folder is held or does not fit, a port is taken, or a process does not start. Everything that
            was started is stopped, and nothing is declared over data that can not be read.
    """
    with folder.held():
        ready = _prepare(config, folder, keys_made, start or Start())
        supervision = ready.config.supervision
        supervisor = Supervisor(
            folder, lambda: RestartPolicy(supervision.crashes_max, float(supervision.window_s)), watcher
        )
        engine = engine_spec(ready.config, ready.around)
        try:
            async with engine_started(supervisor, engine, float(ready.config.engine.start_timeout_s)):
                record = await _start(ready, folder, supervisor)
                async with _changing(ready, folder, supervisor):
                    yield RunningPlace(record=record, folder=folder, supervisor=supervisor, note=ready.note)
        finally:
            with suppress(asyncio.CancelledError):
                await asyncio.shield(supervisor.stop(float(supervision.stop_timeout_s)))


def _prepare(config: SiteConfig, folder: SiteFolder, keys_made: KeysMade, start: Start) -> _Preparation:
    space = read_space(folder, config)
    note, config = other_model_note(config, space), in_force(config, space)
    # Raises what is missing and how to get it, before anything is started.
    embedding_folder(config.model.name)
    keys = SiteKeys(Path(config.security.keys).expanduser() if config.security.keys else folder.keys)
    engine = find_engine(config.engine, keys)
    config, linkage = _linkage(config, folder, keys, start)
    commands = find_commands(commands_needed(config, linkage.linked))
    known = folder.identity()
    streams_there = holds_streams(folder.jetstream)
    needed = (*keys.lasting(), *linkage.passwords.values(), *((keys.engine,) if config.engine.own else ()))
    made = make_missing(keys, initialised=known is not None or streams_there, needed=needed)
    keys_made(keys, made)
    secrets = _secrets(config, keys, linkage, start)
    wanted = _identity(config, secrets.get(names.STORAGE_KEY_VARIABLE, ""))
    previous = secrets.get(names.PREVIOUS_KEY_VARIABLE)
    fresh = admit(
        known, wanted, streams_there, holds_homeless_streams(folder.jetstream), key_check(previous) if previous else ""
    )
    if start.join is not None:
        keep_join_file(start.join, folder)
    check_free("0.0.0.0", linkage.doors, config.role)  # noqa: S104 - where sites come in.
    count = processes_count(config, linkage.linked)
    doors = linkage.doors.values()
    ports, metrics_ports = choose_ports(config.ports, count, config.role, engine=config.engine.own, others=doors)
    folder.prepare()
    if start.previous_key is not None:
        forget_consumers(folder.jetstream)
    around = Surroundings(
        commands=commands,
        environ=os.environ,
        keys=keys,
        folder=folder,
        vault=vault_of(_vaults(config, folder), space.generation),
        secrets=secrets,
        linked=linkage.linked,
        engine=replace(engine, key=own_key(engine)) if config.engine.own else engine,
    )
    return _Preparation(
        config=replace(config, ports=ports),
        space=space,
        note="\n".join(line for line in (note, engine_note(config.engine) if config.role is Role.HUB else "") if line),
        around=around,
        linkage=linkage,
        identity=wanted,
        fresh=fresh,
        metrics_ports=metrics_ports,
    )


def _vaults(config: SiteConfig, folder: SiteFolder) -> Path:
    return Path(config.storage.path).expanduser() if config.storage.path else folder.vault


def _linkage(config: SiteConfig, folder: SiteFolder, keys: SiteKeys, start: Start) -> tuple[SiteConfig, Linkage]:
    """The configuration as the fleet or the join file completes it, and the place's side of the link."""
    rotate = start.previous_key is not None
    if config.role is Role.HUB:
        fleet = read_hub(folder)
        limits = LimitsConfig(store_gb=fleet.hub.store.gb, memory_mb=fleet.hub.store.memory_mb)
        return replace(config, limits=limits), hub_linkage(folder, keys, fleet, rotate)
    config, bundle = joined_site(config, folder, start.join)
    return config, site_linkage(folder, keys, config.site, bundle, rotate)


def _secrets(config: SiteConfig, keys: SiteKeys, linkage: Linkage, start: Start) -> Mapping[str, str]:
    """What nats-server takes from its environment."""
    secrets = {variable: read_secret(path) for variable, path in linkage.passwords.items()} | dict(linkage.secrets)
    if config.security.encryption:
        variable = names.STORAGE_KEY_VARIABLE
        secrets[variable] = os.environ.get(variable) or read_secret(keys.storage)
    if start.previous_key is not None:
        secrets[names.PREVIOUS_KEY_VARIABLE] = read_secret(start.previous_key)
    return secrets


def _identity(config: SiteConfig, storage_key: str) -> SiteIdentity:
    check = key_check(storage_key) if config.security.encryption else ""
    return SiteIdentity(
        site=config.site, encryption=config.security.encryption, storage_key_check=check, version=VERSION
    )


@asynccontextmanager
async def _changing(ready: _Preparation, folder: SiteFolder, supervisor: Supervisor) -> AsyncIterator[None]:
    """Answer `causeway kb reembed` meanwhile."""
    write_space(folder, ready.space)
    async with Bus(ready.settings()) as bus:
        around = replace(ready.around, vault=_vaults(ready.config, folder))
        change = SpaceChange(ready.config, around, folder, supervisor, bus)
        bus.serve("causeway-supervisor", version("causeway-cli"), SpaceChange.__doc__ or "", [change.endpoint()])
        await change.resume()
        try:
            yield
        finally:
            await change.close()


async def _start(ready: _Preparation, folder: SiteFolder, supervisor: Supervisor) -> SiteRecord:
    config, around = ready.config, ready.around
    for path, text in ready.linkage.files(config).items():
        write_whole(path, text.encode())
    base = base_specs(config, around)
    for spec in base:
        await supervisor.start(spec)
    await supervisor.ready(base[0])
    await _refuse_unreadable_streams(config)
    await _declare(ready, folder)
    await asyncio.gather(*(supervisor.ready(spec) for spec in base[1:]))
    specs = service_specs(config, around, ready.metrics_ports)
    for spec in specs:
        await supervisor.start(spec)
    await asyncio.gather(*(supervisor.ready(spec) for spec in specs))
    async with Bus(ready.settings()) as bus:
        await _answers(bus)
    return _publish_record(ready, folder, supervisor)


async def _refuse_unreadable_streams(config: SiteConfig) -> None:
    """Before anything is declared: a stream that was not recovered would be deleted by declaring it."""
    _, body = await http_get(f"http://127.0.0.1:{config.ports.monitor}/healthz")
    if "could not be recovered" in body:
        raise SiteFolderError(
            f"nats-server can not read the streams of this place: {body.strip()}",
            "Most likely the storage key is not the one that they were written with: put the right storage.key (or "
            "CAUSEWAY_STORAGE_KEY) back. Nothing was declared or changed.",
        )


async def _declare(ready: _Preparation, folder: SiteFolder) -> None:
    """The identity is written before and after, so that a crash in between is known to be one."""
    if ready.fresh:
        folder.write_identity(ready.identity)
    for number, account in enumerate(ready.linkage.accounts):
        async with Bus(ready.settings(number)) as bus:
            await declare_account(bus, account, ready.fresh)
    folder.write_identity(msgspec.structs.replace(ready.identity, declared=True))


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


def _publish_record(ready: _Preparation, folder: SiteFolder, supervisor: Supervisor) -> SiteRecord:
    started = time.time()

    def write() -> SiteRecord:
        record = SiteRecord(
            site=ready.config.site,
            url=site_url(ready.config),
            user=names.APP_USER,
            password_file=str(ready.around.keys.password.resolve()),
            monitor_url=f"http://127.0.0.1:{ready.config.ports.monitor}",
            metrics_urls=supervisor.metrics_urls,
            pid=os.getpid(),
            pids=supervisor.pids,
            started_unix_s=started,
        )
        folder.write_record(record)
        return record

    supervisor.on_change = write
    return write()
