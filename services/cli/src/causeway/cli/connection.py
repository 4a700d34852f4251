"""Where a command finds its place, a site or the hub: through the folder of a running one, or by address."""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

import typer

from causeway.bus import BusSettings
from causeway.cli.errors import NoSiteError, UserError
from causeway.cli.site_folder import DEFAULT_FOLDER, SiteFolder

# A nats-server that is being started again must not fail a publish.
PUBLISH_TIMEOUT_S = 60.0

_PANEL = "Which site or hub"
Url = Annotated[
    str,
    typer.Option(
        "--url", help="nats://HOST:PORT, instead of a folder.", envvar="CAUSEWAY_NATS_URL", rich_help_panel=_PANEL
    ),
]
DataDir = Annotated[
    Path, typer.Option("--data", "--data-dir", help="Folder of a running site or hub.", rich_help_panel=_PANEL)
]
DataDirIfAny = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Use the site that runs in this folder, not a temporary one.", rich_help_panel=_PANEL
    ),
]
SiteName = Annotated[
    str,
    typer.Option("--site", help="Name of the site at --url, or hub.", envvar="CAUSEWAY_SITE", rich_help_panel=_PANEL),
]
User = Annotated[
    str, typer.Option("--user", help="User at --url.", envvar="CAUSEWAY_NATS_USER", rich_help_panel=_PANEL)
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help="Password at --url.",
        envvar="CAUSEWAY_NATS_PASSWORD_FILE",
        rich_help_panel=_PANEL,
    ),
]
Kb = Annotated[str, typer.Option("--kb", help="Knowledge base: lower-case letters, digits, - and _.")]


@dataclass(frozen=True, kw_only=True)
class Address:
    """A place to talk to; `monitor_url` is empty when only its address is known."""

    bus: BusSettings
    monitor_url: str = ""
    metrics_urls: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Where:
    """The options that say which place is meant. Nothing is looked up before it is asked for."""

    url: str
    data_dir: Path | None
    site: str
    user: str
    password_file: Path | None

    def address(self) -> Address:
        """See `find_site`."""
        return find_site(self.url, self.data_dir or DEFAULT_FOLDER, self.site, self.user, self.password_file)

    def address_if_named(self) -> Address | None:
        """None when neither a url nor a folder was given."""
        return self.address() if self.url or self.data_dir is not None else None

    def address_if_running(self) -> Address | None:
        """None when neither was given, and nothing runs in the default folder either."""
        try:
            return self.address_if_named() or self.address()
        except NoSiteError:
            if self.data_dir is not None:
                raise
            return None


P = ParamSpec("P")
R = TypeVar("R")
Command = Callable[Concatenate[Where, P], R]
_Option = tuple[object, object]
_AT_A_PLACE: dict[str, _Option] = {
    "url": (Url, ""),
    "data_dir": (DataDir, DEFAULT_FOLDER),
    "site": (SiteName, ""),
    "user": (User, ""),
    "password_file": (PasswordFile, None),
}


def at_a_place(command: Command[P, R]) -> Callable[..., R]:
    """Give a command the options that name a place; it gets them as one `Where`, its first parameter."""
    return _with_options(command, _AT_A_PLACE)


def perhaps_at_a_place(command: Command[P, R]) -> Callable[..., R]:
    """The same for a command that can do without: its folder has no default, and `--data` stays free."""
    return _with_options(command, _AT_A_PLACE | {"data_dir": (DataDirIfAny, None)})


def _with_options(command: Command[P, R], options: dict[str, _Option]) -> Callable[..., R]:
    @functools.wraps(command)
    def with_options(**given: Any) -> R:
        where = Where(**{name: given.pop(name) for name in options})
        return command(where, **given)  # type: ignore[call-arg]

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [one.replace(kind=keyword) for one in own] + [
        inspect.Parameter(name, keyword, default=default, annotation=annotation)
        for name, (annotation, default) in options.items()
    ]
    # typer reads both.
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {one.name: one.annotation for one in parameters}
    return with_options


def find_site(
    url: str, data_dir: Path = DEFAULT_FOLDER, site: str = "", user: str = "", password_file: Path | None = None
) -> Address:
    """The place at `url` when there is one, else the one that runs in `data_dir`.

    Raises:
        NoSiteError: nothing runs in the folder.
        UserError: the address can not be one.
    """
    if url:
        _check(url, site)
        return Address(
            bus=BusSettings(
                site=site,
                service="cli",
                publish_timeout_s=PUBLISH_TIMEOUT_S,
                url=url,
                user=user or None,
                password=_password(password_file),
            )
        )
    record = SiteFolder(data_dir).read_record()
    return Address(
        bus=BusSettings(
            site=record.site,
            service="cli",
            publish_timeout_s=PUBLISH_TIMEOUT_S,
            url=record.url,
            user=record.user,
            password=_password(Path(record.password_file)),
        ),
        monitor_url=record.monitor_url,
        metrics_urls=record.metrics_urls,
    )


def _password(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the password file {file} can not be read: {error}", "Run as the user who runs the site."
        ) from error


def _check(url: str, site: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("nats", "tls", "ws", "wss") or not parts.hostname:
        raise UserError(f"{url!r} is not the address of a site", "It looks like nats://127.0.0.1:4222.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", site):
        raise UserError(f"--site {site!r} is not the name of a site", "Name the site at --url with --site NAME.")
