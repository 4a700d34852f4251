"""A process of a place ends when it has ended, whoever of its own children still holds its output."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from causeway.cli import child as child_module
from causeway.cli.child import Child
from causeway.cli.log_files import LogFile
from causeway.cli.process_spec import ProcessSpec
from tests.support.waiting import until

# Starts a process that holds the output and heeds no SIGTERM, says its number, and waits.
PARENT = """
import signal, subprocess, sys
inner = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
print(subprocess.Popen([sys.executable, "-c", inner]).pid, flush=True)
signal.pause()
"""


class Started:
    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        spec = ProcessSpec(name="engine", argv=(sys.executable, "-c", PARENT), env=dict(os.environ), ready_url="")
        self.child = Child(spec, LogFile(folder / "engine.log"), lambda _, line: self.lines.append(line.decode()))

    async def inner(self) -> int:
        """The number of the process within, once it runs."""
        await self.child.start()
        await until(lambda: bool(self.lines))
        return int(self.lines[0])


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("pidfd", [True, False])
async def test_a_killed_process_whose_child_lives_on_is_noticed_and_the_child_ended(
    tmp_path: Path, pidfd: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not pidfd:
        monkeypatch.setattr(child_module, "_handle_of", lambda _: -1)
    started = Started(tmp_path)
    inner = await started.inner()
    os.kill(started.child.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        assert await started.child.wait() == -signal.SIGKILL
    await until(lambda: not runs(inner))


async def test_a_stop_waits_for_the_process_and_not_for_what_it_left_behind(tmp_path: Path) -> None:
    started = Started(tmp_path)
    inner = await started.inner()
    async with asyncio.timeout(10):
        assert await started.child.stop(60.0)
        await started.child.wait()
    await until(lambda: not runs(inner))


async def test_a_process_that_has_ended_before_it_is_waited_for_is_known_to_have_ended(tmp_path: Path) -> None:
    started = Started(tmp_path)
    await started.inner()
    os.kill(started.child.pid, signal.SIGKILL)
    await until(lambda: not started.child.running)
    async with asyncio.timeout(10):
        assert await started.child.wait() == -signal.SIGKILL
