"""Fixtures that every test may use; each lives in a file of tests/support."""

import os
import signal

from hypothesis import settings

from causeway.cli.ports import RANGE_VARIABLE

pytest_plugins = ["tests.support.nats_server"]

# An example that a busy machine takes long for is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Whoever starts the tests in the background has them ignore SIGINT, and so does every process under test: they are
# stopped by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A port is free between its choice and the start of its process: no two workers choose from the same ones.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_EACH = 12_768 // _WORKERS
os.environ[RANGE_VARIABLE] = f"{20_000 + _WORKER * _EACH}-{20_000 + (_WORKER + 1) * _EACH - 1}"
