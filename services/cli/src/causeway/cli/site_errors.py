"""Errors of the bus and the models in the words of the command. Pure."""

from causeway.bus import (
    BusError,
    NoResponders,
    NotConnected,
    ProblemReply,
    RequestTimeout,
    StreamFull,
    StreamMissing,
    WrongStorageKey,
)
from causeway.cli.errors import NoSiteError, SiteFolderError, UserError
from causeway.models import ModelError
from causeway.topology.errors import TopologyError


def explain(error: BaseException) -> UserError | None:
    """The error for a person, or None when it is not one that a person can mend."""
    if isinstance(error, ExceptionGroup):
        return next((known for inner in error.exceptions if (known := explain(inner))), None)
    if isinstance(error, UserError):
        return error
    if isinstance(error, ProblemReply):
        return UserError(error.problem.message, error.problem.mend)
    if isinstance(error, TopologyError):
        return UserError(error.message, error.mend)
    if isinstance(error, ModelError):
        return UserError(str(error))
    if isinstance(error, BusError):
        return _of_bus(error)
    return None


def _of_bus(error: BusError) -> UserError:
    if isinstance(error, NoResponders):
        return NoSiteError(
            "nobody at the site takes questions",
            "edge-inference is not running or still starting: look at `causeway status`.",
        )
    if isinstance(error, NotConnected):
        return NoSiteError(
            f"the site can not be reached: {error.detail}", "Is it running? `causeway up site` starts one."
        )
    if isinstance(error, RequestTimeout):
        return NoSiteError(f"the site did not answer in time: {error}", "Look at `causeway status`, and try again.")
    if isinstance(error, StreamMissing):
        return NoSiteError(str(error), "Start the site with `causeway up site`.")
    if isinstance(error, WrongStorageKey):
        return SiteFolderError(str(error), "Put the right storage.key back. Nothing was changed.")
    if isinstance(error, StreamFull):
        return UserError(str(error), "Wait until the ingestor has caught up (`causeway status`), and publish again.")
    return UserError(str(error))
