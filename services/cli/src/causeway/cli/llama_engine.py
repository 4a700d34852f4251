"""`python -m causeway.cli.llama_engine`: llama.cpp's OpenAI-compatible server on loopback, behind a key.

The key is in CAUSEWAY_ENGINE_KEY. The process ends on SIGTERM once what it generates is finished, within a bound.
"""

import argparse
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from causeway.cli.engine_command import KEY_VARIABLE, LOOPBACK

EXIT_REFUSED = 78
DRAIN_POLL_S = 0.1
DRAIN_S_MAX = 30.0
_PAGE_TIMEOUT_S = 2.0
_BUSY = ("llamacpp:requests_processing", "llamacpp:requests_deferred")


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _options()
    key = os.environ.pop(KEY_VARIABLE, "")
    if not key:
        sys.stderr.write(f"{KEY_VARIABLE} is not set: without a key anybody on this machine could use the engine.\n")
        return EXIT_REFUSED
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = start(options, key)
    sys.stderr.write(f"llama.cpp serves {options.name} at {server.listening_address}.\n")
    stop.wait()
    drain(f"http://{LOOPBACK}:{options.port}/metrics", key, options.drain_s)
    # llama.cpp's threads do not end by themselves while a client holds a connection.
    os._exit(0)


def start(options: argparse.Namespace, key: str) -> Any:
    """The server, loaded and listening."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.name}
    params.hostnames = [LOOPBACK]
    params.port = options.port
    params.api_keys = [key]
    # The context is shared out between the sequences.
    params.n_parallel = options.parallel
    params.n_ctx = options.context * options.parallel
    params.n_batch = options.batch_tokens
    params.warmup = False
    params.verbosity = -1
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = options.threads
        # Threads that spin while they wait take the cores that other processes need.
        cpu.poll = 0
    params.endpoint_metrics = True
    params.endpoint_slots = False
    params.ui = False
    params.offline = True
    return xllamacpp.Server(params)


def drain(metrics_url: str, key: str, bound_s: float) -> bool:
    """Wait until nothing is generated any more; false when the bound came first or the page did not answer."""
    deadline = time.monotonic() + bound_s
    while time.monotonic() < deadline:
        busy = _busy(metrics_url, key)
        if busy is None:
            return False
        if not busy:
            return True
        time.sleep(DRAIN_POLL_S)
    return False


def _busy(metrics_url: str, key: str) -> float | None:
    request = urllib.request.Request(metrics_url, headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - loopback.
    try:
        with urllib.request.urlopen(request, timeout=_PAGE_TIMEOUT_S) as page:  # noqa: S310 - as above.
            lines = page.read().decode("utf-8", errors="replace").splitlines()
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return None
    return sum(float(line.split()[-1]) for line in lines if line.startswith(_BUSY))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m causeway.cli.llama_engine", description=__doc__)
    parser.add_argument("--model", required=True, help="path of a GGUF file")
    parser.add_argument("--name", required=True, help="name that requests give as their model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=4, help="sequences at once")
    parser.add_argument("--context", type=int, default=4096, help="tokens of one sequence")
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--drain-s", type=float, default=10.0)
    options = parser.parse_args()
    options.drain_s = min(options.drain_s, DRAIN_S_MAX)
    return options


if __name__ == "__main__":
    sys.exit(main())
