"""What the client below raises leaves the bus as an error of the bus; what was said before it is not forgotten."""

from typing import cast

import nats.errors
import pytest

from causeway.bus import BusError, BusSettings, NotConnected, PayloadTooLarge, ProblemReply, RequestTimeout
from causeway.bus.broker import EdgeBroker
from causeway.bus.requesting import Requesting
from causeway.proto.answers import Answer, AnswerPart, Ask, Problem

ASK = Ask(kb="kb", question="why?")


class Client:
    """A client in which one call fails; it is its own broker and subscription."""

    def __init__(self, failing: str, error: Exception) -> None:
        self._failing = failing
        self._error = error
        self.client = self
        self.unsubscribed = False

    async def online(self, timeout_s: float | None) -> None:
        pass

    def new_inbox(self) -> str:
        return "_INBOX.x"

    async def subscribe(self, subject: str) -> "Client":
        self._perhaps("subscribe")
        return self

    async def publish(self, subject: str, body: bytes, **more: object) -> None:
        self._perhaps("publish")

    async def next_msg(self, timeout: float) -> None:  # noqa: ASYNC109  # As the client has it.
        self._perhaps("next_msg")

    async def unsubscribe(self) -> None:
        self.unsubscribed = True

    def _perhaps(self, call: str) -> None:
        if call == self._failing:
            raise self._error


@pytest.mark.parametrize("failing", ["subscribe", "publish", "next_msg"])
@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (nats.errors.ConnectionClosedError(), NotConnected),
        (nats.errors.OutboundBufferLimitError(), NotConnected),
        (nats.errors.MaxPayloadError(), PayloadTooLarge),
    ],
    ids=["closed", "full", "too large"],
)
async def test_an_error_of_the_client_is_one_of_the_bus(failing: str, error: Exception, raised: type[BusError]) -> None:
    client = Client(failing, error)
    requesting = Requesting(cast(EdgeBroker, client), BusSettings(site="s", service="test"))
    with pytest.raises(raised):
        async for _ in requesting.request_stream("site.s.ask.kb", ASK, AnswerPart):
            pass
    assert client.unsubscribed is (failing != "subscribe")


async def test_a_word_that_is_too_large_is_told_so() -> None:
    client = Client("publish", nats.errors.MaxPayloadError())
    requesting = Requesting(cast(EdgeBroker, client), BusSettings(site="s", service="test"))
    with pytest.raises(PayloadTooLarge):
        await requesting.notify("site.s.ask.kb", ASK)


async def test_a_last_try_that_ends_with_the_time_does_not_hide_that_the_service_was_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = ProblemReply(Problem(code="busy", message="2 requests are being answered", retryable=True))
    ends: list[Exception] = [busy, RequestTimeout("site.s.ask.kb after 0.1 s")]

    async def once(*_: object) -> Answer:
        raise ends.pop(0)

    requesting = Requesting(cast(EdgeBroker, Client("", busy)), BusSettings(site="s", service="test"))
    monkeypatch.setattr(requesting, "_once", once)
    with pytest.raises(ProblemReply) as raised:
        await requesting.request("site.s.ask.kb", ASK, Answer, 60.0)
    assert raised.value is busy
    assert ends == []
