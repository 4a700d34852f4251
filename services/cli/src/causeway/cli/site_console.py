"""What a person sees while a site runs: a line for each event, warnings of the services, and the banner."""

import time
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from causeway.cli.keys import SiteKeys
from causeway.cli.process_spec import NATS, ProcessSpec
from causeway.cli.site_folder import DEFAULT_FOLDER, SiteFolder, SiteRecord
from causeway.proto.subjects import HUB

_LOUD = {"warning": "yellow", "error": "red", "critical": "red"}
_LINE_CHARS_MAX = 300


class SiteConsole:
    """A watcher that prints. `quiet` keeps only what went wrong."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet

    def started(self, name: str, pid: int) -> None:
        self._say(name, f"started (pid {pid})", "dim")

    def ready(self, name: str, after_s: float) -> None:
        self._say(name, f"ready after {after_s:.1f} s", "green")

    def ended(self, name: str, how: str, again_in_s: float) -> None:
        self._say(name, f"{how}; started again in {again_in_s:g} s", "yellow", loud=True)

    def given_up(self, name: str, reason: str, tail: list[str]) -> None:
        self._say(name, f"given up: {reason}", "bold red", loud=True)
        for line in tail:
            self._say(name, line, "red", loud=True)

    def stopped(self, name: str, by_itself: bool) -> None:
        self._say(name, "stopped" if by_itself else "killed: it did not stop in time", "dim" if by_itself else "yellow")

    def line(self, spec: ProcessSpec, line: bytes) -> None:
        loud = loud_line(spec.name, line)
        if loud is not None:
            level, text = loud
            self._say(spec.name, text, _LOUD[level], loud=level != "warning")

    def keys(self, keys: SiteKeys, made: list[Path], folder: SiteFolder) -> None:
        """Say where the keys are, loudly when they lie beside what they protect."""
        if made:
            names = ", ".join(path.name for path in made)
            self._console.print(
                f"Made {names} in {keys.folder} (mode 0600). [bold]Keep a copy: without them the data is lost.[/]"
            )
        if keys.folder.resolve().is_relative_to(folder.root.resolve()) and not self._quiet:
            self._console.print(
                f"[bold yellow]The keys lie beside the data in {folder.root}: whoever takes the disk takes both. "
                "This is for a try-out only;[/] name another place with --keys DIR or security.keys."
            )

    def banner(self, record: SiteRecord, folder: SiteFolder) -> None:
        """The site is ready: where it is and what to type next."""
        option = "" if folder.root == DEFAULT_FOLDER else f" --data {folder.root}"
        pages = "\n".join(f"  {name:<16} {url}" for name, url in record.metrics_urls.items())
        who = "The hub" if record.site == HUB else f"Site [bold]{escape(record.site)}[/]"
        sites = f"  [cyan]causeway site add NAME{option}[/]\n" if record.site == HUB else ""
        self._console.print(
            Panel(
                f"{who} is ready at [bold]{record.url}[/]\n"
                f"Monitor: {record.monitor_url}    Logs: {folder.logs}\nMetrics:\n{pages}\n\n"
                "In another terminal:\n"
                f"  [cyan]causeway publish FOLDER --kb docs{option}[/]\n"
                f'  [cyan]causeway ask "a question" --kb docs{option}[/]\n'
                f"  [cyan]causeway status{option}[/]\n{sites}\nCtrl-C stops everything.",
                title="Causeway",
                border_style="green",
                expand=False,
            )
        )

    def _say(self, name: str, text: str, style: str, loud: bool = False) -> None:
        if self._quiet and not loud:
            return
        clock = time.strftime("%H:%M:%S")
        self._console.print(
            f"[dim]{clock}[/] [bold]{name:<16}[/] [{style}]{escape(text[:_LINE_CHARS_MAX])}[/]", soft_wrap=True
        )


class LogLine(msgspec.Struct):
    """What is read of a service's JSON log line."""

    level: str = ""
    message: str = ""
    reason: str = ""


def loud_line(name: str, line: bytes) -> tuple[str, str] | None:
    """Level and text of a log line that a person should see, else None. Pure."""
    if name == NATS:
        return ("error", line.decode("utf-8", "replace")) if b"[FTL]" in line or b"[ERR]" in line else None
    try:
        entry = msgspec.json.decode(line, type=LogLine)
    except msgspec.MsgspecError:
        return None
    if entry.level not in _LOUD:
        return None
    return entry.level, entry.message + (f" ({entry.reason})" if entry.reason else "")
