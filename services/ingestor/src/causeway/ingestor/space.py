"""The id of the embedding space that chunks are cut for, read from the installed model without loading it."""

from causeway.ingestor.settings import Settings
from causeway.runtime import StartRefused


def model_id(settings: Settings) -> str:
    """`INGESTOR_MODEL_ID`, else that of the installed model: what the embedder calls the same space.

    Raises:
        StartRefused: the model is not installed, or not at this precision.
    """
    if settings.model_id:
        return settings.model_id
    # The library loads its runtime on import, which a host that names the id does not need.
    from causeway.models import EMBEDDING, ModelError, ModelStore
    from causeway.models.manifest import read_manifest

    try:
        manifest = read_manifest(ModelStore.from_settings().ensure(EMBEDDING))
    except ModelError as error:
        raise StartRefused(str(error)) from error
    space = manifest.spaces.get(settings.precision)
    if space is None:
        raise StartRefused(
            f"{manifest.name} is not installed at precision {settings.precision} (there are: "
            f"{', '.join(sorted(manifest.spaces))}): set INGESTOR_PRECISION to what the embedder has"
        )
    return f"{manifest.name}/{settings.precision}@{space.digest[:8]}"
