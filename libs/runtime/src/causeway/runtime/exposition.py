"""An HTTP port for the outside: /metrics for Prometheus, /healthz (the process lives), /readyz (it can do its work)."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

Ready = Callable[[], str]
"""Why the service is not ready, or an empty string when it is."""


class Exposition:
    """Serves on a thread of its own, on loopback unless told otherwise. Port 0 takes a free one; below 0 means off."""

    def __init__(self, registry: CollectorRegistry, ready: Ready, port: int, host: str = "127.0.0.1") -> None:
        self.port = port
        self._server: ThreadingHTTPServer | None = None
        if port >= 0:
            self._server = ThreadingHTTPServer((host, port), _handler(registry, ready))
            self.port = self._server.server_address[1]

    def __enter__(self) -> "Exposition":
        if self._server is not None:
            threading.Thread(target=self._server.serve_forever, name="exposition", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _handler(registry: CollectorRegistry, ready: Ready) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._send(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                self._send(200, b"alive\n", "text/plain")
            elif self.path == "/readyz":
                reason = ready()
                self._send(503 if reason else 200, (reason or "ready").encode() + b"\n", "text/plain")
            else:
                self._send(404, b"this port serves /metrics, /healthz and /readyz\n", "text/plain")

        def _send(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Scrapes are not events."""

    return Handler
