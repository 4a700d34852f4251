"""The supervisor over real processes: restarts, giving up, stopping, and never leaving anything behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from causeway.cli.errors import StartFailedError
from causeway.cli.ports import free_port
from causeway.cli.process_spec import ProcessSpec
from causeway.cli.restarts import RestartPolicy
from causeway.cli.site_folder import SiteFolder
from causeway.cli.supervisor import Supervisor

BOUND_S = 20.0
READY = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ready")
    def log_message(self, *a): pass
print("a line of the log", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
SLEEP = "import time; time.sleep(600)"
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""


class Recorder:
    """A watcher that remembers, and wakes who waits for an event."""

    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []
        self.lines: list[str] = []
        self._changed = asyncio.Condition()

    def _add(self, *event: str) -> None:
        self.events.append(event)
        asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND_S), self._changed:
            await self._changed.wait_for(true)

    def started(self, name: str, pid: int) -> None:
        self._add("started", name, str(pid))

    def ready(self, name: str, after_s: float) -> None:
        self._add("ready", name)

    def ended(self, name: str, how: str, again_in_s: float) -> None:
        self._add("ended", name, how)

    def given_up(self, name: str, reason: str, tail: list[str]) -> None:
        self._add("given_up", name, reason, *tail)

    def stopped(self, name: str, by_itself: bool) -> None:
        self._add("stopped", name, str(by_itself))

    def line(self, spec: ProcessSpec, line: bytes) -> None:
        self.lines.append(line.decode())
        self._add("line", spec.name, line.decode())

    def of(self, kind: str) -> list[tuple[str, ...]]:
        return [event for event in self.events if event[0] == kind]


def spec(name: str, program: str, port: int = 0) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-c", program, str(port)),
        env=dict(os.environ),
        ready_url=f"http://127.0.0.1:{port}/readyz",
    )


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[tuple[Supervisor, Recorder]]:
    folder = SiteFolder(tmp_path)
    folder.prepare()
    recorder = Recorder()
    supervisor = Supervisor(folder, lambda: RestartPolicy(3, 60.0), recorder)
    yield supervisor, recorder
    supervisor.kill()
    await supervisor.stop(5.0)


async def test_a_killed_process_is_started_again_under_a_new_pid(watched: tuple[Supervisor, Recorder]) -> None:
    supervisor, recorder = watched
    port = free_port()
    one = spec("one", READY, port)
    await supervisor.start(one)
    await supervisor.ready(one, BOUND_S)
    first = supervisor.pids["one"]
    os.kill(first, signal.SIGKILL)
    await recorder.until(lambda: len(recorder.of("started")) == 2)
    await supervisor.ready(one, BOUND_S)
    assert supervisor.pids["one"] != first
    assert recorder.of("ended") == [("ended", "one", "was killed by signal 9")]


async def test_a_process_that_keeps_crashing_is_given_up_with_its_last_lines(
    watched: tuple[Supervisor, Recorder],
) -> None:
    supervisor, recorder = watched
    crashing = spec("crashing", "print('out of luck'); raise SystemExit(3)")
    await supervisor.start(crashing)
    with pytest.raises(StartFailedError, match="out of luck") as caught:
        await supervisor.ready(crashing, BOUND_S)
    assert "ended with code 3: it ended 3 times within 60 s" in caught.value.message
    assert "crashing.log" in caught.value.mend
    assert len(recorder.of("started")) == 3


async def test_a_refusal_to_start_is_not_tried_again(watched: tuple[Supervisor, Recorder]) -> None:
    supervisor, recorder = watched
    refusing = spec("refusing", "print('wrong key'); raise SystemExit(78)")
    await supervisor.start(refusing)
    with pytest.raises(StartFailedError, match="wrong key"):
        await supervisor.ready(refusing, BOUND_S)
    assert len(recorder.of("started")) == 1


async def test_a_process_that_is_never_ready_is_a_failed_start(watched: tuple[Supervisor, Recorder]) -> None:
    supervisor, _ = watched
    sleeping = spec("sleeping", SLEEP, free_port())
    await supervisor.start(sleeping)
    with pytest.raises(StartFailedError, match=r"not ready within 0\.5 s"):
        await supervisor.ready(sleeping, timeout_s=0.5)


async def test_a_process_that_ignores_the_request_to_stop_is_killed_with_its_children(
    watched: tuple[Supervisor, Recorder],
) -> None:
    supervisor, recorder = watched
    await supervisor.start(spec("stubborn", STUBBORN))
    await recorder.until(lambda: bool(recorder.lines))
    pids = [supervisor.pids["stubborn"], int(recorder.lines[0].split()[1])]
    await supervisor.stop(timeout_s=0.5)
    assert recorder.of("stopped") == [("stopped", "stubborn", "False")]
    gone, alive = psutil.wait_procs(still_running(pids), timeout=BOUND_S)
    assert not alive, gone


def still_running(pids: list[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


async def test_output_goes_to_the_log_of_the_process(watched: tuple[Supervisor, Recorder], tmp_path: Path) -> None:
    supervisor, recorder = watched
    await supervisor.start(spec("one", READY, free_port()))
    await recorder.until(lambda: bool(recorder.lines))
    assert (tmp_path / "logs" / "one.log").read_text() == "a line of the log\n"


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_supervisor import Recorder, SLEEP, spec
from causeway.cli.restarts import RestartPolicy
from causeway.cli.site_folder import SiteFolder
from causeway.cli.supervisor import Supervisor
from pathlib import Path
async def main():
    folder = SiteFolder(Path({str(tmp_path)!r}))
    folder.prepare()
    supervisor = Supervisor(folder, lambda: RestartPolicy(3, 60.0), Recorder())
    for name in ("a", "b"):
        await supervisor.start(spec(name, SLEEP))
    print(*supervisor.pids.values(), flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(pid) for pid in supervisor.stdout.readline().split()]
        children = [psutil.Process(pid) for pid in pids]
        supervisor.kill()
    _, alive = psutil.wait_procs(children, timeout=BOUND_S)
    assert len(pids) == 2
    assert not alive
