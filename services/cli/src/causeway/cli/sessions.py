"""A client of a site for the length of one command: connected soon, or a clear word that nobody is there."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from causeway.cli.connection import Address
from causeway.client import Client

CONNECT_TIMEOUT_S = 5.0


@asynccontextmanager
async def session(address: Address) -> AsyncIterator[Client]:
    """The connected client.

    Raises:
        NotConnected: nothing answers at the address in time.
    """
    client = Client(address.bus, connect_timeout_s=CONNECT_TIMEOUT_S)
    await client.start()
    try:
        yield client
    finally:
        # A server that is just being started again has nothing to say good-bye to.
        with contextlib.suppress(OSError):
            await client.stop()
