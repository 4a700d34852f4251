"""The folder of a hub: its description, the authority that signs certificates, and the lock of whoever changes them."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from causeway.cli.errors import SiteFolderError
from causeway.cli.site_folder import SiteFolder, write_whole
from causeway.topology import pki
from causeway.topology.bundle import Bundle
from causeway.topology.description import Fleet, Hub, Site, hub_urls, parse_fleet, render_fleet
from causeway.topology.pki import Credentials
from causeway.topology.secret_files import read_secret, write_secret
from causeway.topology.site_keys import new_seed, public_key

_AUTHORITY, _HUB = "ca", "hub"


def init_hub(folder: SiteFolder, hub: Hub) -> None:
    """Make the description of a hub without sites, and its certificates.

    Raises:
        SiteFolderError: there is one already, or the folder is a site's.
    """
    known = folder.identity()
    if folder.fleet_file.exists():
        raise SiteFolderError(
            f"{folder.fleet_file} is there already",
            f"Add sites with `causeway site add`, start it with `causeway up hub --data {folder.root}`, or edit it.",
        )
    if known is not None:
        raise SiteFolderError(f"{folder.root} is the site {known.site!r}", "Name another folder with --data.")
    folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if hub.tls:
        _write(folder, _AUTHORITY, pki.new_authority(hub.hosts[0], now=_now()))
        _certify(folder, hub)
    write_whole(folder.fleet_file, render_fleet(Fleet(hub=hub)).encode())


def read_fleet(folder: SiteFolder) -> Fleet:
    """The description.

    Raises:
        SiteFolderError: there is none. TopologyError: it has a mistake.
    """
    try:
        text = folder.fleet_file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SiteFolderError(
            f"there is no hub in {folder.root}", f"Make one: causeway hub init --data {folder.root} --host NAME"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SiteFolderError(f"{folder.fleet_file} can not be read: {error}", "Put it back, in UTF-8.") from error
    return parse_fleet(text, str(folder.fleet_file))


def read_hub(folder: SiteFolder) -> Fleet:
    """The description for a start: a certificate that ends soon, or lacks a name of the hub, is made anew."""
    fleet = read_fleet(folder)
    if fleet.hub.tls:
        certificate = folder.pki / f"{_HUB}.pem"
        current = certificate.read_bytes() if certificate.exists() else b""
        if not current or pki.needs_renewal(current, now=_now()) or not pki.covers(current, fleet.hub.hosts):
            _certify(folder, fleet.hub)
    return fleet


def write_fleet(folder: SiteFolder, fleet: Fleet) -> None:
    """Replace the description."""
    write_whole(folder.fleet_file, render_fleet(fleet).encode())


def new_site(folder: SiteFolder, fleet: Fleet, site: Site) -> tuple[Fleet, Bundle]:
    """The fleet with the site, under a new key, and what the site is handed."""
    seed = new_seed()
    site = Site(name=site.name, nkey=public_key(seed), kbs=site.kbs, link=site.link)
    urls = list(hub_urls(fleet.hub, site.link))
    bundle = Bundle(site=site.name, kbs=list(site.kbs), urls=urls, compression=fleet.hub.compression, seed=seed)
    if fleet.hub.tls:
        authority = _read(folder, _AUTHORITY)
        own = pki.site_certificate(authority, site.name, now=_now())
        bundle = Bundle(
            site=site.name,
            kbs=bundle.kbs,
            urls=urls,
            compression=bundle.compression,
            seed=seed,
            authority=authority.certificate.decode(),
            certificate=own.certificate.decode(),
            key=own.key.decode(),
        )
    return fleet.with_site(site), bundle


def certificate_files(folder: SiteFolder) -> dict[str, str]:
    """What the hub's server needs of the folder's certificates: not the authority's key."""
    names = (f"{_AUTHORITY}.pem", f"{_HUB}.pem", f"{_HUB}.key")
    return {name: read_secret(folder.pki / name).decode() for name in names}


@contextmanager
def changing(folder: SiteFolder) -> Iterator[None]:
    """One at a time: two commands that add sites at once would lose one of them."""
    folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder.root / "fleet.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _certify(folder: SiteFolder, hub: Hub) -> None:
    _write(folder, _HUB, pki.server_certificate(_read(folder, _AUTHORITY), hub.hosts, now=_now()))


def _write(folder: SiteFolder, name: str, credentials: Credentials) -> None:
    write_secret(folder.pki / f"{name}.key", credentials.key)
    write_secret(folder.pki / f"{name}.pem", credentials.certificate)


def _read(folder: SiteFolder, name: str) -> Credentials:
    return Credentials(certificate=read_secret(folder.pki / f"{name}.pem"), key=read_secret(folder.pki / f"{name}.key"))


def _now() -> datetime:
    return datetime.now(UTC)
