"""Messages to msgpack bytes and back. Every message is a map with string keys, so any language can join."""

from typing import ClassVar, TypeVar

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A value on the bus. Its `type_name` travels as the CloudEvents `ce-type` header."""

    type_name: ClassVar[str] = ""


M = TypeVar("M", bound=Message)


class UndecodableError(ValueError):
    """The bytes are not the message that their header says: check the producer's version and its msgpack encoder."""


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type[Message], msgspec.msgpack.Decoder[Message]] = {}


def type_name(message: Message | type[Message]) -> str:
    """The CloudEvents type of a message, such as `io.causeway.document.v1`."""
    return message.type_name


def encode(message: Message) -> bytes:
    """One msgpack map. The same message always gives the same bytes."""
    return _encoder.encode(message)


def decode(body: bytes, kind: type[M]) -> M:
    """The message of type `kind` in `body`. Unknown keys are ignored, so that a newer producer does not break us.

    Raises:
        UndecodableError: not msgpack, or a field is missing or of the wrong type; the text names the field.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        return decoder.decode(body)  # type: ignore[return-value]
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UndecodableError(f"not a {kind.type_name}: {error}") from error


def decode_any(body: bytes, name: str | None, kinds: tuple[type[Message], ...]) -> Message:
    """Decode by the `ce-type` header among `kinds`; with one kind only, the header may be absent.

    Raises:
        UndecodableError: the type is not one that this subject carries, or the body is not of that type.
    """
    if name is None and len(kinds) == 1:
        return decode(body, kinds[0])
    for kind in kinds:
        if kind.type_name == name:
            return decode(body, kind)
    expected = ", ".join(kind.type_name for kind in kinds)
    raise UndecodableError(f"ce-type is {name!r}; this subject carries {expected}: set the ce-type header")
