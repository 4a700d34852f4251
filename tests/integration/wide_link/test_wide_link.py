"""The line between two network namespaces is as bad as asked for, and nothing of it stays however the tests end."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.line import Conditions
from tests.support.namespaces import Side, ip, sides
from tests.support.packets import seen
from tests.support.tunnel import Order
from tests.support.waiting import until
from tests.support.wide_link import ROOT, started, wide_link

PORT = 9_000
ECHO = f"""
import socket
with socket.create_server(("0.0.0.0", {PORT})) as server:
    print("listening", flush=True)
    while True:
        peer, _ = server.accept()
        while data := peer.recv(65536):
            peer.sendall(data)
"""
CALL = f"""
import socket, sys, time
with socket.create_connection((sys.argv[1], {PORT}), 5) as peer:
    began = time.monotonic()
    peer.sendall(b"kWordThatIsSaid")
    assert peer.recv(100) == b"kWordThatIsSaid"
    print(time.monotonic() - began)
"""
# A test run of its own, which is killed: it says the number of its namespaces and hangs.
DIES = """
import sys
from tests.support.line import Conditions
from tests.support.wide_link import wide_link
with wide_link(Conditions()) as link:
    print(link.site.name.split("-")[1], flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def echo(side: Side) -> Iterator[subprocess.Popen[bytes]]:
    command = [*side.prefix, sys.executable, "-c", ECHO]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        yield process
        process.kill()


def call(side: Side, host: str) -> float:
    command = [*side.prefix, sys.executable, "-c", CALL, host]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise ConnectionError(done.stderr)
    return float(done.stdout)


def gone(number: int) -> Callable[[], bool]:
    """Whether nothing is left of a run."""

    def is_gone() -> bool:
        names = ip("netns", "list") + ip("-o", "link")
        return not any(side.name in names or side.door_device in names for side in sides(number))

    return is_gone


def test_an_answer_takes_the_delay_twice_and_its_words_are_in_the_packets(tmp_path: Path) -> None:
    with wide_link(Conditions(delay_s=0.05), keep_path=tmp_path / "link.pcap") as link, echo(link.hub):
        assert call(link.site, link.hub.line_host) >= 0.1
        said = seen(link.capture_path, link.site.line_host)
        assert said.text() == b"kWordThatIsSaid"
        assert said.whole_bytes == said.header_bytes + len(said.text()) + said.repeated_bytes
        assert link.carried(link.site).sent >= said.whole_bytes


def test_from_one_side_to_the_other_there_is_no_way_but_the_line() -> None:
    with wide_link(Conditions()) as link, echo(link.hub):
        assert call(link.site, link.hub.line_host) > 0
        with pytest.raises(ConnectionError, match="unreachable"):
            call(link.site, link.hub.door_host)
        link.cut()
        with pytest.raises(ConnectionError, match="timed out"):
            call(link.site, link.hub.line_host)
        link.heal()
        assert call(link.site, link.hub.line_host) > 0


def test_two_runs_at_once_do_not_meet() -> None:
    with wide_link(Conditions()) as one, wide_link(Conditions()) as other, echo(one.hub), echo(other.hub):
        assert {one.site.name, one.hub.name}.isdisjoint({other.site.name, other.hub.name})
        one.cut()
        assert call(other.site, other.hub.line_host) > 0


def test_a_test_run_that_is_killed_leaves_no_namespace_no_device_and_no_process() -> None:
    with wide_link(Conditions()):
        pass
    command = [sys.executable, "-c", DIES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as run:
        assert run.stdout is not None
        number = int(run.stdout.readline())
        hub = sides(number)[1]
        with echo(hub) as inside:
            assert not gone(number)()
            run.send_signal(signal.SIGKILL)
            asyncio.run(until(gone(number)))
            assert inside.wait(10) == -signal.SIGKILL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up being root")
def test_who_is_not_root_is_told_so() -> None:
    code = "import os; from tests.support import tunnel; os.setuid(65534); tunnel.main()"
    process, ready = started(Order(conditions=Conditions()), (sys.executable, "-c", code))
    assert "root" in ready.missing
    assert process.wait(10) == 0
