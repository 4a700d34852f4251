"""An OpenAI-compatible engine that knows no model: the protocol as vLLM speaks it, and every way in which it fails.

async with stand_in(Knobs(token_s=0.01)) as engine:
    engine.url; engine.knobs.die_after = 3; engine.aborted; engine.requests

As a process: `python -m tests.support.openai_engine --port P`; POST /knobs with JSON changes them while it runs.
"""

import argparse
import asyncio
import dataclasses
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from causeway.cli.ports import free_port
from causeway.language import sentences, terms

MODEL = "stand-in"
_PASSAGE = re.compile(r"^\[(\d+)\] .*\n((?:(?!\[\d+\] ).*\n?)*)", re.MULTILINE)
_PIECE = re.compile(r"\s*[^\W\u4e00-\u9fff]+|\s*.", re.DOTALL)
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


def _opened() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Knobs:
    """How it behaves. Counts are of text events; `None` means never. `status` is that of every generation."""

    first_token_s: float = 0.0
    token_s: float = 0.0
    """0: the text is written in one go, so that whoever reads it waits for nothing after its first token."""
    status: int = 200
    unserved_model: str = ""
    """A generation by this one is a 404, as with vLLM."""
    health_status: int = 200
    die_after: int | None = None
    """Breaks the connection off, without the end of the stream."""
    hang_after: int | None = None
    """Says nothing more, and keeps the connection."""
    garbage_after: int | None = None
    garbage: str = "<html>not an event</html>"
    error_after: int | None = None
    text: str = ""
    """What it writes; empty: the sentence of a passage that is most like the question, with its mark."""
    sequences_max: int = 256
    queue_max: int = 256
    key: str = ""
    finish: bool = True
    """Whether it says why it ended, before it says that it is done."""
    done: bool = True
    usage: bool = True
    cached_tokens: int = 0


@dataclass
class StandIn:
    """A running one. `aborted` counts streams that their clients closed before their end. While `gate` is not set, no
    stream comes to its first token, however long that takes."""

    knobs: Knobs = field(default_factory=Knobs)
    port: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    aborted: int = 0
    finished: int = 0
    running: int = 0
    waiting: int = 0
    rejected: int = 0
    gate: asyncio.Event = field(default_factory=_opened)
    _server: asyncio.Server | None = None
    _slots: asyncio.Condition = field(default_factory=asyncio.Condition)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> "StandIn":
        """Listen; the port stays the same over stops, and no outgoing connection takes it meanwhile."""
        self.port = self.port or free_port()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def kill(self) -> None:
        """As if the process were killed: nothing listens, every connection is broken off."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (request := await _read(reader)) is not None:
                method, path, headers, body = request
                if not await self._route(method, path, headers, body, reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _route(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answer; returns whether the connection may be used again."""
        if self.knobs.key and path.startswith("/v1") and headers.get("authorization") != f"Bearer {self.knobs.key}":
            return await _reply(writer, 401, {"error": {"message": "Unauthorized", "code": 401}})
        if (method, path) == ("POST", "/v1/chat/completions"):
            return await self._complete(json.loads(body), reader, writer)
        if (method, path) == ("POST", "/knobs"):
            self.knobs = dataclasses.replace(self.knobs, **json.loads(body))
            return await _reply(writer, 200, {})
        if (method, path) == ("POST", "/tokenize"):
            pieces = _PIECE.findall(json.loads(body)["prompt"])
            return await _reply(writer, 200, {"count": len(pieces), "max_model_len": 4096, "tokens": []})
        pages: dict[str, Callable[[], Any]] = {
            "/health": lambda: "",
            "/v1/models": lambda: {"object": "list", "data": [{"id": MODEL, "object": "model"}]},
            "/metrics": self._metrics,
            "/seen": lambda: {"requests": len(self.requests), "aborted": self.aborted, "finished": self.finished},
        }
        if path not in pages:
            return await _reply(writer, 404, {"error": {"message": f"no {path}", "code": 404}})
        return await _reply(writer, self.knobs.health_status if path == "/health" else 200, pages[path]())

    async def _complete(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.requests.append(body)
        if self.knobs.unserved_model == body["model"]:
            return await _reply(writer, 404, {"error": {"message": "The model does not exist.", "code": 404}})
        if self.knobs.status != 200:
            return await _reply(writer, self.knobs.status, {"error": {"message": "set so", "code": self.knobs.status}})
        if self.running >= self.knobs.sequences_max and self.waiting >= self.knobs.queue_max:
            self.rejected += 1
            message = "The engine is currently busy. Please try again later."
            return await _reply(writer, 503, {"error": {"message": message, "code": 503}})
        _head(writer, 200, "text/event-stream", "Transfer-Encoding: chunked", "Connection: close")
        stream = asyncio.ensure_future(self._in_turn(body, writer))
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({stream, gone}, return_when=asyncio.FIRST_COMPLETED)
        # What was being written when the client closed may fail before its closing is read.
        if not stream.done() or isinstance(stream.exception(), ConnectionError):
            self.aborted += 1
        for task in (stream, gone):
            task.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await task
        return False

    async def _in_turn(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.waiting += 1
        try:
            async with self._slots:
                await self._slots.wait_for(lambda: self.running < self.knobs.sequences_max)
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            await self._stream(body, writer)
        finally:
            self.running -= 1
            async with self._slots:
                self._slots.notify_all()

    async def _stream(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        knobs = self.knobs
        await _event(writer, _chunk(body, {"role": "assistant", "content": ""}))
        await self.gate.wait()
        await asyncio.sleep(knobs.first_token_s)
        prompt = "".join(message["content"] for message in body["messages"])
        whole = _PIECE.findall(knobs.text or _answer(body["messages"][-1]["content"]))
        pieces = whole[: body["max_tokens"]]
        cut = len(whole) > len(pieces)
        for number, piece in enumerate(pieces):
            if await self._fails(number, writer):
                return
            await _event(writer, _chunk(body, {"content": piece}))
            if knobs.token_s:
                await asyncio.sleep(knobs.token_s)
        if await self._fails(len(pieces), writer):
            return
        if knobs.finish:
            await _event(writer, _chunk(body, {}, finish="length" if cut else "stop"))
        if knobs.usage and body.get("stream_options", {}).get("include_usage"):
            usage: dict[str, Any] = {"prompt_tokens": len(_PIECE.findall(prompt)), "completion_tokens": len(pieces)}
            usage["prompt_tokens_details"] = {"cached_tokens": knobs.cached_tokens}
            await _event(writer, _chunk(body, None, usage=usage))
        if knobs.done:
            await _event(writer, "[DONE]")
        await _write(writer, b"")
        self.finished += 1

    async def _fails(self, number: int, writer: asyncio.StreamWriter) -> bool:
        """Whether the stream is over, because a knob says so of this event."""
        knobs = self.knobs
        if number == knobs.hang_after:
            await asyncio.Event().wait()
        if number == knobs.garbage_after:
            await _write(writer, f"{knobs.garbage}\n\n".encode())
        if number == knobs.error_after:
            await _event(writer, json.dumps({"error": {"message": "engine died", "type": "Internal", "code": 500}}))
        if number == knobs.die_after:
            writer.transport.abort()
        return number in (knobs.garbage_after, knobs.error_after, knobs.die_after)

    def _metrics(self) -> str:
        labels = f'{{engine="0",model_name="{MODEL}"}}'
        lines = []
        for name, value in (
            ("num_requests_running", self.running),
            ("num_requests_waiting", self.waiting),
            ("kv_cache_usage_perc", min(1.0, self.running / 256)),
        ):
            lines += [f"# HELP vllm:{name} As vLLM names it.", f"# TYPE vllm:{name} gauge"]
            lines.append(f"vllm:{name}{labels} {float(value)}")
        return "\n".join(lines) + "\n"


@asynccontextmanager
async def stand_in(knobs: Knobs | None = None) -> AsyncIterator[StandIn]:
    """A started one, killed in the end."""
    engine = await StandIn(knobs=knobs or Knobs()).start()
    try:
        yield engine
    finally:
        if engine._server is not None:
            await engine.kill()


def _answer(prompt: str) -> str:
    """The sentence of a passage that has most of the question's terms, with the passage's number."""
    passages, _, rest = prompt.rpartition("\nQuestion: " if "\nQuestion: " in prompt else "\n问题：")
    asked = set(terms(rest.partition("\n")[0]))
    found = [
        (len(asked & set(terms(span.of(text)))) / (1 + len(asked)), -int(number), span.of(text))
        for number, text in _PASSAGE.findall(passages)
        for span in sentences(text)
    ]
    if not found:
        return "The passages do not answer this question."
    score, number, sentence = max(found)
    return f"{sentence.rstrip('。.')} [{-number}]{'。' if '。' in sentence else '.'}" if score else "段落中没有答案。"


def _chunk(body: dict[str, Any], delta: dict[str, str] | None, *, finish: str | None = None, usage: Any = None) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": body["model"],
            "choices": choices,
        }
        | ({"usage": usage} if usage else {})
    )


async def _event(writer: asyncio.StreamWriter, data: str) -> None:
    await _write(writer, f"data: {data}\n\n".encode())


async def _write(writer: asyncio.StreamWriter, some: bytes) -> None:
    writer.write(f"{len(some):x}\r\n".encode() + some + b"\r\n")
    await writer.drain()


def _head(writer: asyncio.StreamWriter, status: int, kind: str, *more: str) -> None:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", f"Content-Type: {kind}", *more]
    writer.write("\r\n".join([*lines, "", ""]).encode())


async def _reply(writer: asyncio.StreamWriter, status: int, page: Any) -> bool:
    body = page.encode() if isinstance(page, str) else json.dumps(page).encode()
    kind = "text/plain" if isinstance(page, str) else "application/json"
    _head(writer, status, kind, f"Content-Length: {len(body)}")
    writer.write(body)
    await writer.drain()
    return True


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes] | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode().strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return method, path, headers, await reader.readexactly(int(headers.get("content-length", "0")))


async def _main(port: int, knobs: Knobs) -> None:
    engine = await StandIn(knobs=knobs, port=port).start()
    print(f"ready on {engine.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--knobs", default="{}", help="JSON of the fields of Knobs")
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.port, Knobs(**json.loads(arguments.knobs))))
