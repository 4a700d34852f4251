"""The floor: a plain stream at the hub that sources the site's outbox, with nothing behind it."""

import time

from nats.js import api

from causeway.bus.sourcing import source_config
from causeway.topology.sources import hub_source
from tests.bench.link_fleet import BOUND_S, SITE, BenchLink
from tests.support.waiting import until_async

RAW = "RAW"


async def raw_seconds(link: BenchLink, after_seq: int, messages: int) -> tuple[float, float]:
    """Seconds from the cure of a cut until all messages of the outbox after a sequence have come, and those until
    there is a connection. The source is kicked as soon as there is one: it can not be faster."""
    js = link.hub.broker.js
    config = api.StreamConfig(name=RAW, subjects=[], sources=[_source(after_seq)], duplicate_window=0)
    await link.cut()
    await js.add_stream(config)
    try:
        healed_s = await link.heal()
        linked_s = time.monotonic()
        await js.update_stream(config.evolve(sources=[]))
        await js.update_stream(config)

        async def all_came() -> bool:
            return (await js.stream_info(RAW)).state.messages >= messages

        await until_async(all_came, BOUND_S)
        return time.monotonic() - healed_s, linked_s - healed_s
    finally:
        await js.delete_stream(RAW)


def _source(after_seq: int) -> api.StreamSource:
    source = source_config(hub_source(SITE))
    assert source.external is not None
    # A deliver subject of its own within what the account of the site lets through.
    external = api.ExternalStream(api=source.external.api, deliver=f"{source.external.deliver}.raw")
    return source.evolve(external=external, opt_start_seq=after_seq + 1)
