"""The four routes of an answer, each brought about on a running fleet; how they are shown is `commands.demo_hub`."""

import asyncio
import time
from importlib.util import find_spec

from causeway.bus import BusError
from causeway.cli.demo_fleet import SITES, DemoFleet
from causeway.cli.demo_hub_run import OWN_KB, POLL_S
from causeway.cli.engine_config import EngineConfig, EngineKind
from causeway.models import GENERATOR, ModelError, ModelStore
from causeway.proto import subjects
from causeway.proto.answers import Answer, Route
from causeway.proto.cloud import CloudStatus, CloudStatusAsked
from causeway.proto.subjects import HUB

PLANT, BRANCH = SITES
OWN_QUESTION = "How fast is a lost bank card blocked?"
CARDS = (
    "# Lost cards\n\nA lost bank card is blocked within one minute of the call to the hotline 0800 123 456, at any hour"
    " of the day. A new card is sent by post within three working days."
)
OTHERS_QUESTION = "How many gearboxes did the night shift make?"
ENGINE_S_MAX = 180.0
ROUTE_S_MAX = 120.0
PATIENT_S = 60.0
HURRIED_S = 1.0
STATUS_S = 4.0
# llama.cpp on one thread of a CPU reads a prompt in seconds, where a GPU takes the usual half of one.
SITE_SETTINGS = {
    "cloud_first_token_ms": "15000",
    "cloud_token_gap_ms": "10000",
    "cloud_tokens_max": "64",
}


def demo_engine() -> EngineConfig:
    """llama.cpp over the packaged model, or none where either is not installed."""
    try:
        ModelStore.from_settings().locate(GENERATOR)
    except ModelError:
        return EngineConfig()
    return EngineConfig(kind=EngineKind.LLAMA) if find_spec("xllamacpp") else EngineConfig()


async def engine_ready(fleet: DemoFleet) -> bool:
    """Whether the hub's engine came to be ready within its time."""
    deadline = time.monotonic() + ENGINE_S_MAX
    while time.monotonic() < deadline:
        try:
            status = await fleet.clients[HUB].bus.request(
                subjects.CLOUD_STATUS.at(HUB), CloudStatusAsked(), CloudStatus, STATUS_S
            )
        except BusError:
            status = None
        if status is not None and status.healthy:
            return True
        await asyncio.sleep(POLL_S)
    return False


async def by_edge(fleet: DemoFleet) -> Answer:
    """What the branch's own document says."""
    return await fleet.clients[BRANCH].ask(OWN_KB, OWN_QUESTION, timeout_s=PATIENT_S)


async def by_cloud(fleet: DemoFleet) -> Answer:
    """What only the plant's document says, which the branch does not have and the hub does."""
    return await _until(fleet, Route.CLOUD, cache=False)


async def by_cache(fleet: DemoFleet) -> Answer:
    """The same question asked again, once the hub's answer is kept."""
    return await _until(fleet, Route.CACHE, cache=True)


async def by_fallback(fleet: DemoFleet, cloud_s: float) -> Answer:
    """The same without the hub: the link is cut in silence, and the local answer stands at the end of the time.

    With no more time than the cloud took lately (`cloud_s`, seconds; 0: not known) nobody would ask it.
    """
    within_s = HURRIED_S + 2 * cloud_s
    return await fleet.clients[BRANCH].ask(OWN_KB, OTHERS_QUESTION, cache=False, timeout_s=within_s)


async def _until(fleet: DemoFleet, route: Route, *, cache: bool) -> Answer:
    """Ask until the answer takes this route, or the time is over; the last answer."""
    deadline = time.monotonic() + ROUTE_S_MAX
    while True:
        answer = await fleet.clients[BRANCH].ask(OWN_KB, OTHERS_QUESTION, cache=cache, timeout_s=PATIENT_S)
        if answer.route is route or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(POLL_S)
