"""Fixtures that every test may use; each lives in a file of tests/support."""

pytest_plugins = ["tests.support.nats_server"]
