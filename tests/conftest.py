"""Fixtures that every test may use; each lives in a file of tests/support."""

import signal

from hypothesis import settings

pytest_plugins = ["tests.support.nats_server"]

# An example that a busy machine takes long for is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Whoever starts the tests in the background has them ignore SIGINT, and so does every process under test: they are
# stopped by it.
signal.signal(signal.SIGINT, signal.default_int_handler)
