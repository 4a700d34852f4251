"""The process that runs llama.cpp: requests in on stdin, pieces of text out on stdout, one JSON object a line.

It ends when stdin does, so it can not outlive the service, however that ends.
"""

import json
import os
import secrets
import sys
import threading
from typing import IO, Any

from causeway.edge_inference.hardening import harden

_CONTEXT_TOKENS = 2_048


class _Requests:
    """Requests as they come, and which of them was cancelled."""

    def __init__(self, lines: IO[str]) -> None:
        self._lines = lines
        self._queue: list[dict[str, Any]] = []
        self._came = threading.Condition()
        self.cancelled = -1

    def read(self) -> None:
        """Runs on a thread of its own until stdin ends, and ends the process then."""
        for line in self._lines:
            request = json.loads(line)
            with self._came:
                if "cancel" in request:
                    self.cancelled = request["cancel"]
                else:
                    self._queue.append(request)
                self._came.notify()
        os._exit(0)

    def next(self) -> dict[str, Any]:
        """Waits for the next request."""
        with self._came:
            self._came.wait_for(lambda: bool(self._queue))
            return self._queue.pop(0)


def serve(config: dict[str, Any], requests: _Requests, out: IO[str]) -> None:
    """Load the model, say so, and answer for ever."""
    server = _server(config)
    _say(out, {"ready": True})
    while True:
        request = requests.next()
        number = request["id"]

        def piece(chunk: Any, number: int = number) -> bool:
            choices = chunk.get("choices") if isinstance(chunk, dict) else None
            text = (choices[0].get("delta") or {}).get("content") if choices else None
            if text:
                _say(out, {"id": number, "piece": text})
            elif isinstance(chunk, dict) and "error" in chunk:
                _say(out, {"id": number, "error": str(chunk["error"])})
            return requests.cancelled == number

        try:
            server.handle_chat_completions(_body(request), piece)
            _say(out, {"id": number, "done": True})
        except (RuntimeError, ValueError) as error:
            _say(out, {"id": number, "error": str(error)})


def _body(request: dict[str, Any]) -> dict[str, Any]:
    sampling = {"temperature": 0.0, "seed": 1, "stream": True}
    return {"messages": request["messages"], "max_tokens": request["tokens_max"]} | sampling


def _server(config: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = config["model"]
    params.n_ctx = _CONTEXT_TOKENS
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = config["threads"]
        # Threads that spin while they wait take the cores that asks need.
        cpu.poll = 0
    # llama.cpp's own HTTP port can not be turned off: loopback, and a key that nobody has.
    params.api_keys = [secrets.token_hex(32)]
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    return xllamacpp.Server(params)


def _say(out: IO[str], message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def main() -> None:
    """Take stdout for the protocol, so that a library that prints can not break it."""
    harden()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    config = json.loads(sys.stdin.readline())
    requests = _Requests(sys.stdin)
    threading.Thread(target=requests.read, name="requests", daemon=True).start()
    serve(config, requests, out)


if __name__ == "__main__":
    main()
