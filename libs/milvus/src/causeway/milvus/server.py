"""The `causeway-milvus` command: Milvus Lite as a process that loses nothing.

Milvus Lite alone loses acknowledged rows when several clients write at once (its log takes one writer) and when it
gets SIGTERM. Here one lock is held by whatever writes, every write is on disk before it is acknowledged, collections
are opened before the first call, and SIGTERM closes the database.
"""

import argparse
import logging
import signal
import sys
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

from causeway.milvus.errors import DataFolderHeld

EXIT_REFUSED = 78
MESSAGE_BYTES_MAX = 256 * 1024 * 1024
THREADS = 16
DRAIN_S = 10.0
HEALTH_S = 5.0
# What is not in a segment yet is searched row by row: with Milvus Lite's own 128 MiB a search of 4,000 rows took 7
# times as long, one by meaning and words 16 times.
UNINDEXED_BYTES_MAX = 4 * 1024 * 1024
# All other calls only read: what is not known to read takes the lock.
READS = frozenset(
    "Connect GetVersion CheckHealth HasCollection DescribeCollection ShowCollections Query Search HybridSearch "
    "DescribeIndex GetLoadingProgress GetLoadState HasPartition ShowPartitions GetFlushState GetCollectionStatistics "
    "GetPartitionStatistics ListDatabases DescribeDatabase DescribeAlias ListAliases GetCompactionState "
    "AllocTimestamp GetIndexState GetIndexBuildProgress".split()
)
_HEALTH = "/milvus.proto.milvus.MilvusService/CheckHealth"


class OneWriter(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types.
    """Lets one call at a time write, whatever client it comes from."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def intercept_service(self, continuation: Any, call: Any) -> Any:
        """The handler itself for reads, the handler under the lock for the rest."""
        handler = continuation(call)
        if handler is None or handler.unary_unary is None or call.method.rsplit("/", 1)[-1] in READS:
            return handler

        def alone(request: Any, context: Any) -> Any:
            with self.lock:
                return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            alone, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
        )


class Server:
    """Milvus Lite over one data folder on one address. Raises DataFolderHeld, or OSError where the port is taken."""

    def __init__(self, data: Path, host: str, port: int) -> None:
        from pymilvus.grpc_gen import milvus_pb2_grpc

        self._turn = OneWriter()
        self._database = _opened(data)
        try:
            self._grpc, self.port = _bound(self._turn, host, port)
        except OSError:
            self._database.close()
            raise
        milvus_pb2_grpc.add_MilvusServiceServicer_to_server(_servicer(self._database), self._grpc)

    def start(self) -> None:
        """Answer from now on."""
        self._grpc.start()

    def close(self) -> None:
        """Take no more calls, let those under way end, close the database."""
        self._grpc.stop(DRAIN_S).wait()
        with self._turn.lock:
            self._database.close()


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.health:
        return check_health(arguments.host, arguments.port)
    if arguments.data is None:
        return _refused("name the data folder: --data DIR")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s causeway-milvus: %(message)s")
    try:
        server = Server(arguments.data, arguments.host, arguments.port)
    except (DataFolderHeld, OSError) as refusal:
        return _refused(str(refusal))
    server.start()
    _say(f"ready on {arguments.host}:{server.port}")
    stop.wait()
    server.close()
    _say("closed")
    return 0


def check_health(host: str, port: int) -> int:
    """0 where a server answers, 1 where none does within a few seconds."""
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        try:
            channel.unary_unary(_HEALTH, request_serializer=bytes, response_deserializer=bytes)(b"", timeout=HEALTH_S)
        except grpc.RpcError as error:
            return _refused(f"{host}:{port} does not answer ({error.code().name.lower()})", code=1)
    _say("healthy")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="causeway-milvus", description="The embedded Milvus of a hub.")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the collections are kept")
    parser.add_argument("--host", default="127.0.0.1", help="it knows no passwords and no TLS: keep it on loopback")
    parser.add_argument("--port", type=int, default=19530, help="0 takes a free one")
    parser.add_argument("--health", action="store_true", help="ask a running one, and exit with 0 if it answers")
    return parser


def _opened(data: Path) -> Any:
    from milvus_lite.db import MilvusLite
    from milvus_lite.engine import collection as engine
    from milvus_lite.exceptions import DataDirLockedError
    from milvus_lite.storage.wal import WAL

    class SyncedLog(WAL):  # type: ignore[misc]  # milvus_lite has no types.
        """A log that is on disk when a write returns: the position must never be kept where its effects are not."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **{**named, "sync_mode": "batch"})

    engine.WAL = SyncedLog
    engine.MEMTABLE_MEMORY_LIMIT = UNINDEXED_BYTES_MAX
    _quiet_jieba(data)
    try:
        database = MilvusLite(str(data))
    except DataDirLockedError as error:
        raise DataFolderHeld(str(data)) from error
    # Two first readers at once would open a collection twice, and the rows written to one of the two would be lost.
    for name in database.list_collections():
        database.get_collection(name).load()
    return database


def _quiet_jieba(data: Path) -> None:
    """Its dictionary is read before the first call, and its cache lies with the data and not where anyone may write."""
    import jieba

    jieba.setLogLevel(logging.WARNING)
    cache = data / "jieba"
    cache.mkdir(parents=True, exist_ok=True)
    jieba.dt.tmp_dir = str(cache)
    jieba.initialize()


def _servicer(database: Any) -> Any:
    from milvus_lite.adapter.grpc.servicer import MilvusServicer
    from pymilvus.grpc_gen import milvus_pb2

    class Servicer(MilvusServicer):  # type: ignore[misc]  # milvus_lite has no types.
        """Says the time where pymilvus asks for it: without, each call of that kind is an error in both logs."""

        def AllocTimestamp(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name is the protocol's
            return milvus_pb2.AllocTimestampResponse(timestamp=_now())

        def Query(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name is the protocol's
            answer = super().Query(request, context)
            answer.session_ts = _now()
            return answer

    return Servicer(database)


def _now() -> int:
    """Milvus's clock: milliseconds above 18 bits of a counter."""
    return int(time.time() * 1000) << 18


def _bound(turn: OneWriter, host: str, port: int) -> tuple[Any, int]:
    options = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.so_reuseport", 0),  # Two servers on one port would each get half of the calls.
    ]
    server = grpc.server(futures.ThreadPoolExecutor(THREADS), interceptors=[turn], options=options)
    try:
        taken = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(f"{host}:{port} can not be listened on: stop what holds it, or choose another --port") from error
    return server, int(taken)


def _say(text: str) -> None:
    sys.stdout.write(f"causeway-milvus: {text}\n")
    sys.stdout.flush()


def _refused(text: str, code: int = EXIT_REFUSED) -> int:
    sys.stderr.write(f"causeway-milvus: {text}\n")
    return code
