"""The folder of a site: what lies where, who holds it, and how other commands find the running site through it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from causeway.cli.errors import NoSiteError, SiteFolderError

DEFAULT_FOLDER = Path(".causeway/site")
DEFAULT_HUB_FOLDER = Path(".causeway/hub")
VERSION = 2
"""Since version 2 every stream is in an account; nats-server can not move an encrypted stream into one."""


class SiteRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the site: `site.json`, written when it runs and taken away when it stops."""

    site: str
    url: str
    user: str
    password_file: str
    monitor_url: str
    metrics_urls: dict[str, str]
    pid: int
    pids: dict[str, int]
    started_unix_s: float


class SiteIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What the folder was initialised as. Streams may be made only until `declared` is set. What was written before
    there were versions is of version 1."""

    site: str
    encryption: bool
    storage_key_check: str = ""
    declared: bool = False
    version: int = 1


@dataclass(frozen=True)
class SiteFolder:
    """Paths below the data folder."""

    root: Path

    @property
    def record_file(self) -> Path:
        return self.root / "site.json"

    @property
    def identity_file(self) -> Path:
        return self.root / "identity.json"

    @property
    def lock_file(self) -> Path:
        return self.root / "lock"

    @property
    def nats_config_file(self) -> Path:
        return self.root / "nats-server.conf"

    @property
    def fleet_file(self) -> Path:
        """At a hub: its sites."""
        return self.root / "fleet.yaml"

    @property
    def pki(self) -> Path:
        """At a hub: its certificate authority and its certificate."""
        return self.root / "pki"

    @property
    def link(self) -> Path:
        """At a site: what the hub handed to it."""
        return self.root / "link"

    @property
    def sync(self) -> Path:
        """The state of sync-delta."""
        return self.root / "sync-delta"

    @property
    def artifacts(self) -> Path:
        """Artifacts that the hub offers, or that it handed out."""
        return self.root / "artifacts"

    @property
    def milvus(self) -> Path:
        """At a hub: the data of its own Milvus."""
        return self.root / "milvus"

    @property
    def jetstream(self) -> Path:
        return self.root / "jetstream"

    @property
    def vault(self) -> Path:
        return self.root / "vault"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def prepare(self) -> None:
        """Make the folders that are not there, for this user only."""
        for folder in (self.root, self.jetstream, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def identity(self) -> SiteIdentity | None:
        """What the folder was initialised as, or None for a fresh one."""
        if not self.identity_file.is_file():
            return None
        try:
            return msgspec.json.decode(self.identity_file.read_bytes(), type=SiteIdentity)
        except msgspec.DecodeError as error:
            raise SiteFolderError(
                f"{self.identity_file} can not be read: {error}",
                "Restore it, or move it away: the next start then proves the storage key by reading a message.",
            ) from error

    def write_identity(self, identity: SiteIdentity) -> None:
        """Remember that the streams exist from now on."""
        write_whole(self.identity_file, msgspec.json.format(msgspec.json.encode(identity), indent=2))

    def write_record(self, record: SiteRecord) -> None:
        """Let other commands find the running site."""
        write_whole(self.record_file, msgspec.json.format(msgspec.json.encode(record), indent=2))

    def read_record(self) -> SiteRecord:
        """How to reach the running site.

        Raises:
            NoSiteError: nothing was started here, or it has stopped.
        """
        try:
            record = msgspec.json.decode(self.record_file.read_bytes(), type=SiteRecord)
            if self._is_held():
                return record
            # A supervisor that was killed could not take its record away.
            raise FileNotFoundError(self.record_file)
        except FileNotFoundError as error:
            raise NoSiteError(
                f"no site is running in {self.root}",
                "Start one in another terminal with `causeway up site`, or name it with --data-dir or --url.",
            ) from error
        except msgspec.DecodeError as error:
            raise NoSiteError(f"{self.record_file} can not be read: {error}", "Restart the site.") from error

    def _is_held(self) -> bool:
        if not self.lock_file.exists():
            return False
        with self.lock_file.open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder: a second `up` on it is refused. The lock goes with the process, however it ends."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.lock_file.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise SiteFolderError(
                    f"a site already runs in {self.root} (process {lock.read().strip() or 'unknown'})",
                    "Use it as it is, stop it with Ctrl-C, or start another with --data OTHER and --port 0.",
                ) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            self.record_file.unlink(missing_ok=True)
            try:
                yield
            finally:
                self.record_file.unlink(missing_ok=True)


def holds_streams(store: Path, account: str = "*") -> bool:
    """Whether a JetStream store has any stream of an account on disk, readable or not."""
    return any(store.glob(f"jetstream/{account}/streams/*"))


def holds_homeless_streams(store: Path) -> bool:
    """Whether there are streams outside of any account, as before version 2."""
    return holds_streams(store, "[$]G")


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file at once, so that no reader sees half of it, and have it on disk before returning."""
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def forget_consumers(jetstream: Path) -> int:
    """Remove the durable consumers of a message store that does not run, and return how many there were.

    nats-server can not read a consumer after its key was changed. What a consumer has not settled stays in its stream,
    and whoever had it makes it again.
    """
    folders = [path for path in jetstream.glob("jetstream/*/streams/*/obs/*") if path.is_dir()]
    for folder in folders:
        shutil.rmtree(folder)
    return len(folders)
