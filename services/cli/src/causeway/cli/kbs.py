"""Knowledge bases by name: which there are, and a clear word when one is not among them."""

import difflib

from causeway.cli.errors import UserError
from causeway.client import Client
from causeway.proto.documents import State
from causeway.proto.subjects import BadNameError, checked_kb


def check_kb_name(kb: str) -> str:
    """The name, if it can be one.

    Raises:
        UserError: it can not.
    """
    try:
        return checked_kb("" if kb == "*" else kb)
    except BadNameError as error:
        raise UserError(f"--kb {kb!r} can not be the name of a knowledge base", str(BadNameError.__doc__)) from error


async def require_kb(client: Client, kb: str) -> None:
    """Refuse a knowledge base that nothing was ever published to.

    Raises:
        UserError: naming those that there are.
    """
    check_kb_name(kb)
    statuses = await client.statuses(kb)
    if any(status.state is not State.DELETED for status in statuses):
        return
    raise unknown_kb(kb, sorted({status.kb for status in await client.statuses()}))


def unknown_kb(kb: str, there_are: list[str]) -> UserError:
    """The error that names what there is."""
    if not there_are:
        return UserError(
            f"there is no knowledge base {kb!r}: nothing was published yet", f"causeway publish FOLDER --kb {kb}"
        )
    close = difflib.get_close_matches(kb, there_are, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return UserError(f"there is no knowledge base {kb!r}", f"There is: {', '.join(there_are)}.{hint}")
