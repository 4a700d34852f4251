"""One run: a fleet, its processes, two writers, faults in between, quiet, and the checks."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from causeway.bus import Bus, BusError
from causeway.proto import subjects
from causeway.proto.link import Verified, VerifyAsked
from causeway.proto.subjects import HUB
from tests.faults.checking import STREAM, Observer, leaked, lost, read_hub
from tests.faults.processes import CHUNK_KEYS, Processes, processes_of
from tests.faults.writing import Writer
from tests.support.linked_servers import LinkedServers, linked
from tests.support.waiting import pause, until_async

SITES = ("a", "b")
QUIET_S_MAX = 300.0
VERIFY_S_MAX = 240.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do. Times in seconds."""

    seed: int
    revisions: int = 10_000
    faults: int = 50
    documents: int = 400
    down_s_max: float = 3.0
    milvus: bool = True


@dataclass(kw_only=True)
class Outcome:
    """What came of it; all lists are empty when all is well."""

    seed: int
    revisions: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    effects_seen: int = 0
    seconds: float = 0.0
    quiet_s: float = 0.0

    @property
    def well(self) -> bool:
        """Whether everything that must hold holds."""
        return not (self.lost or self.twice or self.out_of_order or self.leaked or self.different)


@dataclass(kw_only=True)
class Field:
    """A running fleet with everything that can be broken."""

    fleet: LinkedServers
    processes: Processes
    rng: random.Random
    plan: Plan
    outcome: Outcome
    down: set[str] = field(default_factory=set)

    async def break_one(self) -> None:
        """One fault: something that is up now is cut or killed, and comes back after a while."""
        names = [*(f"link.{site}" for site in SITES), *(f"nats.{place}" for place in (HUB, *SITES))]
        names += list(self.processes.children)
        name = self.rng.choice([each for each in names if each not in self.down])
        seconds = self.rng.uniform(0.1, self.plan.down_s_max)
        self.down.add(name)
        self.outcome.faults[name] += 1
        try:
            await self._break(name, seconds)
        finally:
            self.down.discard(name)

    async def _break(self, name: str, seconds: float) -> None:
        kind, _, which = name.partition(".")
        if kind == "link":
            self.fleet.cut(which)
            await pause(seconds)
            self.fleet.heal(which)
        elif kind == "nats":
            await self.fleet.kill(which)
            await pause(seconds)
            await self.fleet.restart(which)
        else:
            child = self.processes.children[name]
            await asyncio.to_thread(child.end)
            await pause(seconds)
            child.start()


async def run(plan: Plan, folder: Path, progress: Callable[[str, int, int], None]) -> Outcome:
    """Do it all; `progress` hears what is done, how far, of how much."""
    began = time.monotonic()
    outcome = Outcome(seed=plan.seed)
    async with linked(folder / "fleet", sites=SITES, kbs=("k",), keep=True, compression="off") as fleet:
        processes = processes_of(fleet, folder, milvus=plan.milvus)
        try:
            for child in processes.children.values():
                child.start()
            await asyncio.gather(*(processes.ready(name) for name in processes.metrics_ports))
            field_ = Field(
                fleet=fleet, processes=processes, rng=random.Random(f"faults {plan.seed}"), plan=plan, outcome=outcome
            )
            async with _buses(fleet) as buses:
                await _write_and_check(field_, buses, outcome, progress)
        finally:
            await asyncio.to_thread(processes.stop)
    outcome.seconds = time.monotonic() - began
    return outcome


@asynccontextmanager
async def _buses(fleet: LinkedServers) -> AsyncIterator[dict[str, Bus]]:
    async with AsyncExitStack() as stack:
        yield {
            place: await stack.enter_async_context(fleet.bus(place, service="faults", streams_wait_s=None))
            for place in (HUB, *SITES)
        }


async def _write_and_check(
    field_: Field, buses: dict[str, Bus], outcome: Outcome, progress: Callable[[str, int, int], None]
) -> None:
    plan = field_.plan
    observer = Observer(bus=buses[HUB])
    observer.start()
    writers = [
        Writer(
            site=site,
            key=CHUNK_KEYS[site],
            rng=random.Random(f"{site} {plan.seed}"),
            bus=buses[site],
            count=plan.documents,
        )
        for site in SITES
    ]
    await asyncio.gather(
        *(_write(writer, plan.revisions // len(writers), outcome) for writer in writers),
        _faults(field_, outcome, progress),
    )
    await asyncio.gather(*(field_.processes.ready(name) for name in field_.processes.metrics_ports))
    outcome.revisions = sum(writer.written for writer in writers)
    quiet_from = time.monotonic()
    outcome.different = [line for site in SITES for line in await _equal(buses[site])]
    outcome.quiet_s = time.monotonic() - quiet_from
    for writer in writers:
        held = await read_hub(buses[HUB], writer.site)
        outcome.lost += lost(writer, held)
        outcome.leaked += leaked(writer.secrets, bytes(field_.fleet.links[writer.site].captured_up), held)
    await until_async(lambda: _seen(observer, buses[HUB]), 60.0)
    outcome.twice, outcome.out_of_order = observer.twice, observer.out_of_order
    outcome.effects_seen = sum(observer.effects.values())


async def _write(writer: Writer, revisions: int, outcome: Outcome) -> None:
    for _ in range(revisions):
        await writer.write()
        outcome.revisions += 1


async def _faults(field_: Field, outcome: Outcome, progress: Callable[[str, int, int], None]) -> None:
    """Spread over the writing: the next fault comes when its share of the revisions is written."""
    plan = field_.plan
    breaking: list[asyncio.Task[None]] = []
    for number in range(plan.faults):
        due = (number + 1) * plan.revisions // (plan.faults + 1)
        await until_async(partial(_reached, outcome, due), 600.0)
        progress("faults", number + 1, plan.faults)
        breaking.append(asyncio.create_task(field_.break_one()))
    await asyncio.gather(*breaking)


async def _reached(outcome: Outcome, due: int) -> bool:
    return outcome.revisions >= due


async def _seen(observer: Observer, bus: Bus) -> bool:
    """Whether it has seen every manifest that is there."""
    newer = bus.scan(STREAM, [subjects.KNOWLEDGE_DOCUMENT.at("*")], after_seq=observer.position.seq)
    async with aclosing(newer) as deliveries:
        async for _ in deliveries:
            return False
    return True


async def _equal(bus: Bus) -> list[str]:
    """What still differs at the end; comparisons are tried until nothing does or the time is over."""
    deadline = time.monotonic() + QUIET_S_MAX
    said = ["no comparison came to an end"]
    while time.monotonic() < deadline:
        try:
            found = await bus.request(
                subjects.LINK_VERIFY.at(bus.settings.site), VerifyAsked(), Verified, timeout_s=VERIFY_S_MAX
            )
        except (BusError, TimeoutError) as error:
            said = [f"{type(error).__name__}: {error}"]
            continue
        if found.equal and not found.unsettled:
            return []
        said = [f"{each.kb}/{each.document_id}: {each.what} (at the {each.wrong_at})" for each in found.differences]
        said = said or ["what was shared has not all arrived"]
    return said
