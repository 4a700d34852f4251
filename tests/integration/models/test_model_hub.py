"""Files are read from a hub over HTTP: the right address, the token for the hub alone, and clear failures."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from causeway.models.errors import ModelMismatch, ModelMissing, ModelUnfetchable
from causeway.models.hub import hub_address, write_hub_file
from causeway.models.registry import HubSource, ModelFile, ModelSpec, Registry
from causeway.models.settings import Hub
from causeway.models.store import ModelStore

SOURCE = HubSource(repository="pump/weights", revision="refs/pr/1", path="onnx/pump.gguf")
BODY = b"GGUF of a pump"


class HubServer(ThreadingHTTPServer):
    """Serves one file, or sends the reader on to `elsewhere`; remembers paths and Authorization headers."""

    def __init__(self, elsewhere: str = "") -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.elsewhere = elsewhere
        self.seen: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class HubHandler(BaseHTTPRequestHandler):
    server: HubServer

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        if self.server.elsewhere:
            self.send_response(302)
            self.send_header("Location", f"{self.server.elsewhere}/file")
            self.end_headers()
        elif "missing" in self.path:
            self.send_error(404)
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(BODY)

    def log_message(self, *_arguments: object) -> None:
        """Nothing on standard error."""


def serve(server: HubServer) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    return thread


@pytest.fixture
def storage() -> Iterator[HubServer]:
    with HubServer() as server:
        thread = serve(server)
        yield server
        server.shutdown()
        thread.join(timeout=10)


@pytest.fixture
def hub(storage: HubServer) -> Iterator[HubServer]:
    with HubServer(elsewhere=storage.address) as server:
        thread = serve(server)
        yield server
        server.shutdown()
        thread.join(timeout=10)


def registry(sha256: str) -> Registry:
    file = ModelFile(name="pump.gguf", source=SOURCE, sha256=sha256)
    return Registry({"generator": ModelSpec(name="pump", format="gguf", licence="MIT", files=[file])})


def test_the_address_names_repository_revision_and_path() -> None:
    assert hub_address(SOURCE, "https://hub/") == "https://hub/pump/weights/resolve/refs%2Fpr%2F1/onnx/pump.gguf"


def test_a_file_is_fetched_through_a_redirect_that_does_not_see_the_token(
    hub: HubServer, storage: HubServer, tmp_path: Path
) -> None:
    write_hub_file(SOURCE, tmp_path / "file", Hub(hub.address, "secret"), online=True)
    assert (tmp_path / "file").read_bytes() == BODY
    assert hub.seen == [("/pump/weights/resolve/refs%2Fpr%2F1/onnx/pump.gguf", "Bearer secret")]
    assert storage.seen == [("/file", None)]


def test_a_fetched_model_is_installed_only_with_the_promised_sha256(storage: HubServer, tmp_path: Path) -> None:
    right = hashlib.sha256(BODY).hexdigest()
    path = ModelStore(registry(right), tmp_path / "right", Hub(storage.address)).fetch("generator")
    assert path.read_bytes() == BODY
    with pytest.raises(ModelMismatch, match="Nothing was installed"):
        ModelStore(registry("0" * 64), tmp_path / "wrong", Hub(storage.address)).fetch("generator")
    assert not (tmp_path / "wrong" / "pump").exists()


def test_ensure_does_not_ask_the_hub(storage: HubServer, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="fetching was not asked for"):
        ModelStore(registry("0" * 64), tmp_path, Hub(storage.address)).ensure("generator")
    assert storage.seen == []


@pytest.mark.parametrize(
    ("endpoint", "said"), [("http://127.0.0.1:9", "can not be read"), ("file:///etc", "no http address")]
)
def test_a_hub_that_can_not_be_read_is_said(endpoint: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelUnfetchable, match=said):
        write_hub_file(SOURCE, tmp_path / "file", Hub(endpoint), online=True)


def test_a_file_that_the_hub_does_not_have_is_said(storage: HubServer, tmp_path: Path) -> None:
    source = HubSource(repository="pump/missing", revision="main", path="x")
    with pytest.raises(ModelUnfetchable, match="404"):
        write_hub_file(source, tmp_path / "file", Hub(storage.address), online=True)
