"""What the client below raises while a point is read leaves the bus as an error of the bus."""

from typing import Any, cast

import nats.errors
import nats.js.errors
import pytest

from causeway.bus import BusError, NotConnected, StreamMissing, lookup
from causeway.bus.broker import EdgeBroker
from causeway.bus.lookup import Lookup


class Broker:
    """A broker whose JetStream fails with each of these in turn, and then finds nothing."""

    timeout_s = 1.0

    def __init__(self, *errors: Exception) -> None:
        self.client = self.js = self
        self._errors = list(errors)

    async def online(self, timeout_s: float | None) -> None:
        pass

    async def get_msg(self, stream: str, **more: Any) -> None:
        raise self._errors.pop(0) if self._errors else nats.js.errors.NotFoundError

    async def purge_stream(self, stream: str, **more: Any) -> None:
        raise self._errors.pop(0)


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "PAUSE_S", 0.0)


def reading(*errors: Exception) -> Lookup:
    return Lookup(cast(EdgeBroker, Broker(*errors)))


@pytest.mark.parametrize("error", [nats.errors.ConnectionClosedError(), nats.js.errors.ServiceUnavailableError()])
async def test_a_point_that_can_not_be_read_is_an_error_of_the_bus(error: Exception) -> None:
    with pytest.raises(NotConnected, match=r"a\.b of stream S"):
        await reading(*[error] * 3).last("S", "a.b", ())
    with pytest.raises(BusError):
        await reading(*[error] * 3).exists_many("S", ["a.b"])


async def test_a_server_that_is_there_again_is_read() -> None:
    assert await reading(nats.js.errors.ServiceUnavailableError()).last("S", "a.b", ()) is None


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (nats.errors.ConnectionClosedError(), NotConnected),
        (nats.js.errors.NotFoundError(), StreamMissing),
        (nats.errors.TimeoutError(), TimeoutError),
    ],
)
async def test_a_purge_that_fails_is_an_error_of_the_bus(error: Exception, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        await reading(error).purge("S", "a.b")
