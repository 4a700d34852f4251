"""Finds what the hub's engine is made of on this machine: its program, its model, its adapters, its key."""

import sys
from importlib.util import find_spec
from pathlib import Path

from causeway.cli.engine_command import Engine
from causeway.cli.engine_config import EngineConfig, EngineKind
from causeway.cli.errors import BadConfigError, SiteFolderError
from causeway.cli.keys import SiteKeys, read_secret
from causeway.models import GENERATOR, HF_GENERATOR, ModelSettings, ModelStore
from causeway.models.registry import load_registry
from causeway.models.settings import vllm_environment

ADAPTER_CONFIG = "adapter_config.json"
_DEFAULT_ROLE = {EngineKind.VLLM: HF_GENERATOR, EngineKind.LLAMA: GENERATOR}


def find_engine(config: EngineConfig, keys: SiteKeys) -> Engine:
    """The engine that hub.yaml asks for. The key of one of ours is read later: it may have to be made first.

    Raises:
        BadConfigError: a path in hub.yaml leads nowhere. ModelError: its model is not installed; both say the mend.
    """
    if config.kind is EngineKind.NONE:
        return Engine()
    if config.kind is EngineKind.URL:
        return _elsewhere(config)
    name, model = _model(config)
    adapters = _adapters(config)
    return Engine(
        config=config,
        program=_vllm_python(config) if config.kind is EngineKind.VLLM else _llama_python(),
        model=model,
        name=name,
        adapters=adapters,
        by_kb={kb: Path(folder).name for kb, folder in config.adapters.items()},
        key_file=keys.engine.absolute(),
    )


def _elsewhere(config: EngineConfig) -> Engine:
    key_file = Path(config.key_file).expanduser().absolute() if config.key_file else None
    if key_file is not None:
        read_engine_key(key_file)
    return Engine(config=config, name=config.model, by_kb=dict(config.adapters), key_file=key_file)


def read_engine_key(path: Path) -> str:
    """The key of an engine of someone else, which may be of any length.

    Raises:
        SiteFolderError: not there, empty, or readable by others.
    """
    try:
        key = path.read_text(encoding="ascii").strip()
        open_to_others = bool(path.stat().st_mode & 0o077)
    except (OSError, UnicodeDecodeError) as error:
        raise SiteFolderError(
            f"the engine's key {path} can not be read: {error}", "Mend engine.key_file, or --engine-key."
        ) from error
    if open_to_others:
        raise SiteFolderError(f"the engine's key {path} can be read by others", f"Run: chmod 600 {path}")
    if not key:
        raise SiteFolderError(f"the engine's key {path} is empty", "Put the key into it, or leave engine.key_file out.")
    return key


def own_key(engine: Engine) -> str:
    """The key that cloud-inference shows to an engine of ours."""
    assert engine.key_file is not None
    return read_secret(engine.key_file)


def _model(config: EngineConfig) -> tuple[str, Path]:
    """The served name, and the folder or file: a path as it stands, or a role or name of the registry."""
    wanted = config.model or _DEFAULT_ROLE[config.kind]
    path = Path(wanted).expanduser()
    if "/" in wanted or path.exists():
        return path.name.removesuffix(".gguf"), _checked_model(config, path)
    settings = ModelSettings.from_environment()
    specs = load_registry(settings.registry_file).models
    role = next((role for role, spec in specs.items() if wanted in (role, spec.name)), wanted)
    found = ModelStore.from_settings(settings).locate(role)
    return specs[role].name, _checked_model(config, found)


def _checked_model(config: EngineConfig, path: Path) -> Path:
    folder = config.kind is EngineKind.VLLM
    there = (path / "config.json").is_file() if folder else path.is_file()
    if not there:
        form = "a folder with config.json and safetensors" if folder else "a GGUF file"
        raise BadConfigError(f"engine.model: {path} is not {form}", f"{config.kind} serves one; name it, or a role.")
    return path.absolute()


def _adapters(config: EngineConfig) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for kb, text in config.adapters.items():
        folder = Path(text).expanduser().absolute()
        if not (folder / ADAPTER_CONFIG).is_file():
            raise BadConfigError(
                f"engine.adapters.{kb}: {folder} has no {ADAPTER_CONFIG}", "Name the folder of a LoRA as peft saves it."
            )
        if found.setdefault(folder.name, folder) != folder:
            raise BadConfigError(
                f"engine.adapters: two folders are named {folder.name!r}", "Adapters are served by their folder's name."
            )
    return found


def _vllm_python(config: EngineConfig) -> str:
    environment = Path(config.environment).expanduser().absolute() if config.environment else vllm_environment()
    python = environment / "bin" / "python"
    if not python.is_file() or not any(environment.glob("lib/python3*/site-packages/vllm")):
        raise BadConfigError(
            f"vLLM is not installed in {environment}",
            "Run `make setup-vllm`, or set engine.environment (or CAUSEWAY_VLLM) to a virtual environment that has it.",
        )
    return str(python)


def _llama_python() -> str:
    if find_spec("xllamacpp") is None:
        raise BadConfigError("llama.cpp is not installed here", "Run `make setup`, or: pip install xllamacpp")
    return sys.executable
