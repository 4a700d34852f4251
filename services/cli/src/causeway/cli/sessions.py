"""A client of a site for the length of one command: connected soon, or a clear word that nobody is there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from causeway.cli.connection import Address
from causeway.cli.errors import NoSiteError
from causeway.client import Client

CONNECT_TIMEOUT_S = 10.0


@asynccontextmanager
async def session(address: Address) -> AsyncIterator[Client]:
    """The connected client.

    Raises:
        NoSiteError: nothing answers at the address in time.
    """
    client = Client(address.bus)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await client.start()
    except TimeoutError as error:
        await client.stop()
        raise NoSiteError(
            f"nothing answers at {address.bus.url}", "Is the site running there? `causeway up site` starts one."
        ) from error
    try:
        yield client
    finally:
        # A server that is just being started again has nothing to say good-bye to.
        with contextlib.suppress(OSError):
            await client.stop()
