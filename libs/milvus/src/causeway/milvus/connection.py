"""One connection to a Milvus: made when it is first needed, made anew when it is lost, and its errors in our words."""

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import (
    DataNotMatchException,
    DataTypeNotMatchException,
    DataTypeNotSupportException,
    FieldsTypeException,
    FieldTypeException,
    MilvusException,
    ParamError,
    PrimaryKeyException,
)

from causeway.milvus.errors import ShelfError, ShelfRefused, ShelfUnavailable

T = TypeVar("T")
# 5 and 1100 to 1199 are illegal arguments: asking again changes nothing.
_REFUSED_CODES = frozenset({5, *range(1100, 1200)})
_NOT_CONNECTED = 2
_REFUSED_STATUS = frozenset(
    {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED}
)
_REFUSED_KINDS = (
    DataNotMatchException,
    DataTypeNotMatchException,
    DataTypeNotSupportException,
    FieldTypeException,
    FieldsTypeException,
    ParamError,
    PrimaryKeyException,
)
_VERSION = re.compile(r"(\d+)\.(\d+)")
HYBRID_SINCE = (2, 5)
PARTITIONS_SINCE = (2, 4)


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What the server can do.

    `hybrid`: words are indexed there (BM25), beside vectors. `partitions`: an upsert puts a row into the partition of
    its key; before 2.4 it may take another one, where a filter by the key does not find the row (milvus#30772).
    """

    version: str
    hybrid: bool
    partitions: bool


def capabilities_of(version: str) -> Capabilities:
    """By its version: BM25 came with Milvus 2.5; Milvus Lite has it since 3."""
    found = _VERSION.search(version)
    numbers = (int(found[1]), int(found[2])) if found else (0, 0)
    if "milvus_lite" in version:
        return Capabilities(version=version, hybrid=numbers >= (3, 0), partitions=True)
    return Capabilities(version=version, hybrid=numbers >= HYBRID_SINCE, partitions=numbers >= PARTITIONS_SINCE)


# Connections of one process to one address would share how often it failed, and wait for each other's next try.
_GRPC = {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 1_000,
    "grpc.max_reconnect_backoff_ms": 2_000,
}


def connected(uri: str, token: str, timeout_s: float) -> MilvusClient:
    """A client with a connection of its own, which comes back within seconds when the server does."""
    return MilvusClient(uri=uri, token=token, timeout=timeout_s, dedicated=True, grpc_options=_GRPC)


class Connection:
    """Blocks: call from worker threads, any number of them."""

    def __init__(self, uri: str, token: str, timeout_s: float) -> None:
        self.uri = uri
        self.timeout_s = timeout_s
        self._token = token
        # It logs with a traceback what it then raises, and what is raised here is logged by whoever gives up.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        self._client: MilvusClient | None = None
        self._turn = threading.Lock()

    def call(self, act: Callable[[MilvusClient], T]) -> T:
        """What `act` returns. pymilvus itself asks again for up to `timeout_s` where the server is away.

        Raises:
            ShelfUnavailable, ShelfRefused.
        """
        try:
            return act(self._connected())
        except (MilvusException, grpc.RpcError, ConnectionError) as error:
            # What the server itself answered says nothing against the connection.
            code = getattr(error, "code", None)
            if not isinstance(error, MilvusException) or code == _NOT_CONNECTED or isinstance(code, grpc.StatusCode):
                self.close()
            raise _in_our_words(error, self.uri) from error
        except ValueError as error:
            # Another thread has just closed the connection under this call.
            if "closed" not in str(error).lower():
                raise
            raise _in_our_words(error, self.uri) from error

    def close(self) -> None:
        """The next call makes a new connection."""
        with self._turn:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> MilvusClient:
        with self._turn:
            if self._client is None:
                self._client = connected(self.uri, self._token, self.timeout_s)
            return self._client


def _in_our_words(error: Exception, uri: str) -> ShelfError:
    code: Any = error.code() if isinstance(error, grpc.RpcError) else getattr(error, "code", None)
    text = f"{uri}: {str(error)[:500]}"
    if isinstance(error, _REFUSED_KINDS) or code in _REFUSED_STATUS or code in _REFUSED_CODES:
        return ShelfRefused(text)
    return ShelfUnavailable(f"{text}; {ShelfUnavailable.__doc__}")
