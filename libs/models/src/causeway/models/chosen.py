"""The embedding model that an operator names: the registry's, by its name, or any installed folder, by its path.

Ingestor, embedder and edge-inference must name the same one: chunk ids and vectors are those of its space.
"""

from pathlib import Path

from causeway.models.encoder import space_id
from causeway.models.errors import ModelMissing
from causeway.models.manifest import read_manifest
from causeway.models.registry import EMBEDDING
from causeway.models.signature import Precision
from causeway.models.store import ModelStore


def embedding_folder(name: str) -> Path:
    """The installed folder of the embedding model `name`.

    Raises:
        ModelMissing: it is neither the registry's embedding model nor a folder. ModelMismatch: it is not whole.
    """
    if "/" in name:
        return Path(name).expanduser().absolute()
    folder = ModelStore.from_settings().locate(EMBEDDING)
    installed = read_manifest(folder).name
    if installed != name:
        raise ModelMissing(
            f"the embedding model {name!r} is not installed, {installed!r} is; "
            "name that one, give a folder by its path, or set CAUSEWAY_MODELS_REGISTRY."
        )
    return folder


def embedding_space(name: str, precision: Precision) -> str:
    """The `model_id` of the model's vectors, without loading the model."""
    return space_id(read_manifest(embedding_folder(name)), precision)
