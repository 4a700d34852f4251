"""The chat-completions protocol as values: the request's body, and what each event of the stream says. Pure."""

from dataclasses import dataclass
from typing import Any

import msgspec

from causeway.cloud_inference.errors import EngineBusy, EngineGarbage, EngineGone

DONE = "[DONE]"
STOP = "stop"
"""The finish reason of a text that ended by itself."""
LENGTH = "length"
"""The finish reason of a text that reached the limit of its tokens."""
ABORT = "abort"
"""The finish reason of a text that its deadline ended."""
_DETAIL_CHARS_MAX = 200
_BUSY = 503


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What is to be generated. `model` is that of an adapter where the kb has one."""

    model: str
    messages: list[dict[str, str]]
    tokens_max: int
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Usage:
    """As the engine counted. `cached_tokens` are prompt tokens that it had already."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One event: text, or the end with its reason, or the usage, or none of it."""

    text: str = ""
    finish_reason: str = ""
    usage: Usage | None = None


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: dict[str, Any] | str | None = None


_decoder = msgspec.json.Decoder(_Chunk)


def body(generation: Generation) -> dict[str, Any]:
    """Greedy, streamed, with the usage in the last event."""
    fields: dict[str, Any] = {
        "model": generation.model,
        "messages": generation.messages,
        "max_tokens": generation.tokens_max,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return fields | ({"stop": list(generation.stop)} if generation.stop else {})


def piece(data: str) -> Piece:
    """What an event says.

    Raises:
        EngineGarbage: not an event of this protocol. EngineBusy, EngineGone: an error within the stream.
    """
    try:
        chunk = _decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError) as error:
        raise EngineGarbage(f"an event that is not a completion ({error})") from error
    if chunk.error is not None:
        raise _told(chunk.error)
    if chunk.choices is None and chunk.usage is None:
        raise EngineGarbage("an event with neither choices nor usage")
    choice = (chunk.choices or [_Choice()])[0]
    return Piece(text=choice.delta.content or "", finish_reason=choice.finish_reason or "", usage=_usage(chunk.usage))


def _usage(usage: _Usage | None) -> Usage | None:
    if usage is None:
        return None
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    return Usage(
        prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens, cached_tokens=cached or 0
    )


def _told(error: dict[str, Any] | str) -> EngineBusy | EngineGone:
    code = error.get("code") if isinstance(error, dict) else None
    text = str(error.get("message", error) if isinstance(error, dict) else error)[:_DETAIL_CHARS_MAX]
    return EngineBusy(text) if code == _BUSY else EngineGone(f"it broke off: {text}")
