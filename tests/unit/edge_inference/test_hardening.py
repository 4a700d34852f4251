"""A hardened process leaves no core dump, can not be traced, and says loudly what could not be had."""

import ctypes
import json
import subprocess
import sys
from pathlib import Path

_CHILD = """
import json, os, resource, signal
from causeway.edge_inference.hardening import harden
result = harden()
print(json.dumps({
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "undumpable": result.undumpable,
    "core_dumps_off": result.core_dumps_off,
    "prctl": __import__("ctypes").CDLL(None).prctl(3, 0, 0, 0, 0),
    "umask": os.umask(0),
}), flush=True)
os.chdir(os.environ["WHERE"])
os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_hardened_process_dumps_no_core_even_when_it_crashes(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        capture_output=True,
        text=True,
        check=False,
        env={"WHERE": str(tmp_path)},
        timeout=60,
    )
    seen = json.loads(child.stdout)
    assert seen["core"] == [0, 0]
    assert (seen["core_dumps_off"], seen["undumpable"]) == (True, True)
    assert seen["prctl"] == 0, "PR_GET_DUMPABLE says that the process can be dumped"
    assert seen["umask"] == 0o077
    assert child.returncode == -11
    assert list(tmp_path.iterdir()) == []


class Denying(ctypes.CDLL):
    """A C library of a machine that permits nothing."""

    def __init__(self) -> None:
        super().__init__(None, use_errno=True)

    def prctl(self, *_: int) -> int:
        ctypes.set_errno(1)
        return -1

    mlockall = prctl


_DENIED = """
import sys
from pathlib import Path
from tests.unit.edge_inference.test_hardening import Denying
from causeway.edge_inference.hardening import harden
print("\\n".join(harden(Denying(), Path(sys.argv[1])).warnings))
"""


def test_what_the_machine_does_not_permit_is_said_with_the_mend(tmp_path: Path) -> None:
    swaps = tmp_path / "swaps"
    swaps.write_text("Filename Type Size\n/dev/sda2 partition 1\n")
    child = subprocess.run([sys.executable, "-c", _DENIED, str(swaps)], capture_output=True, text=True, check=True)
    assert "a user of its own" in child.stdout
    assert "swapoff -a" in child.stdout
