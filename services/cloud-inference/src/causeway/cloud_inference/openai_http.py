"""An engine over its OpenAI-compatible HTTP: vLLM, llama.cpp's server, or any other.

Closing a stream closes its connection, which is what makes the engine stop generating. Every call is bounded, but for
the wait for the first token, which is as long as whoever asks waits.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import httpx
import msgspec

from causeway.cloud_inference.completions import DONE, STOP, Generation, Piece, body, piece
from causeway.cloud_inference.engine_load import EngineLoad, load_in
from causeway.cloud_inference.errors import (
    EngineBusy,
    EngineDenied,
    EngineGarbage,
    EngineGone,
    EngineRefused,
    EngineTimeout,
)
from causeway.cloud_inference.sse import SseReader

PAGE_BYTES_MAX = 8 * 1024 * 1024
_CONNECTIONS_MORE = 4
# Engines close a connection that was idle for 5 s: one that is taken up at that moment would look like a dead engine.
_IDLE_CONNECTION_S = 2.0
_BUSY = (429, 503)
_DENIED = (401, 403)
_DETAIL_BYTES_MAX = 300
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class EngineAddress:
    """Where an engine is. `url` is without `/v1`; `metrics_url` is empty where there is no such page."""

    url: str
    metrics_url: str = ""
    health_path: str = "/health"
    key: str = ""
    tokenizes: bool = True


@dataclass(frozen=True, kw_only=True)
class EngineLimits:
    """Seconds: to connect, between two events of a stream after its first token, for one call beside the streams."""

    connect_s: float = 1.0
    idle_s: float = 10.0
    call_s: float = 2.0
    requests_max: int = 16


class OpenAiEngine:
    """See `Engine` in ports.py."""

    def __init__(self, address: EngineAddress, limits: EngineLimits) -> None:
        self._address = address
        self._limits = limits
        self._client = httpx.AsyncClient(
            base_url=address.url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {address.key}"} if address.key else {},
            timeout=httpx.Timeout(limits.idle_s, connect=limits.connect_s, read=None),
            limits=httpx.Limits(
                max_connections=limits.requests_max + _CONNECTIONS_MORE, keepalive_expiry=_IDLE_CONNECTION_S
            ),
            # What a shell sets for other programs shall not lead answers elsewhere.
            trust_env=False,
        )

    async def generate(self, generation: Generation) -> AsyncGenerator[Piece, None]:
        """The events as they come, to the end of the stream, of which one has the finish reason.

        The first token is waited for without end: how long it may take, and what it says if it does not come, is known
        to whoever asks. Only silence after it is the engine's failure.

        Raises:
            EngineError: see errors.py; also where the stream ends before its end.
        """
        request = self._client.build_request("POST", "v1/chat/completions", json=body(generation))
        ended = begun = False
        async with self._answered(request) as response:
            reader = SseReader()
            received = response.aiter_bytes()
            while some := await self._next(received, self._limits.idle_s if begun else None):
                for data in reader.feed(some):
                    if data == DONE:
                        if not ended:
                            # Some servers never say why; one that was broken off does not come to say that it is done.
                            yield Piece(finish_reason=STOP)
                        return
                    found = piece(data)
                    begun = begun or bool(found.text)
                    ended = ended or bool(found.finish_reason)
                    yield found
        if not ended or reader.pending:
            raise EngineGone("the stream ended before its end")

    async def _next(self, received: AsyncIterator[bytes], within_s: float | None) -> bytes:
        """What comes next, empty at the end."""
        try:
            async with asyncio.timeout(within_s):
                return await anext(received, b"")
        except TimeoutError as error:
            raise EngineTimeout("silence within a stream") from error

    async def health(self) -> None:
        """Returns when it says that it is well; raises EngineError when not."""
        await self._call("GET", self._address.health_path)

    async def load(self) -> EngineLoad | None:
        """What /metrics says, or None where there is no such page or no name in it is known."""
        if not self._address.metrics_url:
            return None
        page = await self._call("GET", self._address.metrics_url)
        try:
            return load_in(page.decode("utf-8", "replace"))
        except ValueError as error:
            raise EngineGarbage(f"its /metrics can not be read ({error})") from error

    async def models(self) -> list[str]:
        """The names that a request's `model` may have."""
        return [entry.id for entry in _decoded(await self._call("GET", "v1/models"), _Models).data]

    async def count_tokens(self, text: str, model: str) -> int | None:
        """Tokens of a text by the engine's own tokenizer, or None where it does not count."""
        if not self._address.tokenizes:
            return None
        # vLLM reads `prompt`, llama.cpp `content`.
        asked = {"model": model, "prompt": text, "content": text, "add_special_tokens": False}
        try:
            told = _decoded(await self._call("POST", "tokenize", asked), _Tokens)
        except (EngineRefused, EngineDenied):
            return None
        return told.count or len(told.tokens)

    async def close(self) -> None:
        """Close all connections, which ends what still runs."""
        await self._client.aclose()

    async def _call(self, method: str, path: str, json: object = None) -> bytes:
        path = path if "://" in path else path.lstrip("/")
        request = self._client.build_request(method, path, json=json, timeout=self._limits.call_s)
        async with self._answered(request) as response:
            return await _whole(response, PAGE_BYTES_MAX)

    @asynccontextmanager
    async def _answered(self, request: httpx.Request) -> AsyncGenerator[httpx.Response, None]:
        """A response of status 200, its errors in our words."""
        try:
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code != httpx.codes.OK:
                    raise await _refusal(response)
                yield response
            finally:
                await response.aclose()
        except httpx.ConnectTimeout as error:
            raise EngineGone(f"no connection to {self._address.url} within {self._limits.connect_s:g} s") from error
        except httpx.TimeoutException as error:
            raise EngineTimeout(f"silence at {request.url.path}") from error
        except httpx.HTTPError as error:
            raise EngineGone(f"{request.url.path}: {error or type(error).__name__}") from error


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class _Tokens(msgspec.Struct):
    tokens: list[int] = []
    count: int = 0


def _decoded(page: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(page, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise EngineGarbage(f"a reply that is not of an engine ({error})") from error


async def _whole(response: httpx.Response, bytes_max: int) -> bytes:
    found = b""
    async for some in response.aiter_bytes():
        found += some
        if len(found) > bytes_max:
            raise EngineGarbage(f"a page of over {bytes_max} bytes")
    return found


async def _refusal(response: httpx.Response) -> EngineBusy | EngineDenied | EngineGone | EngineRefused:
    head = b""
    async for some in response.aiter_bytes():
        head += some
        if len(head) >= _DETAIL_BYTES_MAX:
            break
    detail = f"status {response.status_code}: {head[:_DETAIL_BYTES_MAX].decode('utf-8', 'replace')}"
    if response.status_code in _BUSY:
        return EngineBusy(detail)
    if response.status_code in _DENIED:
        return EngineDenied(detail)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return EngineGone(detail)
    return EngineRefused(detail)
