"""Which embedding model a place answers with, and what it is changing to: `space.json` in its folder."""

from dataclasses import replace
from pathlib import Path

import msgspec

from causeway.cli.errors import SiteFolderError
from causeway.cli.site_config import SiteConfig
from causeway.cli.site_folder import SiteFolder, write_whole
from causeway.proto.space import SpacePhase


class SpaceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The model in force. `generation` counts the changes; each has its own vaults.

    `next_model` is set while vectors are being made for it, `left` (the former model's id) from the switch until all
    documents stand in the new space, and `translates` while others share chunks of another space than this one.
    """

    model: str
    precision: str
    generation: int = 0
    next_model: str = ""
    next_precision: str = ""
    left: str = ""
    translates: bool = False

    @property
    def phase(self) -> SpacePhase:
        """Where the change stands, as far as it has to survive a crash."""
        if self.next_model:
            return SpacePhase.EMBEDDING
        return SpacePhase.MOVING if self.left else SpacePhase.STEADY

    def switched(self, left: str) -> "SpaceRecord":
        """The next model is in force."""
        return SpaceRecord(
            model=self.next_model,
            precision=self.next_precision,
            generation=self.generation + 1,
            left=left,
            translates=True,
        )


def space_file(folder: SiteFolder) -> Path:
    """Where the record lies."""
    return folder.root / "space.json"


def read_space(folder: SiteFolder, config: SiteConfig) -> SpaceRecord:
    """The record, or what the configuration says for a place that has none yet.

    Raises:
        SiteFolderError: it is there and can not be read.
    """
    path = space_file(folder)
    if not path.is_file():
        return SpaceRecord(model=config.model.name, precision=config.model.precision)
    try:
        return msgspec.json.decode(path.read_bytes(), type=SpaceRecord)
    except msgspec.DecodeError as error:
        raise SiteFolderError(
            f"{path} can not be read: {error}", "It names the embedding model in force: restore it from a backup."
        ) from error


def write_space(folder: SiteFolder, record: SpaceRecord) -> None:
    """Remember it before anything is done upon it."""
    write_whole(space_file(folder), msgspec.json.format(msgspec.json.encode(record), indent=2))


def in_force(config: SiteConfig, record: SpaceRecord) -> SiteConfig:
    """The configuration with the model that the place answers with, whatever the file says by now."""
    return replace(config, model=replace(config.model, name=record.model, precision=record.precision))


def other_model_note(config: SiteConfig, record: SpaceRecord) -> str:
    """What to say when the configuration names another model than the one in force; empty when it does not."""
    wanted, now = f"{config.model.name} {config.model.precision}", f"{record.model} {record.precision}"
    if wanted == now:
        return ""
    return (
        f"The configuration names the embedding model {wanted}; what is here is of {now}, and stays so until "
        f"`causeway kb reembed start --model {config.model.name} --precision {config.model.precision}` and `switch`."
    )


def to_come(config: SiteConfig, record: SpaceRecord) -> SiteConfig:
    """The same with the model that the place is changing to."""
    return replace(config, model=replace(config.model, name=record.next_model, precision=record.next_precision))


def vault_of(vault: Path, generation: int) -> Path:
    """Where the vaults of a generation lie."""
    return vault / f"space-{generation}" if generation else vault


def spent_vaults(vault: Path, generation: int) -> list[Path]:
    """The folders of the vaults of other generations than this one."""
    folders = [path for path in vault.glob("*") if path.is_dir()] if vault.is_dir() else []
    return [path for path in folders if (path.name.isdigit() and generation) or _of_another(path, generation)]


def _of_another(path: Path, generation: int) -> bool:
    return path.name.startswith("space-") and path.name != f"space-{generation}"
