"""A TCP proxy between a site and the hub: it can be cut, it counts what crosses, and keeps it on request."""

import asyncio
import contextlib
from dataclasses import dataclass, field

READ_BYTES_MAX = 64 * 1024


@dataclass
class LinkCut:
    """Cut, both sides see silence as on a dead link: nothing is read on, and new connections get no answer."""

    target_port: int
    keep: bool = False
    bytes_up: int = 0
    bytes_down: int = 0
    captured_up: bytearray = field(default_factory=bytearray)
    captured_down: bytearray = field(default_factory=bytearray)
    connections: int = 0

    def __post_init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._served: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> "LinkCut":
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    @property
    def port(self) -> int:
        """Where sites connect."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """From now on nothing crosses."""
        self._open.clear()

    def heal(self) -> None:
        """Let it pass again. What stood in a connection at the cut is lost with it, as after minutes without a link."""
        self.drop()
        self._open.set()

    def drop(self) -> None:
        """End the connections that there are."""
        for writer in list(self._writers):
            writer.transport.abort()

    def reset(self) -> None:
        """Count from zero."""
        self.bytes_up = self.bytes_down = 0
        self.captured_up.clear()
        self.captured_down.clear()

    async def stop(self) -> None:
        """End all."""
        self.drop()
        if self._server is not None:
            self._server.close()
        for task in self._served:
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        far_writer: asyncio.StreamWriter | None = None
        with contextlib.suppress(OSError):
            await self._open.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            self._writers.add(far_writer)
            self.connections += 1
            await asyncio.gather(self._pump(reader, far_writer, up=True), self._pump(far_reader, writer, up=False))
        for each in (writer, far_writer):
            if each is not None:
                self._writers.discard(each)
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        try:
            while block := await reader.read(READ_BYTES_MAX):
                await self._open.wait()
                self._count(block, up=up)
                writer.write(block)
                await writer.drain()
        finally:
            writer.transport.abort()

    def _count(self, block: bytes, *, up: bool) -> None:
        if up:
            self.bytes_up += len(block)
        else:
            self.bytes_down += len(block)
        if self.keep:
            (self.captured_up if up else self.captured_down).extend(block)
