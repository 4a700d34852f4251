"""Runs in a network namespace of its own: Milvus 2.3.5 from its wheel, and a Unix socket that leads to it.

Arguments: the folder of its data, and the socket's path, which is there once Milvus answers. Ends with its stdin.
"""

import asyncio
import fcntl
import importlib
import socket
import struct
import sys
from typing import Any

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _UP = 0x8913, 0x8914, 0x1


def loopback_up() -> None:
    """A new namespace has a loopback interface that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _UP))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes from one to the other until either ends."""
    try:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def relay(path: str, port: int) -> None:
    """Serve the socket until stdin ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async with await asyncio.start_unix_server(serve, path):
        await asyncio.to_thread(sys.stdin.buffer.read)


def main() -> None:
    """Start, relay, stop."""
    root, path = sys.argv[1:]
    loopback_up()
    milvus: Any = importlib.import_module("milvus")
    server = milvus.MilvusServer(milvus.MilvusServerConfig(), wait_for_started=True)
    server.set_base_dir(root)
    server.start()
    try:
        asyncio.run(relay(path, server.listen_port))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
