"""The folder of installed models: finds the model of a role, and installs it whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causeway.models.errors import ModelError, ModelLocked, ModelMismatch, ModelMissing
from causeway.models.hf_folder import Converter, converter_of, no_converter
from causeway.models.hub import write_hub_file
from causeway.models.manifest import Manifest, read_manifest, record_of, sha256_of, verify_files, write_manifest
from causeway.models.parts import Progress, write_parts
from causeway.models.recipe import recipe_of
from causeway.models.registry import HubSource, ModelFile, ModelSpec, PathSource, Registry, RoleSource, load_registry
from causeway.models.settings import Hub, ModelSettings

LOCK_TIMEOUT_S = 3600.0
_LOCK_POLL_S = 0.2


def silent(_line: str) -> None:
    """Progress that nobody watches."""


class ModelStore:
    """Models by role under one folder. Safe for several processes: installs are locked, and renamed into place."""

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        hub: Hub | None = None,
        progress: Progress = silent,
        converter: Converter = no_converter,
    ) -> None:
        self._registry = registry
        self._folder = folder
        self._hub = hub or Hub()
        self._progress = progress
        self._converter = converter

    @classmethod
    def from_settings(cls, settings: ModelSettings | None = None, progress: Progress = silent) -> ModelStore:
        """The store that the environment describes, unless `settings` are given."""
        chosen = settings or ModelSettings.from_environment()
        converter = converter_of(chosen.vllm_environment) if chosen.vllm_environment else no_converter
        return cls(load_registry(chosen.registry_file), chosen.folder, chosen.hub, progress, converter)

    def locate(self, role: str) -> Path:
        """The folder of an embedding model or of one for vLLM, or a generator's file, checked by stamp.

        Raises ModelMissing or ModelMismatch.
        """
        spec = self._registry.spec(role)
        if (found := self._find(spec)) is None:
            raise ModelMissing(
                f"{spec.name} ({role}) is not installed under {self._folder}; run `causeway model fetch {role}`."
            )
        return found

    def ensure(self, role: str) -> Path:
        """As `locate`, but installs what this machine has all parts of. Never touches the network."""
        return self._installed(role, online=False)

    def fetch(self, role: str) -> Path:
        """As `ensure`, and gets what is missing over the network. Raises ModelUnfetchable when it can not."""
        return self._installed(role, online=True)

    def _installed(self, role: str, *, online: bool) -> Path:
        spec = self._registry.spec(role)
        if (found := self._find(spec)) is not None:
            return found
        with self._locked(spec.name):
            # Another process may have installed it while this one waited.
            if (found := self._find(spec)) is None:
                found = self._install(spec, online=online)
        return found

    def _find(self, spec: ModelSpec) -> Path | None:
        folder = self._folder / spec.name
        try:
            manifest = read_manifest(folder)
        except (ModelMissing, ModelMismatch):
            # None, or one that an older version wrote: to be installed anew.
            return None
        if manifest.recipe != recipe_of(spec):
            return None
        verify_files(folder, manifest, manifest.files)
        return _entrance(spec, folder)

    def _install(self, spec: ModelSpec, *, online: bool) -> Path:
        # One name, as the lock makes this process its only writer: what a killed install left is cleared here.
        draft, target = self._folder / f".installing-{spec.name}", self._folder / spec.name
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        try:
            write_manifest(draft, self._fill(spec, draft, online=online))
            _sync(draft)
            _swap(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self._progress(f"{spec.name}: installed in {target}")
        return _entrance(spec, target)

    def _fill(self, spec: ModelSpec, draft: Path, *, online: bool) -> Manifest:
        sources_folder = draft / "sources"
        sources_folder.mkdir()
        sources = {file.name: self._obtain(spec, file, sources_folder, online=online) for file in spec.files}
        if spec.format == "gguf":
            manifest = _keep_file(spec, sources, draft)
        elif spec.format == "hf":
            manifest = self._convert(spec, sources, draft)
        else:
            # Imported here: onnx and protobuf cost a service 40 MB that only an installation needs.
            from causeway.models.assembly import assemble

            manifest = assemble(spec, sources, draft, lambda line: self._progress(f"{spec.name}: {line}"))
        shutil.rmtree(sources_folder)
        return manifest

    def _convert(self, spec: ModelSpec, sources: dict[str, Path], draft: Path) -> Manifest:
        self._progress(f"{spec.name}: unpacking the weights for vLLM, which takes a minute or more")
        made = self._converter(next(iter(sources.values())), draft)
        records = {path.name: record_of(path) for path in made}
        return Manifest(name=spec.name, licence=spec.licence, recipe=recipe_of(spec), files=records)

    def _obtain(self, spec: ModelSpec, file: ModelFile, folder: Path, *, online: bool) -> Path:
        """The verified bytes of `file`: a file of this machine where it is, any other as a copy in `folder`."""
        self._progress(f"{spec.name}: reading {file.name}")
        if isinstance(file.source, PathSource):
            path = Path(file.source.path)
            if not path.is_file():
                raise ModelMissing(f"{path} ({spec.name}) is not a file; mend `path` in the registry file.")
        elif isinstance(file.source, RoleSource):
            path = self._installed(file.source.role, online=online)
        else:
            _check_space(folder, file)
            path = folder / file.name
            if isinstance(file.source, HubSource):
                write_hub_file(file.source, path, self._hub, online=online)
            else:
                write_parts(
                    file.source, path, online=online, progress=lambda line: self._progress(f"{spec.name}: {line}")
                )
        _check_sha256(spec, file, path)
        return path

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f".{name}.lock").open("w") as lock:
            self._wait_for(lock.fileno(), name)
            # Closing the file gives the lock up, as does the end of this process.
            yield

    def _wait_for(self, lock: int, name: str) -> None:
        deadline_s, told = time.monotonic() + LOCK_TIMEOUT_S, False
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline_s:
                    raise ModelLocked(
                        f"{name} has been locked for {LOCK_TIMEOUT_S:.0f} s; end the process that installs it."
                    ) from error
            if not told:
                self._progress(f"{name}: another process is installing it, waiting")
                told = True
            time.sleep(_LOCK_POLL_S)


def _entrance(spec: ModelSpec, folder: Path) -> Path:
    return folder / spec.files[0].name if spec.format == "gguf" else folder


def _keep_file(spec: ModelSpec, sources: dict[str, Path], draft: Path) -> Manifest:
    file = spec.files[0]
    kept, source = draft / file.name, sources[file.name]
    if isinstance(file.source, PathSource):
        kept.symlink_to(source.absolute())
    else:
        source.rename(kept)
    records = {file.name: record_of(kept, file.sha256)}
    return Manifest(name=spec.name, licence=spec.licence, recipe=recipe_of(spec), files=records)


def _check_sha256(spec: ModelSpec, file: ModelFile, path: Path) -> None:
    if file.sha256 is None:
        return
    found = sha256_of(path)
    if found != file.sha256:
        raise ModelMismatch(
            f"{file.name} of {spec.name} has sha256 {found}, the registry promises {file.sha256}. "
            "Nothing was installed; fetch again, and if it stays so do not use this source."
        )


def _check_space(folder: Path, file: ModelFile) -> None:
    free = shutil.disk_usage(folder).free
    if file.size_bytes is not None and free < file.size_bytes:
        raise ModelError(
            f"{folder} has {free} bytes free, {file.name} needs {file.size_bytes}; free some or set CAUSEWAY_MODELS."
        )


def _sync(folder: Path) -> None:
    # Else a power cut could leave a manifest that vouches for bytes that never reached the disk.
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _swap(draft: Path, target: Path) -> None:
    """Puts `draft` where `target` was. A reader sees the old folder, for a moment none, then the new; never a mix."""
    if target.exists():
        outdated = target.with_name(f".outdated-{target.name}")
        shutil.rmtree(outdated, ignore_errors=True)
        target.rename(outdated)
        draft.rename(target)
        shutil.rmtree(outdated)
    else:
        draft.rename(target)
