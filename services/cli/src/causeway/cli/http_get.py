"""One small HTTP GET to a loopback page of the site's own processes."""

import asyncio
from urllib.parse import urlsplit

BODY_BYTES_MAX = 16 * 1024 * 1024


async def http_get(url: str, timeout_s: float = 2.0) -> tuple[int, str]:
    """Status and body; status 0 and the reason when nothing answers in time."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        async with asyncio.timeout(timeout_s):
            return await _get(parts.hostname or "127.0.0.1", parts.port or 80, path)
    except (OSError, TimeoutError, ValueError, IndexError) as error:
        return 0, str(error) or type(error).__name__


async def _get(host: str, port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        answer = await reader.read(-1)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body[:BODY_BYTES_MAX].decode("utf-8", errors="replace")
