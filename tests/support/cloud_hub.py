"""A hub that answers sites: real NATS, real Milvus Lite with a small shelf, and cloud-inference over an engine."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from causeway.bus import Bus, BusSettings, ProblemReply
from causeway.bus.streams import declare
from causeway.cloud_inference.app import build
from causeway.cloud_inference.settings import Settings
from causeway.milvus.shelf import MilvusShelf
from causeway.milvus.values import ShelfPosition, ShelvedChunk, ShelvedDocument
from causeway.models import EMBEDDING, Encoder, ModelStore
from causeway.proto import subjects
from causeway.proto.answers import Problem
from causeway.proto.chunks import Manifest, Place
from causeway.proto.cloud import CloudAnswer, CloudAsk, CloudPart, CloudPartKind, CloudStatus, CloudStatusAsked
from causeway.proto.documents import Residency
from causeway.proto.knowledge import DocumentRevised, Watermark
from causeway.proto.usage import UsageRecorded
from causeway.runtime.process import Body
from tests.support.knowledge_builders import chunk_id, document_key
from tests.support.nats_server import NatsServer
from tests.support.waiting import until_async

KB = "handbook"
SITE = "branch-1"
_numbers = itertools.count()
# No test is about these: any process may stand still for seconds on a busy machine.
_ASK_MS = 100_000
_BUS_S = 30.0
# Of each: its origin, kb, document id, title and texts.
SHARED: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    (
        "branch-1",
        KB,
        "leave",
        "Leave policy",
        (
            "Employees are entitled to ten days of paid annual leave. Unused leave may be carried over until 31 March.",
            "Parental leave is sixteen weeks. It is requested from the personnel office.",
        ),
    ),
    ("hub", KB, "valve", "Boiler room", ("The emergency shut-off valve is on the north wall of the boiler room.",)),
    (
        "branch-2",
        KB,
        "nianjia",
        "年假制度",
        (
            "员工每年享有十天带薪年休假，未休完的假期可以顺延到次年3月31日。",
            "病假需要医院开具的证明，超过三天须由部门经理批准。",
        ),
    ),
    ("branch-1", "other", "leave", "Leave policy", ("Contractors are entitled to four days of paid annual leave.",)),
)
# The hub's own that is not public, on the shelf all the same, as it was filled before there were forms.
KEPT: tuple[tuple[str, Residency, str], ...] = (
    ("salaries", Residency.RESTRICTED, "The head of Springfield has ninety days of paid annual leave and a bonus."),
    ("merger", Residency.INTERNAL, "Paid annual leave of all employees is cut to one day after the merger."),
)


def encoder() -> Encoder:
    """The model that everything here is embedded with."""
    return Encoder.load(ModelStore.from_settings().locate(EMBEDDING))


async def fill(uri: str, using: Encoder, position: int = 900) -> None:
    """Put SHARED on a shelf, and what no answer may cite: a document that gives way, and KEPT."""
    shelf = MilvusShelf(uri, timeout_s=20.0)
    await shelf.start()
    rows = [*SHARED, ("branch-3", KB, "old-leave", "Old leave policy", ("Paid annual leave is two days.",))]
    rows += [("hub", KB, name, "Leave policy", (text,)) for name, _, text in KEPT]
    labels = {name: label for name, label, _ in KEPT}
    for origin, kb, name, title, texts in rows:
        live = origin != "branch-3"
        manifest = Manifest(
            kb=kb,
            document_id=name,
            document_key=document_key(name, f"{origin}-{kb}"),
            revision=3,
            title=title,
            residency=labels.get(name, Residency.PUBLIC),
            places=[Place(chunk_id=chunk_id(text, kb, origin), page_first=page) for page, text in enumerate(texts, 1)],
        )
        document = ShelvedDocument(origin=origin, revised=DocumentRevised(manifest=manifest), shadowed=0 if live else 3)
        vectors = using.encode_passages([f"{title}\n{text}" for text in texts])
        await shelf.upsert_chunks(
            [
                ShelvedChunk(
                    kb=kb,
                    origin=origin,
                    document_key=manifest.document_key,
                    chunk_id=place.chunk_id,
                    model=using.model_id,
                    language="zh" if name == "nianjia" else "en",
                    context=title,
                    text=text,
                    live=live,
                    vector=vector,
                )
                for text, place, vector in zip(texts, manifest.places, vectors, strict=True)
            ]
        )
        await shelf.put_documents([document])
    await shelf.put_position(ShelfPosition(seq=position, stream_created=1))
    await shelf.close()


@dataclass
class Asked:
    """What a site got: parts in order, and the problem that ended them, if one did."""

    parts: list[CloudPart] = field(default_factory=list)
    problem: Problem | None = None

    @property
    def answer(self) -> CloudAnswer:
        assert self.problem is None, self.problem
        assert self.parts[-1].kind is CloudPartKind.FINAL
        assert self.parts[-1].answer is not None
        return self.parts[-1].answer

    @property
    def text(self) -> str:
        """What was streamed."""
        return "".join(part.text for part in self.parts if part.kind is CloudPartKind.TOKEN)


@dataclass(kw_only=True)
class Hub:
    """A running hub, and a site that asks it."""

    bus: Bus
    site: Bus
    stop: asyncio.Event
    service: "asyncio.Task[None]"

    def request(self, question: str, **changes: Any) -> CloudAsk:
        """An ask with a new id and much time."""
        asked = CloudAsk(
            ask_id=f"ask-{next(_numbers)}", kb=KB, question=question, deadline_ms=_ASK_MS, first_token_ms=_ASK_MS
        )
        return msgspec.structs.replace(asked, **changes)

    async def ask(self, question: str, site: str = SITE, **changes: Any) -> Asked:
        """All that comes."""
        return await self.send(self.request(question, **changes), site)

    async def send(self, asked: CloudAsk, site: str = SITE, into: Asked | None = None) -> Asked:
        """All that comes, put into `into` as it does."""
        got = into or Asked()
        try:
            subject = subjects.CLOUD_ASK.at(site)
            async for part in self.site.request_stream(subject, asked, CloudPart, wait_s=60.0, total_s=110.0):
                got.parts.append(part)
        except ProblemReply as reply:
            got.problem = reply.problem
        return got

    async def status(self, site: str = SITE, timeout_s: float | None = None) -> CloudStatus:
        """How the hub says that it is."""
        return await self.site.request(subjects.CLOUD_STATUS.at(site), CloudStatusAsked(), CloudStatus, timeout_s)

    async def until_status(self, healthy: bool, bound_s: float = 30.0) -> None:
        """Return once the hub says so of its engine."""

        async def says() -> bool:
            return (await self.status()).healthy is healthy

        await until_async(says, bound_s)

    async def usage(self) -> list[UsageRecorded]:
        """The events in USAGE of what was generated for sites."""
        return [event for event in await self.used() if event.purpose == "answer"]

    async def used(self) -> list[UsageRecorded]:
        """All events in USAGE, those of the hub's measurements too."""
        subject = subjects.USAGE.at("hub")
        found = [delivery.message async for delivery in self.bus.scan("USAGE", [subject])]
        return [message for message in found if isinstance(message, UsageRecorded)]

    async def until_used(self, count: int) -> list[UsageRecorded]:
        """The events, once there are so many."""

        async def there() -> bool:
            return len(await self.usage()) >= count

        await until_async(there)
        return await self.usage()


@asynccontextmanager
async def hub(server: NatsServer, milvus_uri: str, engine_url: str, **settings: Any) -> AsyncIterator[Hub]:
    """A hub whose engine has been measured, unless it is `none`."""
    chosen: dict[str, Any] = {
        "engine": "vllm",
        "engine_url": engine_url,
        "engine_metrics_url": f"{engine_url}/metrics",
        "engine_watch_every_s": 0.1,
        "engine_measure_every_s": 0.2,
        "engine_connect_timeout_s": 10.0,
        "engine_idle_timeout_s": 60.0,
        "engine_call_timeout_s": 10.0,
        "milvus_uri": milvus_uri,
        "milvus_timeout_s": 30.0,
        "metrics_port": -1,
        "drain_timeout_s": 10.0,
    }
    service = build(Settings(site="hub", nats_url=server.url, **(chosen | settings)))
    async with (
        Bus(_bus(server, "hub", "test")) as bus,
        Bus(_bus(server, SITE, "asker")) as site,
    ):
        await declare(bus, fresh=True)
        await bus.publish(
            subjects.WATERMARK.at("branch-1"), Watermark(origin="branch-1", outbox_seq=41, inbox_seq=7), msg_id="w"
        )
        stop = asyncio.Event()
        task = asyncio.create_task(_run(service, stop))
        running = Hub(bus=bus, site=site, stop=stop, service=task)
        try:
            await until_async(lambda: _serves(running), 60.0)
            if settings.get("engine") != "none":
                await running.until_status(True)
            yield running
        finally:
            stop.set()
            await asyncio.wait_for(task, 60.0)


def _bus(server: NatsServer, site: str, service: str) -> BusSettings:
    return BusSettings(url=server.url, site=site, service=service, api_timeout_s=_BUS_S, request_timeout_s=_BUS_S)


async def _run(service: Body, stop: asyncio.Event) -> None:
    await service(stop)


async def _serves(running: Hub) -> bool:
    if running.service.done():
        await running.service
    try:
        await running.status()
    except Exception:  # noqa: BLE001  # The outermost loop of a wait: it is not there yet.
        return False
    return True


def kinds(parts: Sequence[CloudPart]) -> list[str]:
    """The kinds in order, runs of one kind once."""
    return [kind for kind, _ in itertools.groupby(part.kind.value for part in parts)]
