"""Two network namespaces, for a site and for the hub, that reach each other over a line only; made and swept.

Each has a door: a veth pair to where the tests run, on a network of its own. Nothing routes from door to door.
"""

import fcntl
import ipaddress
import os
import random
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# For measuring networks, so that it is nobody's: RFC 2544.
_DOORS = ipaddress.ip_network("198.18.0.0/15")
_DOOR_ADDRESSES = 4
# For documentation; inside the namespaces only, so that all runs may use the same.
_LINE = {"site": "192.0.2.1", "hub": "192.0.2.2"}
LINE_DEVICE = "wan0"
LINE_MTU = 1400
NUMBERS = 16_384
_TRIES = 50
_TUN = Path("/dev/net/tun")
_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEADER = 0x1001
_GONE_S_MAX = 10.0
_POLL_S = 0.02


class NamespaceError(RuntimeError):
    """A step failed where namespaces are allowed; the message is what `ip` said."""


class NoNamespacesError(NamespaceError):
    """Namespaces are not to be had here: run as root, with iproute2 and /dev/net/tun."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One namespace: its name, the address of its door, and its address on the line."""

    name: str
    door_device: str
    door_near: str
    door_host: str
    line_host: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command begins with to run inside; the process keeps its id."""
        return ("ip", "netns", "exec", self.name)


def sides(number: int) -> tuple[Side, Side]:
    """The site's and the hub's of a run."""
    made = []
    for index, place in enumerate(("site", "hub")):
        base = int(_DOORS.network_address) + (2 * number + index) * _DOOR_ADDRESSES
        made.append(
            Side(
                name=f"causeway-{number}-{place}",
                door_device=f"cw{number}{place[0]}",
                door_near=str(ipaddress.ip_address(base + 1)),
                door_host=str(ipaddress.ip_address(base + 2)),
                line_host=_LINE[place],
            )
        )
    return made[0], made[1]


def ip(*words: str) -> str:
    """Run `ip`, and return what it printed."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NamespaceError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def two_namespaces() -> Iterator[tuple[Side, Side]]:
    """Namespaces and doors. At the end every process inside is killed, and nothing stays."""
    _check()
    pair = _claimed()
    try:
        ip("netns", "add", pair[1].name)
        for side in pair:
            _open_door(side)
        yield pair
    finally:
        for side in pair:
            _remove(side)


def _check() -> None:
    if os.geteuid() != 0:
        raise NoNamespacesError("only root may make network namespaces")
    if not _TUN.exists():
        raise NoNamespacesError(f"no {_TUN}")
    try:
        ip("-V")
    except FileNotFoundError as error:
        raise NoNamespacesError("no `ip` (iproute2)") from error


def _claimed() -> tuple[Side, Side]:
    """A number that no other run has: adding a name that is there fails."""
    for number in random.sample(range(NUMBERS), _TRIES):
        site, hub = sides(number)
        try:
            ip("netns", "add", site.name)
        except NamespaceError as error:
            if "File exists" in str(error):
                continue
            raise NoNamespacesError(str(error)) from error
        return site, hub
    raise NamespaceError("no number is free: `ip netns list`")


def _open_door(side: Side) -> None:
    ip("link", "add", side.door_device, "type", "veth", "peer", "name", "door0", "netns", side.name)
    ip("addr", "add", f"{side.door_near}/30", "dev", side.door_device)
    ip("link", "set", side.door_device, "up")
    ip("-n", side.name, "addr", "add", f"{side.door_host}/30", "dev", "door0")
    for device in ("lo", "door0"):
        ip("-n", side.name, "link", "set", device, "up")


def line_end(side: Side) -> int:
    """The namespace's end of the line: a descriptor that gives and takes whole IP packets."""
    made_as = f"{side.door_device}w"
    try:
        descriptor = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", made_as.encode(), _TUN_WITHOUT_HEADER))
    except OSError as error:
        raise NoNamespacesError(f"{_TUN}: {error}") from error
    ip("link", "set", made_as, "netns", side.name, "name", LINE_DEVICE)
    ip("-n", side.name, "addr", "add", f"{side.line_host}/30", "dev", LINE_DEVICE)
    ip("-n", side.name, "link", "set", LINE_DEVICE, "mtu", str(LINE_MTU), "up")
    return descriptor


def _remove(side: Side) -> None:
    deadline = time.monotonic() + _GONE_S_MAX
    # Only what runs in this namespace, and that is only what was started in it.
    while inside := _processes(side):
        for process in inside:
            _kill(process)
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    for words in (("link", "del", side.door_device), ("netns", "del", side.name)):
        try:
            ip(*words)
        except NamespaceError as error:
            # Not made yet when a step before it failed.
            print(error, flush=True)


def _processes(side: Side) -> list[int]:
    try:
        return [int(word) for word in ip("netns", "pids", side.name).split()]
    except NamespaceError:
        return []


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
