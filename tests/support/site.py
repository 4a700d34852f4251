"""A site or a hub as shipped, in processes of its own: `causeway up` in a folder, stopped and swept at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support.command_server import run_forked

CAUSEWAY = Path(sys.executable).parent / "causeway"
START_BOUND_S = 120.0
STOP_BOUND_S = 60.0
COMMAND_BOUND_S = 120.0
STATUS_BOUND_S = 60.0
_POLL_S = 0.05


@dataclass
class SiteUnderTest:
    """A running `causeway up site`, or `up hub`. `run` gives other commands its folder."""

    folder: Path
    options: tuple[str, ...] = ()
    role: str = "site"
    process: subprocess.Popen[bytes] | None = None
    seen: set[int] = field(default_factory=set)

    def start(self) -> "SiteUnderTest":
        """Start, and return when the site is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "up.out").open("ab") as output:
            self.process = subprocess.Popen(
                [CAUSEWAY, "up", self.role, "--data", self.folder, "--port", "0", *self.options],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment(),
            )
        wait_until(lambda: self._is_ready() or self.ended, START_BOUND_S, "the site to be ready")
        assert not self.ended, self.output
        self.seen |= self.family()
        return self

    def _is_ready(self) -> bool:
        file = self.folder / "site.json"
        # A killed predecessor may have left its record.
        return file.exists() and self.process is not None and self.record["pid"] == self.process.pid

    @property
    def ended(self) -> bool:
        """Whether the supervisor has ended."""
        return self.process is not None and self.process.poll() is not None

    @property
    def output(self) -> str:
        """All that `up` has printed."""
        return (self.folder / "up.out").read_text(encoding="utf-8")

    @property
    def record(self) -> dict[str, Any]:
        """site.json as it is now."""
        record: dict[str, Any] = json.loads((self.folder / "site.json").read_bytes())
        return record

    def pids(self) -> dict[str, int]:
        """The processes of the site by name, as they are now."""
        pids: dict[str, int] = self.record["pids"]
        return pids

    def family(self) -> set[int]:
        """The supervisor and everything below it."""
        assert self.process is not None
        supervisor = psutil.Process(self.process.pid)
        return {supervisor.pid, *(child.pid for child in supervisor.children(recursive=True))}

    def run(self, *arguments: str, code: int | None = 0, timeout_s: float = COMMAND_BOUND_S) -> str:
        """Run `causeway ARGUMENTS --data-dir FOLDER` and return stdout; `code` None takes any exit code."""
        return run_causeway(*arguments, "--data-dir", str(self.folder), code=code, timeout_s=timeout_s)

    def run_json(self, *arguments: str, code: int | None = 0, timeout_s: float = COMMAND_BOUND_S) -> Any:
        """The same with `--json`, decoded."""
        return json.loads(self.run(*arguments, "--json", code=code, timeout_s=timeout_s))

    def status(self, *arguments: str, bound_s: float = STATUS_BOUND_S) -> dict[str, Any]:
        """`status --json` in which nobody is missing: one that is busy for 2 s gives no answer, and nothing fails."""
        whole: dict[str, Any] = {}

        def is_whole() -> bool:
            # While a server is being started again, it says on stderr that it can not be reached.
            said = self.run("status", *arguments, "--json", code=None)
            whole.update(json.loads(said or "{}"))
            return bool(whole.get("streams")) and set(whole["processes"].values()) == {"ready"}

        wait_until(is_whole, bound_s, "a status in which all are ready")
        return whole

    def refused(self, *arguments: str, code: int = 2) -> str:
        """What `causeway ARGUMENTS --data-dir FOLDER` says on stderr when it refuses."""
        return run_refused(*arguments, "--data-dir", str(self.folder), code=code)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal to the supervisor, wait, and return its exit code. Nothing of the site is left."""
        assert self.process is not None
        if not self.ended:
            self.seen |= self.family()
            self.process.send_signal(number)
        code = self.process.wait(STOP_BOUND_S)
        wait_until(lambda: not self.left(), STOP_BOUND_S, "every process of the site to end")
        return code

    def left(self) -> list[str]:
        """Processes of the site that still run."""
        alive = []
        for pid in self.seen:
            try:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE and process.create_time() >= self._began():
                    alive.append(f"{pid} {process.name()}")
            except psutil.NoSuchProcess:
                continue
        return alive

    def _began(self) -> float:
        return (self.folder / "up.out").stat().st_ctime - 3_600


@contextmanager
def running_site(folder: Path, *options: str, role: str = "site") -> Iterator[SiteUnderTest]:
    """A site, or a hub, that is stopped at the end of the block."""
    site = SiteUnderTest(folder, options, role)
    try:
        yield site.start()
    finally:
        if site.process is not None:
            site.stop()


def run_causeway(
    *arguments: str, code: int | None = 0, timeout_s: float = COMMAND_BOUND_S, cwd: Path | None = None
) -> str:
    """Run the command and return its stdout; a wrong exit code fails with all that it printed."""
    done = run_forked(arguments, environment(), timeout_s, cwd)
    assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_refused(*arguments: str, code: int = 2, cwd: Path | None = None) -> str:
    """What a person sees on stderr of a command that refuses, as one line."""
    done = run_forked(arguments, environment(), COMMAND_BOUND_S, cwd)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def environment() -> dict[str, str]:
    """One compute thread for each process, no colours, and nothing of a site outside of the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAUSEWAY_NATS")}
    single = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "NO_COLOR": "1", "COLUMNS": "200"}
    return kept | single | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def wait_until(true: Any, bound_s: float, what: str) -> None:
    """Poll a condition of another process until it holds."""
    deadline = time.monotonic() + bound_s
    while not true():
        assert time.monotonic() < deadline, f"waited {bound_s:g} s for {what}"
        time.sleep(_POLL_S)
