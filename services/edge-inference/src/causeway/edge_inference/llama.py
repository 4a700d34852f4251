"""The generator on llama.cpp, in a process of its own: it may be killed without losing an answer."""

import asyncio
import itertools
import json
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

from causeway.edge_inference.errors import GenerationError
from causeway.edge_inference.generating import messages_of
from causeway.edge_inference.ports import Prompt

START_TIMEOUT_S = 120.0
_LINE_BYTES_MAX = 1 << 20
_log = logging.getLogger(__name__)


class LlamaGenerator:
    """One request at a time; a process that died, or that does not stop when told to, is replaced at the next one."""

    def __init__(self, model: Path, *, threads: int = 1, tokens_max: int = 64) -> None:
        self.model_name = model.stem
        self._config = {"model": str(model), "threads": threads}
        self._tokens_max = tokens_max
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._loading: asyncio.Task[Process] | None = None
        self._numbers = itertools.count()

    @property
    def pid(self) -> int | None:
        """The model's process, if there is one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Load the model now, so that the first asker does not wait for it.

        Raises:
            GenerationError: it can not be loaded.
        """
        await self._started()

    async def generate(self, prompt: Prompt, *, timeout_s: float) -> AsyncGenerator[str, None]:
        """Pieces of text. Time spent waiting for another request counts.

        Raises:
            GenerationError: the process is gone, the model refused, or the time is over.
        """
        try:
            async with asyncio.timeout(timeout_s), self._turn:
                process = await self._started()
                async with aclosing(self._pieces(process, prompt)) as pieces:
                    async for piece in pieces:
                        yield piece
        except TimeoutError:
            raise GenerationError(reason=f"it took longer than {timeout_s:.1f} s") from None

    async def close(self) -> None:
        """End the process."""
        if self._loading is not None:
            self._loading.cancel()
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _pieces(self, process: Process, prompt: Prompt) -> AsyncGenerator[str, None]:
        number = next(self._numbers)
        request = {"id": number, "messages": messages_of(prompt), "tokens_max": self._tokens_max}
        finished = False
        try:
            _send(process, request)
            while not finished:
                message = await self._line(process)
                if message.get("id") != number:
                    continue  # The rest of one that was cancelled.
                if "error" in message:
                    finished = True
                    raise GenerationError(reason=message["error"])
                finished = "done" in message
                if "piece" in message:
                    yield message["piece"]
        finally:
            if not finished:
                _send(process, {"cancel": number})

    async def _started(self) -> Process:
        """The process, started if there is none. Loading goes on when the one who waits for it gives up."""
        alive = self._process is not None and self._process.returncode is None
        if self._loading is None or (self._loading.done() and not alive):
            self._loading = asyncio.create_task(self._load())
        return await asyncio.shield(self._loading)

    async def _load(self) -> Process:
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "causeway.edge_inference.llama_child",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=_LINE_BYTES_MAX,
        )
        _send(process, self._config)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._line(process)
        except TimeoutError:
            await self._end()
            raise GenerationError(reason=f"it was not loaded within {START_TIMEOUT_S:.0f} s") from None
        _log.info("the generator is loaded", extra={"model": self.model_name})
        return process

    async def _line(self, process: Process) -> dict[str, Any]:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            await self._end()
            raise GenerationError(reason="its process ended")
        message: dict[str, Any] = json.loads(line)
        return message


def _send(process: Process, message: dict[str, Any]) -> None:
    if process.stdin is not None and not process.stdin.is_closing():
        process.stdin.write(json.dumps(message).encode() + b"\n")
