"""`causeway up site` and `causeway up hub`: run a place in the foreground until Ctrl-C."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from causeway.bus import BusError
from causeway.cli.connection import find_site
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.engine_config import EngineKind, checked_engine
from causeway.cli.engine_watch import engine_trouble
from causeway.cli.errors import BadConfigError, UserError
from causeway.cli.hub_folder import read_fleet
from causeway.cli.keys import SiteKeys
from causeway.cli.place import Start, running_place
from causeway.cli.process_spec import NATS
from causeway.cli.sessions import session
from causeway.cli.site_config import Role, SiteConfig, example_config, parse_site_config
from causeway.cli.site_console import SiteConsole
from causeway.cli.site_folder import DEFAULT_FOLDER, DEFAULT_HUB_FOLDER, SiteFolder
from causeway.proto.subjects import HUB

SiteYaml = Annotated[Path | None, typer.Option("--config", "-c", help="site.yaml; without one the defaults hold.")]
HubYaml = Annotated[Path | None, typer.Option("--config", "-c", help="hub.yaml; without one the defaults hold.")]
Data = Annotated[Path, typer.Option("--data", help="Folder of its data, keys and logs.")]
HubData = Annotated[Path, typer.Option("--data", help="Folder that `causeway hub init` made.")]
Name = Annotated[str, typer.Option("--name", help="Name of the site (site).")]
Keys = Annotated[str, typer.Option("--keys", help="Folder of the key files (security.keys).")]
Port = Annotated[
    int, typer.Option("--port", help="Port of nats-server (ports.nats); the other ports then take free ones. 0: any.")
]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Print an annotated configuration and end.")]
Engine = Annotated[
    EngineKind | None,
    typer.Option("--engine", help="Who answers what sites ask the hub (engine.kind); none: their asks are refused."),
]
EngineUrl = Annotated[
    str, typer.Option("--engine-url", help="Address of an OpenAI-compatible server, for openai-url (engine.url).")
]
EngineModel = Annotated[
    str, typer.Option("--engine-model", help="A role, a path, or for openai-url the served name (engine.model).")
]
EngineKey = Annotated[
    str, typer.Option("--engine-key", help="File with the key of that server, mode 0600 (engine.key_file).")
]
Join = Annotated[
    Path | None,
    typer.Option("--join", help="Join file from the hub (`causeway site add`). Kept: later starts do without."),
]
PreviousKey = Annotated[
    Path | None,
    typer.Option(
        "--previous-storage-key",
        help="File with the storage key so far, after a new one was put in storage.key: the messages are encrypted "
        "anew. Once, then no more.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add `up`."""
    up = typer.Typer(help="Run a site or a hub on this machine.", no_args_is_help=True)
    up.command("site")(site)
    up.command("hub")(hub)
    app.add_typer(up, name="up")


def site(
    config: SiteYaml = None,
    data: Data = DEFAULT_FOLDER,
    name: Name = "",
    keys: Keys = "",
    port: Port = -1,
    join: Join = None,
    previous_storage_key: PreviousKey = None,
    print_config: PrintConfig = False,
) -> int:
    """Run a whole site: message server, ingestor, embedder, edge-inference, and sync-delta once it has joined a hub.
    Ctrl-C stops all of it."""
    if print_config:
        return _print_example(Role.SITE)
    start = Start(join=join, previous_key=previous_storage_key)
    return asyncio.run(run_until_stopped(read_config(config, name, keys, port), SiteFolder(data), start))


def hub(
    config: HubYaml = None,
    data: HubData = DEFAULT_HUB_FOLDER,
    keys: Keys = "",
    port: Port = -1,
    engine: Engine = None,
    engine_url: EngineUrl = "",
    engine_model: EngineModel = "",
    engine_key: EngineKey = "",
    previous_storage_key: PreviousKey = None,
    print_config: PrintConfig = False,
) -> int:
    """Run a whole hub: message server with a door for each site, Milvus, ingestor, embedder, edge-inference,
    cloud-inference with its engine, sync-delta. Ctrl-C stops all of it; sites go on by themselves meanwhile."""
    if print_config:
        return _print_example(Role.HUB)
    folder = SiteFolder(data)
    ports = read_fleet(folder).hub.ports
    value = _read(config, Role.HUB)
    value = replace(value, ports=replace(value.ports, nats=ports.client, monitor=ports.monitor))
    value = with_engine(value, engine, engine_url, engine_model, engine_key)
    start = Start(previous_key=previous_storage_key)
    return asyncio.run(run_until_stopped(_overridden(value, keys, port), folder, start))


def _print_example(role: Role) -> int:
    STDOUT.print(example_config(role), markup=False, end="")
    return 0


def read_config(path: Path | None, name: str = "", keys: str = "", port: int = -1) -> SiteConfig:
    """The configuration file of a site, and what the command line says over it.

    Raises:
        BadConfigError: the file is not there, or something in it is wrong.
    """
    config = _read(path, Role.SITE)
    if name:
        config = replace(config, site=parse_site_config(f'site: "{name}"', "--name").site)
    return _overridden(config, keys, port)


def with_engine(config: SiteConfig, kind: EngineKind | None, url: str, model: str, key_file: str) -> SiteConfig:
    """The configuration of a hub, and what the command line says of its engine over it.

    Raises:
        BadConfigError: the two together do not fit.
    """
    was = config.engine
    engine = replace(
        was,
        kind=kind or was.kind,
        url=url or was.url,
        model=model or was.model,
        key_file=key_file or was.key_file,
    )
    return replace(config, engine=checked_engine(engine, "--engine"))


def _read(path: Path | None, role: Role) -> SiteConfig:
    if path is None:
        return SiteConfig(site=HUB) if role is Role.HUB else SiteConfig()
    try:
        return parse_site_config(path.read_text(encoding="utf-8"), str(path), role)
    except (OSError, UnicodeDecodeError) as error:
        command = f"causeway up {role.value} --print-config > {role.value}.yaml"
        raise BadConfigError(f"{path} can not be read: {error}", f"Make one: {command}") from error


def _overridden(config: SiteConfig, keys: str, port: int) -> SiteConfig:
    if keys:
        config = replace(config, security=replace(config.security, keys=keys))
    if port >= 0:
        config = replace(config, ports=replace(config.ports, nats=port, monitor=0, metrics=0, milvus=0, engine=0))
    return config


class _Signals:
    """The first signal asks to stop; while the place still starts it breaks off the start; the second kills."""

    def __init__(self, stop: asyncio.Event, task: "asyncio.Task[object]") -> None:
        self._stop = stop
        self._task = task
        self._kill: Callable[[], None] | None = None

    def install(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._arrived)

    def ready(self, kill: Callable[[], None]) -> None:
        self._kill = kill

    def _arrived(self) -> None:
        again = self._stop.is_set()
        self._stop.set()
        if self._kill is None:
            self._task.cancel()
        elif again:
            self._kill()


async def run_until_stopped(config: SiteConfig, folder: SiteFolder, start: Start) -> int:
    """Start, wait for a signal, stop. Returns 1 when nats-server was given up, else 0."""
    console = SiteConsole(STDERR)
    stop = asyncio.Event()
    task = asyncio.current_task()
    assert task is not None
    signals = _Signals(stop, task)
    signals.install()

    def keys_made(keys: SiteKeys, made: list[Path]) -> None:
        console.keys(keys, made, folder)

    try:
        async with running_place(config, folder, console, keys_made, start) as place:
            signals.ready(place.supervisor.kill)
            console.banner(place.record, folder)
            if place.note:
                STDERR.print(place.note, markup=False)
            if config.engine.kind is EngineKind.URL:
                await _tell_trouble(folder)
            await _stopped_or_lost(stop, place.supervisor.given_up, lambda: NATS in place.supervisor.lost)
            STDERR.print("Stopping; what is being worked on is finished first. Ctrl-C again ends everything at once.")
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        return 0
    return 1 if NATS in place.supervisor.lost else 0


async def _tell_trouble(folder: SiteFolder) -> None:
    """An engine of somebody else is not waited for: say at once where it is not there, or does not take the key."""
    with suppress(BusError, UserError):
        async with session(find_site("", folder.root)) as client:
            if trouble := await engine_trouble(client.bus):
                STDERR.print(f"[yellow]{escape(trouble)}[/]")


async def _stopped_or_lost(stop: asyncio.Event, given_up: asyncio.Event, fatal: Callable[[], bool]) -> None:
    """Other services go on when one is given up; without nats-server there is nothing to go on with."""
    while not stop.is_set():
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(given_up.wait())]
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        if given_up.is_set() and fatal():
            return
        given_up.clear()
