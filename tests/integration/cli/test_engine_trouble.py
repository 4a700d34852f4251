"""What `causeway up hub` says of an engine that somebody else runs, by what cloud-inference says of it."""

import asyncio

import pytest

from causeway.bus import Bus, BusSettings, Caller, Endpoint
from causeway.cli.engine_watch import engine_trouble
from causeway.proto import subjects
from causeway.proto.cloud import CloudStatus, CloudStatusAsked
from causeway.proto.subjects import HUB
from tests.support.nats_server import NatsServer, nats_server

__all__ = ["nats_server"]
pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(("healthy", "reason"), [(True, ""), (False, "connection refused")])
async def test_an_engine_that_is_not_well_is_told_of_with_what_to_look_at(
    nats_server: NatsServer, healthy: bool, reason: str
) -> None:
    status = CloudStatus(
        engine="openai-url",
        model="m",
        healthy=healthy,
        reason=reason,
        running=0,
        waiting=0,
        kv_cache_used=0.0,
        first_token_ms=0.0,
        ms_per_token=0.0,
    )

    async def handle(_caller: Caller, _asked: CloudStatusAsked) -> CloudStatus:
        return status

    endpoint = Endpoint(
        name="status", subject=subjects.CLOUD_STATUS.at(HUB), handler=handle, request_type=CloudStatusAsked
    )
    async with Bus(BusSettings(url=nats_server.url, site=HUB, service="cloud-inference")) as bus:
        serving = bus.serve("cloud-inference", "0.1.0", "stand-in", [endpoint])
        await asyncio.wait_for(serving.ready.wait(), 20)
        told = await engine_trouble(bus)
    assert (reason in told, "--engine-url" in told) == (True, not healthy)
