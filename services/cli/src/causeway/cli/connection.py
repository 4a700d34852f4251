"""Where a command finds its site: through the folder of a running one, or by address."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from causeway.bus import BusSettings
from causeway.cli.errors import UserError
from causeway.cli.site_folder import DEFAULT_FOLDER, SiteFolder

# A nats-server that is being started again must not fail a publish.
PUBLISH_TIMEOUT_S = 60.0

Url = Annotated[
    str, typer.Option("--url", help="nats://HOST:PORT of a site, instead of a folder.", envvar="CAUSEWAY_NATS_URL")
]
DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder of a running site.")]
SiteName = Annotated[str, typer.Option("--site", help="Name of the site at --url.", envvar="CAUSEWAY_SITE")]
User = Annotated[str, typer.Option("--user", help="User at --url.", envvar="CAUSEWAY_NATS_USER")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="Password at --url.", envvar="CAUSEWAY_NATS_PASSWORD_FILE")
]
Kb = Annotated[str, typer.Option("--kb", help="Knowledge base: lower-case letters, digits, - and _.")]


@dataclass(frozen=True, kw_only=True)
class Address:
    """A site to talk to; `monitor_url` is empty when only its address is known."""

    bus: BusSettings
    monitor_url: str = ""
    metrics_urls: dict[str, str] | None = None


def find_site(
    url: str, data_dir: Path = DEFAULT_FOLDER, site: str = "", user: str = "", password_file: Path | None = None
) -> Address:
    """The site at `url` when there is one, else the one that runs in `data_dir`.

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
