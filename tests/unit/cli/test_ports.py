"""A free port is one that no outgoing connection takes before its process has begun to listen."""

import socket
from pathlib import Path

import pytest

from causeway.cli import ports
from causeway.cli.errors import UserError
from causeway.cli.ports import RANGE_VARIABLE, check_free, choose_ports, free_port
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
        monkeypatch.setattr(ports, "_sought", lambda: [port, free])
        assert {free_port() for _ in range(20)} == {free}


def test_ports_of_something_else_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RANGE_VARIABLE, "20000-20019")
    others = range(20_000, 20_010)
    for _ in range(5):
        chosen, metrics = choose_ports(ANY, 3, others=others)
        assert not {chosen.nats, chosen.monitor, *metrics} & set(others)


def test_ports_are_held_until_all_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RANGE_VARIABLE, "20000-20011")
    for _ in range(20):
        chosen, metrics = choose_ports(ANY, 6)
        assert len({chosen.nats, chosen.monitor, *metrics}) == 8


def test_the_range_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RANGE_VARIABLE, "20100-20199")
    assert {free_port() // 100 for _ in range(20)} == {201}


@pytest.mark.parametrize("said", ["20000", "0-5", "30000-20000", "1-99999", "a-b"])
def test_a_range_that_is_none_is_refused_with_one_that_is(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(RANGE_VARIABLE, said)
    with pytest.raises(UserError, match="no range of ports") as refused:
        free_port()
    assert "20000-32767" in refused.value.mend


def test_where_all_of_them_are_taken_the_system_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv(RANGE_VARIABLE, f"{port}-{port}")
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
