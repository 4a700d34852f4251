"""Keeps what a process holds in clear out of core dumps, debuggers and swap, as far as the machine allows it."""

import ctypes
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PR_SET_DUMPABLE = 4
_MCL_CURRENT_AND_FUTURE = 3
_SWAPS = Path("/proc/swaps")


@dataclass(frozen=True, kw_only=True)
class Hardening:
    """What is in force. `warnings` say what is not, and what the operator can do about it."""

    core_dumps_off: bool
    undumpable: bool
    swap_off: bool
    warnings: tuple[str, ...]


def harden(libc: ctypes.CDLL | None = None, swaps: Path = _SWAPS) -> Hardening:
    """Turn core dumps and tracing off, lock memory where permitted; new files are for their owner only."""
    libc = libc or ctypes.CDLL(None, use_errno=True)
    os.umask(0o077)
    warnings: list[str] = []
    core_dumps_off = _attempt(_core_dumps_off, warnings, "core dumps may hold text in clear: set `ulimit -c 0`")
    undumpable = _attempt(
        lambda: _check(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)),
        warnings,
        "a debugger of the same user can read this process: run it under a user of its own",
    )
    return Hardening(
        core_dumps_off=core_dumps_off,
        undumpable=undumpable,
        swap_off=not _swap_in_use(swaps) or _memory_locked(libc, warnings),
        warnings=tuple(warnings),
    )


def _memory_locked(libc: ctypes.CDLL, warnings: list[str]) -> bool:
    # With a limit, locking would succeed now and make every later allocation beyond it fail.
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY and os.geteuid() != 0:
        warnings.append(
            "swap is on and memory can not be locked, so text in clear may reach the swap device: run `swapoff -a`, use"
            " encrypted swap, or start with LimitMEMLOCK=infinity (systemd) or `ulimit -l unlimited`"
        )
        return False
    return _attempt(
        lambda: _check(libc.mlockall(_MCL_CURRENT_AND_FUTURE)),
        warnings,
        "swap is on and memory could not be locked, so text in clear may reach it: run `swapoff -a` or encrypt swap",
    )


def _core_dumps_off() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _swap_in_use(swaps: Path) -> bool:
    """Whether the kernel lists a swap device; where it can not be known, assume one."""
    try:
        return len(swaps.read_text().splitlines()) > 1
    except OSError:
        return True


def _attempt(act: Callable[[], None], warnings: list[str], mend: str) -> bool:
    try:
        act()
    except (OSError, ValueError) as error:
        warnings.append(f"{mend} ({error})")
        return False
    return True


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
