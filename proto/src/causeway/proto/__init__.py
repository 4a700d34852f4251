"""Causeway's contract: every message, subject, stream, bucket and header name that crosses the bus."""

from causeway.proto.codec import Message, UndecodableError, decode, decode_any, encode, type_name

__all__ = ["Message", "UndecodableError", "decode", "decode_any", "encode", "type_name"]
