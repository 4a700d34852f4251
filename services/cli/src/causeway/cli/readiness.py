"""Whether a process can work: what its page says, or whether its port is open."""

import asyncio
from urllib.parse import urlsplit

from causeway.cli.http_get import http_get

CONNECT_TIMEOUT_S = 2.0


async def read_readiness(url: str) -> tuple[int, str]:
    """Status and body of an http page; for tcp://HOST:PORT 200 when something listens there, else 0."""
    parts = urlsplit(url)
    if parts.scheme != "tcp":
        return await http_get(url)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except (OSError, TimeoutError) as error:
        return 0, f"{parts.netloc} does not listen: {error}"
    writer.close()
    return 200, ""
