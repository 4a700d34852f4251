"""A hub with an engine and a site that asks it, in processes as shipped; the engine fails as it is told."""

import asyncio
import json
import math
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from causeway.bus import BusError, BusSettings, ProblemReply
from causeway.cli.ports import free_port
from causeway.client import Client
from causeway.proto import subjects
from causeway.proto.answers import Answer, AnswerPart, Ask, PartKind
from tests.support.fleet import FleetUnderTest, running_fleet
from tests.support.openai_engine import MODEL
from tests.support.site import SiteUnderTest, wait_until

SITE = "branch-1"
KB = "manuals"
OWN = "# Heat pump\n\nThe compressor has a warranty of seven years.\n"
OWN_QUESTION = "How long is the warranty of the compressor?"
MACHINES = ("crane", "press", "lathe", "kiln", "boiler", "mixer", "loom", "pump")
READY_S_MAX = 30.0
KNOBS_S_MAX = 60.0
CONNECT_S_MAX = 60.0
MORE_S = 10.0
"""How long beyond its deadline a reply is waited for, before it counts as lost."""


def hubs_document() -> str:
    """What only the hub knows: a fact of each machine."""
    facts = [f"The {name} of hall {n} was built by Brunner {n} in Linz." for n, name in enumerate(MACHINES, start=1)]
    return "# Machines\n\n" + "\n\n".join(facts) + "\n\n三号车间的锅炉由林茨的布鲁纳公司制造。\n"


def hubs_questions() -> list[str]:
    """Questions that the site's own documents do not answer."""
    return [f"Who built the {name} of hall {n}?" for n, name in enumerate(MACHINES, start=1)]


@dataclass(kw_only=True)
class EngineProcess:
    """The stand-in engine as a process of its own, on one port over all its lives."""

    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "EngineProcess":
        """Start, and return when it listens."""
        command = [sys.executable, "-m", "tests.support.openai_engine", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(self._listens, READY_S_MAX, "the engine")
        return self

    def set(self, **knobs: Any) -> None:
        """Change how it behaves from now on."""
        self._call("/knobs", knobs)

    def seen(self) -> dict[str, int]:
        """Its requests, and how many were aborted and finished."""
        seen: dict[str, int] = self._call("/seen")
        return seen

    def kill(self) -> None:
        """SIGKILL: every stream is broken off."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _listens(self) -> bool:
        try:
            return self._call("/seen") is not None
        except OSError:
            return False

    def _call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data)
        with urllib.request.urlopen(request, timeout=KNOBS_S_MAX) as reply:
            return json.load(reply)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What an asker got, and after how long. `problem` is a typed error reply, or empty."""

    seconds: float
    answer: Answer | None = None
    problem: str = ""

    @property
    def route(self) -> str:
        """The route, or the problem in its place."""
        return self.answer.route.value if self.answer else self.problem

    @property
    def why(self) -> str:
        """Route and reason."""
        return f"{self.route}/{self.answer.decision}" if self.answer else self.problem


class LostReplyError(AssertionError):
    """An ask got no reply at all."""


@dataclass(kw_only=True)
class Places:
    """A running hub and the site that asks it."""

    fleet: FleetUnderTest
    site: SiteUnderTest

    def client(self, place: SiteUnderTest | None = None) -> Client:
        """A client of the site, or of another place."""
        record = (place or self.site).record
        return Client(
            BusSettings(
                site=record["site"],
                service="faults",
                url=record["url"],
                user=record["user"],
                password_file=Path(record["password_file"]),
            ),
            connect_timeout_s=CONNECT_S_MAX,
        )


@dataclass(kw_only=True)
class CloudFleet(Places):
    """The same with the stand-in engine."""

    engine: EngineProcess


async def asked(
    client: Client,
    question: str,
    *,
    deadline_ms: int,
    cloud: bool = True,
    stream: bool = False,
    on_token: Callable[[], None] = lambda: None,
) -> Reply:
    """One ask of the site, never out of its cache. `on_token` is called at each token of a stream.

    Asked again where the connection was lost meanwhile, and the reply with it: the site's server takes it away from an
    asker that stands still for some seconds.

    Raises:
        LostReplyError.
    """
    while True:
        connection = client.bus.client.reconnects
        try:
            return await _asked(client, question, deadline_ms, cloud, stream, on_token)
        except LostReplyError:
            if client.bus.client.reconnects == connection:
                raise


async def _asked(
    client: Client, question: str, deadline_ms: int, cloud: bool, stream: bool, on_token: Callable[[], None]
) -> Reply:
    subject, wait_s = subjects.ASK.at(client.site, KB), deadline_ms / 1000 + MORE_S
    ask = Ask(kb=KB, question=question, deadline_ms=deadline_ms, cloud=cloud, cache=False, stream=stream)
    began = time.perf_counter()
    try:
        async with asyncio.timeout(wait_s):
            if not stream:
                answer = await client.bus.request(subject, ask, Answer, wait_s)
                return Reply(seconds=time.perf_counter() - began, answer=answer)
            async for part in client.bus.request_stream(subject, ask, AnswerPart, wait_s=wait_s, total_s=wait_s):
                if part.kind is PartKind.TOKEN:
                    on_token()
                if part.kind is PartKind.FINAL:
                    return Reply(seconds=time.perf_counter() - began, answer=part.answer)
    except ProblemReply as reply:
        return Reply(seconds=time.perf_counter() - began, problem=reply.problem.code)
    except (BusError, TimeoutError) as error:
        raise LostReplyError(f"no reply to {question!r} after {time.perf_counter() - began:.2f} s: {error}") from error
    raise LostReplyError(f"no final part of the reply to {question!r}")


async def asked_many(
    client: Client,
    count: int,
    *,
    deadline_ms: int,
    at_once: int = 1,
    cloud: bool = True,
    stream: bool = False,
    on_token: Callable[[], None] = lambda: None,
) -> list[Reply]:
    """So many asks of what only the hub knows, `at_once` at a time, and as many replies. Raises LostReplyError."""
    questions, gate = hubs_questions(), asyncio.Semaphore(at_once)

    async def one(number: int) -> Reply:
        async with gate:
            question = questions[number % len(questions)]
            ask = partial(asked, cloud=cloud, stream=stream, on_token=on_token)
            return await ask(client, question, deadline_ms=deadline_ms)

    return list(await asyncio.gather(*(one(number) for number in range(count))))


def tail_s(replies: Sequence[Reply]) -> float:
    """What the slowest take, seconds: of a hundred replies or more the 99th percentile, of fewer the slowest one, 0 of
    none."""
    ranked = sorted(reply.seconds for reply in replies)
    return ranked[math.ceil(0.99 * len(ranked)) - 1] if ranked else 0.0


@contextmanager
def running_places(root: Path, *, up: Sequence[str], settings: Mapping[str, str] | None = None) -> Iterator[Places]:
    """A hub and a joined site that takes nothing from it; both know something of their own.

    `up` are options of `up hub`; `settings` are of the site's edge-inference."""
    with running_fleet(root, up=up) as fleet:
        config = root / "site.yaml"
        config.write_text(json.dumps({"services": {"edge-inference": {"settings": dict(settings or {})}}}))
        site = fleet.join(SITE, up=("--config", str(config)))
        for place, name, text in ((site, "heat-pump.md", OWN), (fleet.hub, "machines.md", hubs_document())):
            file = place.folder / name
            file.write_text(text, encoding="utf-8")
            place.run("publish", str(file), "--kb", KB, "--residency", "public")
        yield Places(fleet=fleet, site=site)


@contextmanager
def running_cloud_fleet(
    root: Path, *, engine_url: str = "", engine_model: str = MODEL, settings: Mapping[str, str] | None = None
) -> Iterator[CloudFleet]:
    """The same with the stand-in. `engine_url` names another engine in its place."""
    engine = EngineProcess(log=root / "engine.log").start()
    url = engine_url or engine.url
    try:
        up = ("--engine", "openai-url", "--engine-url", url, "--engine-model", engine_model)
        with running_places(root, up=up, settings=settings) as places:
            yield CloudFleet(fleet=places.fleet, engine=engine, site=places.site)
    finally:
        with suppress(OSError):
            engine.kill()
