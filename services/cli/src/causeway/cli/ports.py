"""Free TCP ports, and a clear word when one is taken."""

import errno
import os
import random
import re
import socket
from collections.abc import Collection, Mapping
from dataclasses import replace

from causeway.cli.errors import UserError
from causeway.cli.site_config import PortsConfig, Role

RANGE_VARIABLE = "CAUSEWAY_FREE_PORTS"
_LOOPBACK = "127.0.0.1"
_WHERE = {Role.SITE: "site.yaml", Role.HUB: "fleet.yaml or hub.yaml"}
_RANGE = "20000-32767"
"""Where free ports are sought: below those that Linux gives to outgoing connections, which would take one between its
choice and the start of the process that it is for."""
_TRIES_MAX = 50


def check_free(host: str, ports: Mapping[str, int], role: Role) -> None:
    """Ports by the key that names them, which sites know and so can not be any others.

    Raises:
        UserError: one is taken.
    """
    for key, port in ports.items():
        _hold(host, port, key, role).close()


def choose_ports(
    wanted: PortsConfig,
    metrics_count: int,
    role: Role = Role.SITE,
    *,
    engine: bool = False,
    others: Collection[int] = (),
) -> tuple[PortsConfig, list[int]]:
    """The ports with every 0 replaced by a free one, and one metrics port for each process. `engine`: the hub runs one.
    `others` are free too, and for something else.

    Raises:
        UserError: a port that was asked for is taken, or the address is not this machine's.
    """
    named = {"nats": wanted.host, "monitor": _LOOPBACK} | ({"milvus": _LOOPBACK} if role is Role.HUB else {})
    named |= {"engine": _LOOPBACK} if engine else {}
    held: list[socket.socket] = []
    try:
        for key, host in named.items():
            held.append(_hold(host, getattr(wanted, key), f"ports.{key}", role, others))
        for index in range(metrics_count):
            port = wanted.metrics + index if wanted.metrics else 0
            held.append(_hold(_LOOPBACK, port, "ports.metrics", role, others))
        numbers = [sock.getsockname()[1] for sock in held]
    finally:
        for sock in held:
            sock.close()
    return replace(wanted, **dict(zip(named, numbers, strict=False))), numbers[len(named) :]


def free_port() -> int:
    """A port that is free now."""
    with _hold(_LOOPBACK, 0, "ports.metrics", Role.SITE) as sock:
        port: int = sock.getsockname()[1]
        return port


def _hold(host: str, port: int, key: str, role: Role, others: Collection[int] = ()) -> socket.socket:
    try:
        return _listening(host, port) if port else _listening_anywhere(host, others)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"port {port} of {host} ({key}) is taken by another program",
                f"Set {key} in {_WHERE[role]} to another port, or to 0 for any free one; `--port 0` does so for all.",
            ) from error
        raise UserError(
            f"{host} can not be listened on: {error.strerror}", "Set ports.host to an address of this machine."
        ) from error


def _listening_anywhere(host: str, others: Collection[int]) -> socket.socket:
    sought = _sought()
    # A generator of its own: one that is seeded, or comes with a fork, gives the same ports to several processes.
    for port in random.SystemRandom().sample(sought, min(len(sought), _TRIES_MAX)):
        if port in others:
            continue
        try:
            return _listening(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return _listening(host, 0)


def _sought() -> range:
    said = os.environ.get(RANGE_VARIABLE) or _RANGE
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", said)
    first, last = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= first <= last <= 65_535:
        raise UserError(
            f"{RANGE_VARIABLE} is {said!r}, which is no range of ports", f"Set it to FIRST-LAST, such as {_RANGE}."
        )
    return range(first, last + 1)


def _listening(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    # With this a port that was listened on until a moment ago is free, and one that is only bound is not held.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1)
    except OSError:
        sock.close()
        raise
    return sock
