"""Where the files of a configured model are: a path as it stands, or a role or name of the registry."""

from dataclasses import replace
from pathlib import Path

from causeway.models import ModelSettings, ModelStore
from causeway.models.registry import load_registry


def model_path(wanted: str, models_dir: Path | None) -> Path:
    """The folder of an embedding model, or the file of a generator.

    Raises:
        ModelError: the registry does not know it, or it is not installed; the text says the mend.
    """
    if Path(wanted).exists():
        return Path(wanted)
    found = ModelSettings.from_environment()
    settings = found if models_dir is None else replace(found, folder=models_dir)
    specs = load_registry(settings.registry_file).models
    role = next((role for role, spec in specs.items() if wanted in (role, spec.name)), wanted)
    return ModelStore.from_settings(settings).locate(role)
