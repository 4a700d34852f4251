"""Keeps the processes of a place running, and stops them in order.

Guarantee: whatever ends the supervisor, none of its processes outlives it; a process that crashes is started again
until the restart policy gives it up.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from causeway.cli.child import Child
from causeway.cli.errors import StartFailedError
from causeway.cli.log_files import LogFile
from causeway.cli.process_spec import ProcessSpec
from causeway.cli.readiness import read_readiness
from causeway.cli.restarts import GiveUp, Restart, RestartPolicy, describe_exit
from causeway.cli.site_folder import SiteFolder

READY_TIMEOUT_S = 180.0
READY_POLL_S = 0.1
BASE_STOP_TIMEOUT_S = 15.0


class Watcher(Protocol):
    """Who is told what happens, for a person to read."""

    def started(self, name: str, pid: int) -> None: ...
    def ready(self, name: str, after_s: float) -> None: ...
    def ended(self, name: str, how: str, again_in_s: float) -> None: ...
    def given_up(self, name: str, reason: str, tail: list[str]) -> None: ...
    def stopped(self, name: str, by_itself: bool) -> None: ...
    def line(self, spec: ProcessSpec, line: bytes) -> None: ...


class Supervisor:
    """The processes of one place, in the order in which they were started."""

    def __init__(self, folder: SiteFolder, policy: Callable[[], RestartPolicy], watcher: Watcher) -> None:
        self._folder = folder
        self._policy = policy
        self._watcher = watcher
        self._children: dict[str, Child] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._reasons: dict[str, str] = {}
        self._stopping = False
        self._retiring: set[str] = set()
        self.given_up = asyncio.Event()
        self.on_change: Callable[[], object] = lambda: None

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run now."""
        return {name: child.pid for name, child in self._children.items() if child.running}

    @property
    def metrics_urls(self) -> dict[str, str]:
        """Where the processes that are kept say how they are."""
        return {name: child.spec.metrics_url for name, child in self._children.items() if child.spec.metrics_url}

    @property
    def lost(self) -> dict[str, str]:
        """The processes that were given up, with the reason."""
        return dict(self._reasons)

    async def start(self, spec: ProcessSpec) -> None:
        """Start a process and keep it running."""
        log = LogFile(self._folder.logs / f"{spec.name}.log")
        child = self._children[spec.name] = Child(spec, log, self._watcher.line)
        await child.start()
        self._watcher.started(spec.name, child.pid)
        self._keepers[spec.name] = asyncio.create_task(self._keep(child, self._policy()), name=f"keep {spec.name}")
        self.on_change()

    async def ready(self, spec: ProcessSpec, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until the process says that it can work.

        Raises:
            StartFailedError: it was given up, or is not ready in time; the text has its last lines.
        """
        began = time.monotonic()
        status, body = 0, "no answer yet"
        while time.monotonic() - began < timeout_s:
            if spec.name in self._reasons:
                raise self._failure(spec, self._reasons[spec.name])
            status, body = await read_readiness(spec.ready_url)
            if status == 200:
                self._watcher.ready(spec.name, time.monotonic() - began)
                return
            await asyncio.sleep(READY_POLL_S)
        raise self._failure(spec, f"it was not ready within {timeout_s:g} s: {body.strip() or status}")

    def end(self, name: str) -> None:
        """Kill one process, which counts as a crash: it is started again, or given up."""
        self._children[name].kill()

    async def retire(self, name: str, timeout_s: float) -> None:
        """Stop one process for good, if there is one of this name."""
        if name in self._children:
            self._retiring.add(name)
            await self._stop_one(name, timeout_s)
            self._retiring.discard(name)
            del self._children[name], self._keepers[name]
            self._reasons.pop(name, None)
            self.on_change()

    async def take_over(self, name: str, spec: ProcessSpec, timeout_s: float) -> None:
        """Stop the process `spec.name`; the one called `name` goes on in its place, and starts again as `spec` says."""
        await self.retire(spec.name, timeout_s)
        child = self._children[spec.name] = self._children.pop(name)
        self._keepers[spec.name] = self._keepers.pop(name)
        child.spec = spec
        self.on_change()

    async def stop(self, timeout_s: float) -> None:
        """Services first and together, then what they rest upon: the last acknowledgements find their server."""
        self._stopping = True
        base = [name for name, child in self._children.items() if child.spec.base]
        services = [name for name in self._children if name not in base]
        await asyncio.gather(*(self._stop_one(name, timeout_s) for name in services))
        await asyncio.gather(*(self._stop_one(name, BASE_STOP_TIMEOUT_S) for name in base))

    def kill(self) -> None:
        """End everything at once: the second Ctrl-C."""
        self._stopping = True
        for child in self._children.values():
            child.kill()

    async def _stop_one(self, name: str, timeout_s: float) -> None:
        child, keeper = self._children[name], self._keepers.get(name)
        was_running = child.running
        by_itself = await child.stop(timeout_s)
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        if child.running:
            # The keeper started it again while it was being stopped.
            child.kill()
        if child.pid:
            await child.wait()
        if was_running:
            self._watcher.stopped(name, by_itself)

    async def _keep(self, child: Child, policy: RestartPolicy) -> None:
        while True:
            code = await child.wait()
            name = child.spec.name
            if self._stopping or name in self._retiring:
                return
            decision = policy.ended(code, time.monotonic())
            if isinstance(decision, GiveUp):
                self._give_up(child, f"{describe_exit(code)}: {decision.reason}")
                return
            await self._restart(child, describe_exit(code), decision)
            if self._stopping:
                return
            self._watcher.started(child.spec.name, child.pid)
            self.on_change()

    async def _restart(self, child: Child, how: str, decision: Restart) -> None:
        self._watcher.ended(child.spec.name, how, decision.after_s)
        await asyncio.sleep(decision.after_s)
        if not self._stopping:
            await child.start()

    def _give_up(self, child: Child, reason: str) -> None:
        self._reasons[child.spec.name] = reason
        self._watcher.given_up(child.spec.name, reason, list(child.log.tail))
        self.given_up.set()

    def _failure(self, spec: ProcessSpec, reason: str) -> StartFailedError:
        tail = "\n".join(f"    {line}" for line in self._children[spec.name].log.tail)
        log = self._folder.logs / f"{spec.name}.log"
        return StartFailedError(f"{spec.name} does not start: {reason}\n{tail}", f"The whole log is in {log}.")
