"""cloud-inference as it is shipped: a process with an environment, that answers, says how it is, and drains."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path

import pytest

from causeway.bus import Bus, BusSettings, NoResponders, RequestTimeout
from causeway.bus.streams import declare
from causeway.cli.ports import free_port
from causeway.proto import subjects
from causeway.proto.cloud import CloudAsk, CloudPart, CloudStatus, CloudStatusAsked
from causeway.proto.usage import UsageRecorded
from tests.support.cloud_hub import KB, SITE
from tests.support.nats_server import NatsServer
from tests.support.openai_engine import stand_in
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.model
COMMAND = [sys.executable, "-c", "from causeway.cloud_inference.main import main; main()"]
# No test is about these: any process may stand still for seconds on a busy machine.
CALLS = {"engine_connect_timeout_s": "10", "engine_call_timeout_s": "10"}


def environment(server: NatsServer, port: int, **own: str) -> dict[str, str]:
    common = {"CAUSEWAY_SITE": "hub", "CAUSEWAY_NATS_URL": server.url, "CLOUD_INFERENCE_METRICS_PORT": str(port)}
    return {**os.environ, **common, **{f"CLOUD_INFERENCE_{name.upper()}": value for name, value in own.items()}}


@contextmanager
def started(given: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as stderr:
        process = subprocess.Popen(COMMAND, env=given, stderr=stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def page(port: int, name: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=30) as reply:
            return str(reply.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError as error:
        return str(error)


async def until_ready(port: int) -> None:
    async def ready() -> bool:
        return await asyncio.to_thread(page, port, "readyz") == "ready\n"

    await until_async(ready, 60.0)


async def metric(port: int, name: str) -> float:
    read = await asyncio.to_thread(page, port, "metrics")
    found = re.search(rf"^causeway_cloud_inference_{re.escape(name)} (\S+)$", read, re.MULTILINE)
    return float(found[1]) if found else -1.0


async def test_the_process_answers_counts_and_drains_on_sigterm(
    nats_server: NatsServer, shared_shelf: str, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    async with (
        stand_in() as engine,
        Bus(BusSettings(url=nats_server.url, site=SITE, service="asker")) as bus,
    ):
        await declare(bus, fresh=True)
        given = environment(
            nats_server,
            port,
            engine="vllm",
            engine_url=engine.url,
            engine_metrics_url=f"{engine.url}/metrics",
            milvus_uri=shared_shelf,
            **CALLS,
        )
        with started(given, log) as process:
            await until_ready(port)

            async def healthy() -> bool:
                return await metric(port, "engine_healthy") == 1.0

            await until_async(healthy, 30.0)
            engine.gate.clear()
            ask = CloudAsk(ask_id="1", kb=KB, question="Where is the valve?", deadline_ms=60_000, first_token_ms=50_000)
            stream = bus.request_stream(subjects.CLOUD_ASK.at(SITE), ask, CloudPart, wait_s=30.0)
            accepted = await anext(stream)
            assert accepted.kind == "accepted"
            process.send_signal(signal.SIGTERM)
            await until_async(lambda: takes_nothing(bus))
            engine.gate.set()
            parts = [part async for part in stream]
            assert parts[-1].answer is not None, log.read_text()
            assert not parts[-1].answer.abstained
            await until(lambda: process.poll() is not None, 30.0)
            assert process.returncode == 0
            async with aclosing(bus.scan(subjects.USAGE.stream, [subjects.USAGE.at("*")])) as used:
                purposes = [each.message.purpose async for each in used if isinstance(each.message, UsageRecorded)]
            assert purposes[-1] == "answer"
            assert set(purposes[:-1]) == {"measurement"}


async def takes_nothing(bus: Bus) -> bool:
    # What arrives while it stops may get no reply.
    with suppress(RequestTimeout):
        try:
            await bus.request(subjects.CLOUD_STATUS.at(SITE), CloudStatusAsked(), CloudStatus, timeout_s=1.0)
        except NoResponders:
            return True
    return False


async def test_without_an_engine_the_process_is_ready_and_says_what_is_missing(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    port = free_port()
    async with Bus(BusSettings(url=nats_server.url, site=SITE, service="asker")) as bus:
        with started(environment(nats_server, port), tmp_path / "log"):
            await until_ready(port)
            subject = subjects.CLOUD_STATUS.at(SITE)

            async def told() -> bool:
                return (await bus.request(subject, CloudStatusAsked(), CloudStatus)).reason == "no engine is configured"

            await until_async(told)
            assert await metric(port, "engine_healthy") == 0.0


def test_a_setting_that_is_not_known_refuses_the_start(nats_server: NatsServer) -> None:
    run = subprocess.run(
        COMMAND, env=environment(nats_server, -1, engin="vllm"), capture_output=True, timeout=60, check=False
    )
    assert run.returncode == 78
    assert b"CLOUD_INFERENCE_ENGIN" in run.stderr
