"""Looks at the sockets of processes again and again, and remembers every one that is not on loopback."""

import ipaddress
import os
import threading
from types import TracebackType

import psutil

SAMPLE_EVERY_S = 0.1


class SocketWatch:
    """Samples this process and everything below it until the block ends."""

    def __init__(self) -> None:
        self.samples = 0
        self.sockets_seen: set[tuple[int, str]] = set()
        self.outside: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample_on, name="socket watch", daemon=True)

    def __enter__(self) -> "SocketWatch":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _sample_on(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            for process in _family():
                self._look_at(process)
            self.samples += 1

    def _look_at(self, process: psutil.Process) -> None:
        try:
            name = process.name()
            for connection in process.net_connections(kind="inet"):
                for address in (connection.laddr, connection.raddr):
                    if address:
                        self._note(process.pid, name, address.ip, address.port)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return

    def _note(self, pid: int, name: str, ip: str, port: int) -> None:
        self.sockets_seen.add((pid, f"{ip}:{port}"))
        if not is_loopback(ip):
            self.outside.add(f"{name} (pid {pid}): {ip}:{port}")


def is_loopback(ip: str) -> bool:
    """Whether an address never leaves the machine. The unspecified address listens everywhere, so it is not one."""
    address = ipaddress.ip_address(ip)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _family() -> list[psutil.Process]:
    own = psutil.Process(os.getpid())
    return [own, *own.children(recursive=True)]
