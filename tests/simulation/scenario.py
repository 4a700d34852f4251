"""A hub and its sites with the services as they ship, on simulated servers and links."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from causeway.proto.subjects import HUB
from tests.simulation import service
from tests.simulation.checkers_at_quiet import DigestsEqual, NothingLost, SameWinner
from tests.simulation.checkers_of_changes import (
    AppliedInOrder,
    AppliedOnce,
    Confined,
    NumbersUnique,
    TextFaithful,
    Whole,
)
from tests.simulation.link import Source
from tests.simulation.observation import Checker, Observer
from tests.simulation.pipeline import Embedder, Sweeper
from tests.simulation.trace import Trace
from tests.simulation.world import Process, World
from tests.simulation.writers import KBS

SITES: Mapping[str, tuple[str, ...]] = {"alpha": KBS, "beta": KBS[:1]}
"""Each site with the kbs of the hub that it subscribes to."""
MEMORY = Path("/dev/shm")
"""Where it is there: a state that is synced to a disk is slow."""


@contextmanager
def scenario(seed: int, steps: int, trace: Trace | None = None, only: type[Checker] | None = None) -> Iterator[World]:
    """A world ready to run, with all checkers or one; its state files go with it."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield _built(seed, steps, trace or Trace(), Path(folder), only)


def run(seed: int, steps: int, trace: Trace | None = None, only: type[Checker] | None = None) -> World:
    """Play one seed.

    Raises:
        Violation: a promise was broken.
    """
    with scenario(seed, steps, trace, only) as world:
        world.run()
    return world


def checkers(items: Callable[[str, str, str], Mapping[bytes, bytes]]) -> list[Checker]:
    """All promises."""
    replicas = {site: [(HUB, kb) for kb in kbs] for site, kbs in SITES.items()}
    replicas[HUB] = [(site, kb) for site in SITES for kb in KBS]
    changes: list[Checker] = [AppliedOnce(), AppliedInOrder(), Confined(), Whole(), NumbersUnique(), TextFaithful()]
    return [*changes, NothingLost(), SameWinner(), DigestsEqual(replicas, items)]


def _built(seed: int, steps: int, trace: Trace, folder: Path, only: type[Checker] | None) -> World:
    def items(place: str, origin: str, kb: str) -> Mapping[bytes, bytes]:
        return service.items(folder / place, place, origin, kb)

    listening = [checker for checker in checkers(items) if only is None or type(checker) is only]
    world = World(seed, steps, Observer(listening), trace)
    for place in (HUB, *SITES):
        world.add_place(place, ("KNOWLEDGE", "INBOX", "STATUS", f"OUTBOX_{place}"))
    for site, kbs in SITES.items():
        up, down = _links(world, site, kbs)
        world.sources += [up, down]
    for place in (HUB, *SITES):
        _add_processes(world, place, folder / place)
    return world


def _links(world: World, site: str, kbs: tuple[str, ...]) -> tuple[Source, Source]:
    here, hub = world.servers[site], world.servers[HUB]
    down = tuple(f"site.{HUB}.outbox.{kb}.>" for kb in kbs)
    return Source(here, hub, (f"site.{site}.>",), world.random), Source(hub, here, down, world.random)


def _add_processes(world: World, place: str, folder: Path) -> None:
    async def embedder(process: Process) -> None:
        await Embedder(world.desks[place], process.bus(), process.turn()).run()

    async def sweeper(process: Process) -> None:
        await Sweeper(place, world.observer.logs, process.bus(), world.loop.time).run()

    async def sync_delta(process: Process) -> None:
        await service.run(process, folder)

    world.add_process(f"embedder of {place}", place, embedder)
    world.add_process(f"sweeper of {place}", place, sweeper)
    world.add_process(f"sync-delta of {place}", place, sync_delta)
