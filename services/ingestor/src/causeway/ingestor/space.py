"""The id of the embedding space that chunks are cut for, read from the installed model without loading it."""

from causeway.ingestor.settings import Settings
from causeway.models.chosen import embedding_space
from causeway.models.errors import ModelError
from causeway.runtime import StartRefused


def model_id(settings: Settings) -> str:
    """`INGESTOR_MODEL_ID`, else that of the installed model: what the embedder calls the same space.

    Raises:
        StartRefused: the model is not installed, or not at this precision.
    """
    if settings.model_id:
        return settings.model_id
    try:
        return embedding_space(settings.model, settings.precision)
    except ModelError as error:
        raise StartRefused(str(error)) from error
