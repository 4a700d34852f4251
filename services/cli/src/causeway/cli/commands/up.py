"""`causeway up site`: run a site in the foreground until Ctrl-C."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import BadConfigError
from causeway.cli.keys import SiteKeys
from causeway.cli.site import running_site
from causeway.cli.site_config import SiteConfig, example_config, parse_site_config
from causeway.cli.site_console import SiteConsole
from causeway.cli.site_folder import DEFAULT_FOLDER, SiteFolder

Config = Annotated[Path | None, typer.Option("--config", "-c", help="site.yaml; without one the defaults hold.")]
Data = Annotated[Path, typer.Option("--data", help="Folder of the site's data, keys and logs.")]
Name = Annotated[str, typer.Option("--name", help="Name of the site (site).")]
Keys = Annotated[str, typer.Option("--keys", help="Folder of the key files (security.keys).")]
Port = Annotated[
    int, typer.Option("--port", help="Port of nats-server (ports.nats); the other ports then take free ones. 0: any.")
]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Print an annotated site.yaml and end.")]


def register(app: typer.Typer) -> None:
    """Add `up site`."""
    up = typer.Typer(help="Run a site on this machine.", no_args_is_help=True)
    up.command("site")(site)
    app.add_typer(up, name="up")


def site(
    config: Config = None,
    data: Data = DEFAULT_FOLDER,
    name: Name = "",
    keys: Keys = "",
    port: Port = -1,
    print_config: PrintConfig = False,
) -> int:
    """Run a whole site: message server, ingestor, embedder, edge-inference. Ctrl-C stops all of it."""
    if print_config:
        STDOUT.print(example_config(), markup=False, end="")
        return 0
    return asyncio.run(run_until_stopped(read_config(config, name, keys, port), SiteFolder(data)))


def read_config(path: Path | None, name: str = "", keys: str = "", port: int = -1) -> SiteConfig:
    """The configuration file, and what the command line says over it.

    Raises:
        BadConfigError: the file is not there, or something in it is wrong.
    """
    config = SiteConfig()
    if path is not None:
        try:
            config = parse_site_config(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise BadConfigError(
                f"{path} can not be read: {error}", "Make one: causeway up site --print-config > site.yaml"
            ) from error
    if name:
        config = replace(config, site=parse_site_config(f'site: "{name}"', "--name").site)
    if keys:
        config = replace(config, security=replace(config.security, keys=keys))
    if port >= 0:
        config = replace(config, ports=replace(config.ports, nats=port, monitor=0, metrics=0))
    return config


class _Signals:
    """The first signal asks to stop; while the site still starts it breaks off the start; the second kills."""

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


async def run_until_stopped(config: SiteConfig, folder: SiteFolder) -> int:
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
        async with running_site(config, folder, console, keys_made) as site_now:
            signals.ready(site_now.supervisor.kill)
            console.banner(site_now.record, folder)
            await _stopped_or_lost(
                stop, site_now.supervisor.given_up, lambda: "nats-server" in site_now.supervisor.lost
            )
            STDERR.print("Stopping; what is being worked on is finished first. Ctrl-C again ends everything at once.")
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        return 0
    return 1 if "nats-server" in site_now.supervisor.lost else 0


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
