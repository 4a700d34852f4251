"""One seeded run: places, links, faults and time. Chance decides which of all pending turns goes next."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from causeway.bus import BusError, NotPublished
from causeway.proto import Message
from causeway.proto.knowledge import DocumentRevised
from tests.simulation.link import Source
from tests.simulation.log import CompactedLog
from tests.simulation.observation import Observer, Violation, records
from tests.simulation.simulated_bus import Gone, Server, SimulatedBus
from tests.simulation.trace import Trace
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.wire import Wire
from tests.simulation.writers import Desk

EPOCH_MS = 1_700_000_000_000
HOUR_S = 3_600.0
LOST_ACKS = 0.005
QUIET_STEPS_MAX = 60_000
QUIET_S = 150.0
RESTART_S = 1.0

RUNNING: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("running", default=None)
"""The process whose code runs."""
LOOPS = (".until", "._keep_up", "KNOWLEDGE", "INBOX")
"""How the names of tasks end that must not end."""
Turn = Callable[[str], Awaitable[None]]
Program = Callable[["Process"], Coroutine[Any, Any, None]]


@dataclass
class Process:
    """Something that can be killed: at most one incarnation runs at a time."""

    name: str
    place: str
    program: Program
    world: "World"
    incarnation: int = 0
    task: asyncio.Task[None] | None = None
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def start(self) -> None:
        """A new incarnation."""
        self.incarnation += 1
        self.context = contextvars.copy_context()
        self.context.run(RUNNING.set, self)
        self.task = self.world.loop.create_task(self.program(self), name=self.name, context=self.context)

    def kill(self) -> None:
        """Nothing of it runs on."""
        self.incarnation += 1
        self.world.wire.forget(self)
        self.task = None
        tasks, self.tasks = self.tasks, set()
        for task in tasks:
            task.cancel()

    def turn(self) -> Turn:
        """The turns of this incarnation: a dead one gets none."""
        incarnation = self.incarnation

        async def turn(label: str) -> None:
            if incarnation != self.incarnation:
                raise Gone(self.name)
            await self.world.wait_turn(self, label)
            if incarnation != self.incarnation:
                raise Gone(self.name)

        return turn

    def bus(self) -> SimulatedBus:
        """A connection of this incarnation to the place's server."""
        world, turn = self.world, self.turn()

        async def ask(subject: str, message: Message) -> Message:
            return await world.wire.ask(self.place, subject, message)

        return SimulatedBus(world.servers[self.place], turn, world.random, lambda: world.lost_acks, ask)

    def ended(self, task: asyncio.Task[Any]) -> None:
        """A loop of a service that ends by itself has failed, whoever notices."""
        self.tasks.discard(task)
        if task.cancelled() or not (task is self.task or task.get_name().endswith(LOOPS)):
            return
        error = task.exception() or RuntimeError("it returned")
        if task is self.task and isinstance(error, BusError):
            # It could not start; whoever supervises it tries again.
            self.kill()
            self.world.loop.call_later(RESTART_S, self.world.restart, self)
            return
        name = f"{task.get_name()} of {self.name}"
        self.world.fail(Violation(f"ended: {name}: {type(error).__name__}: {error}"), error)


@dataclass
class Pending:
    """An operation that waits for its turn."""

    process: Process
    label: str
    act: Callable[[], None]
    fail: Callable[[Exception], None]


@dataclass
class World:
    """Built by `scenario`; `run` plays it to its quiet end."""

    seed: int
    steps: int
    observer: Observer
    trace: Trace
    random: Random = field(init=False)
    loop: VirtualLoop = field(init=False)
    servers: dict[str, Server] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    skew_ms: dict[str, int] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    done: int = 0
    quiet_since_s: float | None = None
    last_sizes: tuple[int, ...] = ()
    lost_acks: float = LOST_ACKS
    wire: Wire = field(init=False)
    failure: Violation | None = None

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.loop = VirtualLoop(self.idle, self._defer)
        self.loop.set_task_factory(_task_of_process)  # type: ignore[arg-type]
        self.observer.broken = self.fail
        self.wire = Wire(self)

    def add_place(self, place: str, streams: tuple[str, ...]) -> None:
        """A server with its logs, its producers and its clock."""
        logs: Mapping[str, CompactedLog] = {name: self.observer.log(place, name) for name in streams}
        self.skew_ms[place] = self.random.choice((0, 0, 1, -1)) * self.random.randrange(0, 6 * 3_600_000)
        self.servers[place] = Server(place, dict(logs), lambda: self.wall_ms(place))
        self.desks[place] = Desk(place, self.random)

    def add_process(self, name: str, place: str, program: Program) -> None:
        """A process that is started again whenever it is killed."""
        self.processes.append(Process(name, place, program, self))

    def wall_ms(self, place: str) -> int:
        """What the clock on the wall of a place says."""
        return EPOCH_MS + int(self.loop.now_s * 1000) + self.skew_ms[place]

    async def wait_turn(self, process: Process, label: str) -> None:
        """Until chance picks it."""
        future = self.loop.create_future()

        def act() -> None:
            if not future.done():
                future.set_result(None)

        def fail(error: Exception) -> None:
            if not future.done():
                future.set_exception(error)

        self.pending.append(Pending(process, label, act, fail))
        await future

    def _defer(self, work: Callable[[], None]) -> None:
        process = RUNNING.get()
        if process is None:
            work()
        else:
            run = partial(_in_context, contextvars.copy_context(), work)
            self.pending.append(Pending(process, "work of a thread", run, lambda _: run()))

    def fail(self, violation: Violation, cause: BaseException | None = None) -> None:
        """The first violation ends the run."""
        if self.failure is None:
            violation.__cause__ = cause
            self.failure = violation
        self.loop.stop()

    def run(self) -> None:
        """Play it.

        Raises:
            Violation: a promise was broken.
        """
        asyncio.set_event_loop(None)
        for process in self.processes:
            process.start()
        try:
            self.loop.run_forever()
            if self.failure is None:
                self._judge()
        finally:
            self._close()
        if self.failure is not None:
            raise self.failure

    def _judge(self) -> None:
        try:
            self.observer.quiet()
        except Violation as violation:
            self.failure = violation

    def _close(self) -> None:
        for process in self.processes:
            process.kill()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.idle = lambda _: self.loop.stop()
        self.loop.run_forever()
        self.loop.close()

    def idle(self, wait_s: float | None) -> None:
        """Called by the loop when nothing is ready: one thing happens."""
        try:
            self._happen(wait_s)
        except Violation as violation:
            self.fail(violation)

    def _happen(self, wait_s: float | None) -> None:
        self.done += 1
        if self.done <= self.steps:
            self._lively(wait_s)
            return
        if self.done == self.steps + 1:
            self._calm()
        self._toward_quiet(wait_s)

    def _lively(self, wait_s: float | None) -> None:
        chance = self.random.random()
        if chance < 0.06:
            self._write()
        elif chance < 0.25 and self._source():
            pass
        elif chance < 0.27:
            self._fault()
        elif chance < 0.29:
            self._pass_time(self.random.choice((0.1, 1.0, 10.0, 100.0)))
        elif not self._turn():
            self._pass_time(min(wait_s or 1.0, 5.0))

    def _calm(self) -> None:
        """Everything is mended and nobody writes any more."""
        self.trace.say(self, "calm", "links are up, no faults, no writes")
        self.lost_acks = 0.0
        self.wire.loss = 0.0
        for source in self.sources:
            source.up, source.loss = True, 0.0
        for process in self.processes:
            if process.task is None:
                process.start()

    def _toward_quiet(self, wait_s: float | None) -> None:
        if self.done > self.steps + QUIET_STEPS_MAX:
            raise Violation(f"no quiet after {QUIET_STEPS_MAX} steps; pending: {[each.label for each in self.pending]}")
        if (self.random.random() < 0.3 and self._source()) or self._turn() or self._source():
            return
        sizes = tuple(log.synced_seq for log in self.observer.logs.values())
        if sizes != self.last_sizes or any(desk.documents for desk in self.desks.values()):
            self.last_sizes, self.quiet_since_s = sizes, self.loop.now_s
        if self.quiet_since_s is not None and self.loop.now_s - self.quiet_since_s > QUIET_S:
            self.loop.stop()
            return
        self._pass_time(min(wait_s or 5.0, 5.0))

    def _turn(self) -> bool:
        """Let one of those that wait go on."""
        if not self.pending:
            return False
        chosen = self.pending.pop(self.random.randrange(len(self.pending)))
        self.trace.turn(self, chosen)
        chosen.act()
        self.loop.now_s += 0.001
        return True

    def _source(self) -> bool:
        busy = [source for source in self.sources if source.busy]
        if not busy:
            return False
        source = self.random.choice(busy)
        entry = source.step()
        source.target.changed()
        self.loop.now_s += 0.001
        if entry is not None:
            self.trace.say(self, source.target.place, f"INBOX <- {source.stream} {entry.seq} {entry.subject}")
        return True

    def _pass_time(self, seconds: float) -> None:
        self.loop.now_s += seconds

    def _write(self) -> None:
        place = self.random.choice(list(self.desks))
        write = self.desks[place].publish(self._known(place))
        self.trace.write(self, write)
        self.observer.acknowledged(write)
        self.servers[place].changed()

    def _known(self, place: str) -> dict[tuple[str, str], dict[str, int]]:
        known: dict[tuple[str, str], dict[str, int]] = {}
        for each in records(self.observer.logs, place, "KNOWLEDGE"):
            if isinstance(each.message, DocumentRevised) and each.origin != place:
                manifest = each.message.manifest
                known.setdefault((each.kb, manifest.document_id), {})[each.origin] = manifest.revision
        return known

    def _fault(self) -> None:
        chance = self.random.random()
        if chance < 0.4:
            self._kill_process()
        elif chance < 0.6:
            self._kill_server()
        elif chance < 0.85:
            self._toggle_link()
        elif chance < 0.93:
            self._set_clock()
        else:
            source = self.random.choice(self.sources)
            source.begin_again()
            self.trace.say(self, source.target.place, f"the source of {source.stream} begins again")

    def _kill_process(self) -> None:
        process = self.random.choice(self.processes)
        self.trace.say(self, process.place, f"SIGKILL {process.name}")
        process.kill()
        self.pending = [each for each in self.pending if each.process is not process]
        # The cancelled tasks end before the next event: a new incarnation never runs beside the old one.
        self.loop.call_soon(self.loop.call_soon, self.restart, process)

    def restart(self, process: Process) -> None:
        """Start what was killed, unless it runs again already."""
        if process.task is None and self.failure is None:
            process.start()

    def _kill_server(self) -> None:
        place = self.random.choice(list(self.servers))
        lost = 0
        for log in self.servers[place].logs.values():
            lost += log.crash(self.random.randint(0, log.unsynced))
        for source in self.sources:
            if source.target.place == place:
                source.restarted()
        cut = [each for each in self.pending if each.process.place == place]
        self.pending = [each for each in self.pending if each.process.place != place]
        self.trace.say(self, place, f"nats-server dies, {lost} unsynced changes are lost, {len(cut)} calls fail")
        for each in cut:
            each.fail(NotPublished("the server is gone"))
        self.servers[place].changed()

    def _toggle_link(self) -> None:
        source = self.random.choice(self.sources)
        if source.up:
            source.cut()
        else:
            source.up = True
        self.trace.say(self, source.target.place, f"link from {source.origin.place} is {'up' if source.up else 'cut'}")

    def _set_clock(self) -> None:
        place = self.random.choice(list(self.skew_ms))
        by_s = self.random.choice((-5, -1, 1, 5)) * self.random.random() * HOUR_S
        self.skew_ms[place] += int(by_s * 1000)
        self.trace.say(self, place, f"the clock is set by {by_s / HOUR_S:+.1f} h")


def _task_of_process(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    """Tasks belong to the process that made them, so that it can be killed whole."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    context = options.get("context")
    process = context.get(RUNNING) if context else RUNNING.get()
    if process is not None:
        process.tasks.add(task)
        task.add_done_callback(process.ended)
    return task


def _in_context(context: contextvars.Context, work: Callable[[], None]) -> None:
    context.run(work)
