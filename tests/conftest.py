"""Fixtures that every test may use; each lives in a file of tests/support."""

from hypothesis import settings

pytest_plugins = ["tests.support.nats_server"]

# An example that a busy machine takes long for is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
