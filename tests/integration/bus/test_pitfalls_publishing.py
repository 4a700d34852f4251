"""A publish that failed may have been stored: the same id makes the next attempt safe."""

import pytest
from faststream.nats import NatsBroker

from causeway.bus import NotPublished
from tests.support.buses import DOCUMENTS, declared_bus, document, started
from tests.support.nats_server import NatsServer


@pytest.mark.parametrize("remedy", [True, False], ids=["remedy", "plain"])
async def test_a_publish_that_timed_out_and_is_tried_again_is_stored_once(
    nats_server: NatsServer, remedy: bool
) -> None:
    async with declared_bus(nats_server) as bus, started(NatsBroker(nats_server.url)) as plain:
        nats_server.freeze()
        if remedy:
            with pytest.raises(NotPublished, match="may have been stored"):
                await bus.publish(DOCUMENTS, document(1), msg_id="one", timeout_s=0.5)
        else:
            with pytest.raises(TimeoutError):
                await plain.publish(b"one", DOCUMENTS, stream="DOCUMENTS")
        nats_server.thaw()
        if remedy:
            await bus.publish(DOCUMENTS, document(1), msg_id="one")
        else:
            await plain.publish(b"one", DOCUMENTS, stream="DOCUMENTS", timeout=5)
        state = (await bus.broker.js.stream_info("DOCUMENTS")).state
        assert state.messages == (1 if remedy else 2)
