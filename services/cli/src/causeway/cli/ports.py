"""Free TCP ports, and a clear word when one is taken."""

import errno
import random
import socket
from collections.abc import Mapping
from dataclasses import replace

from causeway.cli.errors import UserError
from causeway.cli.site_config import PortsConfig, Role

_LOOPBACK = "127.0.0.1"
_FREE = range(20_000, 32_768)
"""Where free ports are sought: below those that Linux gives to outgoing connections, which would take one between its
choice and the start of the process that it is for."""
_TRIES_MAX = 50
_WHERE = {Role.SITE: "site.yaml", Role.HUB: "fleet.yaml or hub.yaml"}


def check_free(host: str, ports: Mapping[str, int], role: Role) -> None:
    """Ports by the key that names them, which sites know and so can not be any others.

    Raises:
        UserError: one is taken.
    """
    for key, port in ports.items():
        _hold(host, port, key, role).close()


def choose_ports(
    wanted: PortsConfig, metrics_count: int, role: Role = Role.SITE, *, engine: bool = False
) -> tuple[PortsConfig, list[int]]:
    """The ports with every 0 replaced by a free one, and one metrics port for each process. `engine`: the hub runs one.

    Raises:
        UserError: a port that was asked for is taken, or the address is not this machine's.
    """
    named = {"nats": wanted.host, "monitor": _LOOPBACK} | ({"milvus": _LOOPBACK} if role is Role.HUB else {})
    named |= {"engine": _LOOPBACK} if engine else {}
    held: list[socket.socket] = []
    try:
        for key, host in named.items():
            held.append(_hold(host, getattr(wanted, key), f"ports.{key}", role))
        for index in range(metrics_count):
            port = wanted.metrics + index if wanted.metrics else 0
            held.append(_hold(_LOOPBACK, port, "ports.metrics", role))
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


def _hold(host: str, port: int, key: str, role: Role) -> socket.socket:
    try:
        return _bound(host, port) if port else _bound_anywhere(host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"port {port} of {host} ({key}) is taken by another program",
                f"Set {key} in {_WHERE[role]} to another port, or to 0 for any free one; `--port 0` does so for all.",
            ) from error
        raise UserError(
            f"{host} can not be listened on: {error.strerror}", "Set ports.host to an address of this machine."
        ) from error


def _bound_anywhere(host: str) -> socket.socket:
    for port in random.SystemRandom().sample(_FREE, _TRIES_MAX):
        try:
            return _bound(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return _bound(host, 0)


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
