"""The artifacts of a site on its disk: a folder per version, and a link that says which one is in force.

    <root>/<kind>/<name>/.<sha256>.part    a download that goes on where it stopped
    <root>/<kind>/<name>/<version>/        complete and verified
    <root>/<kind>/<name>/current           a symbolic link to the version in force, replaced by a rename
    <root>/<kind>/<name>/previous          the version to go back to

A reader opens `current` once and keeps what it has read: a switch never changes the files of a version.
"""

import hashlib
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from causeway.proto.outbox import ArtifactKind, ArtifactOffered

VERSIONS_KEPT = 2
READ_BYTES = 1 << 20


class ArtifactDamaged(Exception):
    """The bytes are not those that the hub offered: they are thrown away and fetched again."""


class ArtifactRefused(Exception):
    """The artifact can not be unpacked safely, or did not pass its trial: the version before stays in force."""


@dataclass(frozen=True)
class ArtifactStore:
    """All artifacts below one folder."""

    root: Path

    def part_of(self, offer: ArtifactOffered) -> Path:
        """The file that a download grows in."""
        return self._folder(offer.kind, offer.name) / f".{offer.sha256}.part"

    def version_folder(self, offer: ArtifactOffered) -> Path:
        """Where the version lies when it is complete."""
        return self._folder(offer.kind, offer.name) / offer.version

    def holds(self, offer: ArtifactOffered) -> bool:
        """Whether the version is here, complete."""
        return self.version_folder(offer).is_dir()

    def current(self, kind: ArtifactKind, name: str) -> str:
        """The version in force, or nothing."""
        return _target(self._folder(kind, name) / "current")

    def all_current(self) -> dict[str, str]:
        """The version in force of everything that is here, by `kind/name`."""
        links = sorted(self.root.glob("*/*/current"))
        return {f"{link.parent.parent.name}/{link.parent.name}": _target(link) for link in links}

    def unpack(self, offer: ArtifactOffered) -> Path:
        """Turn the finished download into a version's folder.

        Raises:
            ArtifactDamaged: size or hash is not what was offered; the download is gone.
            ArtifactRefused: a tar with members that do not belong below its folder.
        """
        part, folder = self.part_of(offer), self.version_folder(offer)
        if part.stat().st_size != offer.size_bytes or sha256_of(part) != offer.sha256:
            part.unlink()
            raise ArtifactDamaged(f"{offer.object_name}: size or hash differs from the offer")
        staging = folder.with_name(f".{offer.version}.new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        if offer.filename.endswith(".tar"):
            _extract(part, staging)
        else:
            shutil.copyfile(part, staging / Path(offer.filename).name)
        _sync(staging)
        staging.rename(folder)
        part.unlink()
        return folder

    def activate(self, offer: ArtifactOffered) -> str:
        """Put the version in force, in one step, and return the one that was."""
        folder = self._folder(offer.kind, offer.name)
        before = _target(folder / "current")
        _point(folder / "current", offer.version)
        if before and before != offer.version:
            _point(folder / "previous", before)
        return before

    def roll_back(self, offer: ArtifactOffered, to_version: str = "") -> str:
        """Take the version out of force; return the one that is in force now (nothing: there was none before)."""
        folder = self._folder(offer.kind, offer.name)
        target = to_version or _target(folder / "previous")
        if target and (folder / target).is_dir():
            _point(folder / "current", target)
            return target
        (folder / "current").unlink(missing_ok=True)
        return ""

    def discard(self, offer: ArtifactOffered) -> None:
        """Remove a version that is not in force."""
        shutil.rmtree(self.version_folder(offer), ignore_errors=True)

    def prune(self, offer: ArtifactOffered) -> None:
        """Remove what is neither in force nor the version to go back to, and downloads of other versions."""
        folder = self._folder(offer.kind, offer.name)
        kept = {_target(folder / "current"), _target(folder / "previous")}
        for path in folder.iterdir():
            if path.is_symlink() or path.name in kept or path == self.part_of(offer):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _folder(self, kind: ArtifactKind, name: str) -> Path:
        return self.root / kind.value / name


def sha256_of(path: Path) -> str:
    """The hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _target(link: Path) -> str:
    return str(link.readlink()) if link.is_symlink() else ""


def _point(link: Path, version: str) -> None:
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(version)
    fresh.replace(link)
    _sync_folder(link.parent)


def _extract(archive: Path, into: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(into, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise ArtifactRefused(f"can not be unpacked: {error}") from error


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
