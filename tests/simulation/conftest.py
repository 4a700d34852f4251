"""The simulated places run unmeasured."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    """No coverage: a run takes three times as long with it, and the tests of sync-delta cover the same lines.

    The mark `no_cover` of pytest-cov does nothing in a worker of xdist, where it leaves a second tracer at work."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)
