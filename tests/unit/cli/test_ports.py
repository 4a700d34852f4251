"""A free port is one that no outgoing connection takes before its process has begun to listen."""

import socket
from pathlib import Path

import pytest

from causeway.cli import ports
from causeway.cli.errors import UserError
from causeway.cli.ports import check_free, choose_ports, free_port
from causeway.cli.site_config import PortsConfig, Role

ANY = PortsConfig(nats=0, monitor=0, metrics=0)
OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.skipif(not OUTGOING.exists(), reason="only Linux says which ports outgoing connections get")
def test_free_ports_are_none_of_those_that_outgoing_connections_get() -> None:
    first, last = (int(number) for number in OUTGOING.read_text().split())
    found = [free_port() for _ in range(100)]
    assert not [port for port in found if first <= port <= last]


def test_all_ports_of_a_place_differ() -> None:
    chosen, metrics = choose_ports(ANY, 5, Role.HUB, engine=True)
    numbers = [chosen.nats, chosen.monitor, chosen.milvus, chosen.engine, *metrics]
    assert len(set(numbers)) == 9


def test_a_port_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = free_port()
        monkeypatch.setattr(ports, "_FREE", [port, free])
        monkeypatch.setattr(ports, "_TRIES_MAX", 2)
        assert {free_port() for _ in range(20)} == {free}


def test_where_all_of_them_are_taken_the_system_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(ports, "_FREE", [taken.getsockname()[1]])
        monkeypatch.setattr(ports, "_TRIES_MAX", 1)
        assert free_port() not in (0, taken.getsockname()[1])


def test_a_taken_port_is_named_with_the_key_that_mends_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1 .ports.nats. is taken"):
            check_free("127.0.0.1", {"ports.nats": port}, Role.SITE)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(UserError, match="192.0.2.1 can not be listened on"):
        check_free("192.0.2.1", {"ports.nats": 0}, Role.SITE)
