"""`make bench`: starts a site of its own, measures, prints ratios, stops it; then hubs and sites for the cloud route
and for the link."""

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from pathlib import Path

import psutil
from nats.aio.subscription import Subscription
from rich.console import Console

from causeway.bus import Bus, BusError, BusSettings, ProblemReply
from causeway.models import Encoder
from causeway.models.chosen import embedding_folder
from causeway.proto import decode, subjects
from causeway.proto.answers import Answer, Ask, Search, SearchResult
from causeway.proto.documents import Document, DocumentStatus, Residency, State
from tests.bench import corpus as corpora
from tests.bench import floors
from tests.bench.cloud import run_cloud
from tests.bench.link import add_options, plan_of, run_link
from tests.bench.routing import CALLS, bench_routing
from tests.bench.table import FLOOR_RATIO_WORTH_A_PROFILE, Report, Row, percentile
from tests.support.site import SiteUnderTest, running_site
from tests.support.waiting import until_async

MODEL = "multilingual-e5-small"
ANSWER_BYTES = 4_000
BOUND_S = 900.0


def distinct(questions: list[str]) -> list[str]:
    """Many questions that are all different, so that no cache of a replica can answer for the work: pairs of the
    bundled ones, each pair once."""
    return [f"{first} {second}" for shift in range(1, len(questions)) for first, second in _shifted(questions, shift)]


def _shifted(questions: list[str], shift: int) -> list[tuple[str, str]]:
    return list(zip(questions, questions[shift:] + questions[:shift], strict=True))


class Bench:
    """One run against one site."""

    def __init__(self, site: SiteUnderTest, bus: Bus, encoder: Encoder, asks: int, console: Console) -> None:
        self.site, self.bus, self.encoder, self.asks, self.console = site, bus, encoder, asks, console
        self.name = str(site.record["site"])
        self.questions = distinct(corpora.bundled().questions)
        self.report = Report()

    async def ask_ms(self, kb: str, times: int) -> tuple[list[float], list[Answer]]:
        """Milliseconds of asks over the bus, one after the other, without a generator."""
        samples, answers = [], []
        for number in range(times):
            # From the end: the searches before it have read the passages of the first ones already.
            message = Ask(kb=kb, question=self.questions[-1 - number], generate=False)
            started = time.perf_counter()
            answers.append(await self.bus.request(subjects.ASK.at(self.name, kb), message, Answer, 30))
            samples.append((time.perf_counter() - started) * 1_000)
        return samples, answers

    async def search_ms(self, kb: str, times: int) -> list[float]:
        """Milliseconds of hybrid searches over the bus."""
        samples = []
        for number in range(times):
            message = Search(kb=kb, question=self.questions[number % len(self.questions)])
            started = time.perf_counter()
            await self.bus.request(subjects.SEARCH.at(self.name, kb), message, SearchResult, 30)
            samples.append((time.perf_counter() - started) * 1_000)
        return samples

    async def wait_applied(self, kb: str) -> float:
        """Seconds until a replica has applied all of KNOWLEDGE."""
        started = time.monotonic()
        last_seq = (await self.bus.broker.js.stream_info("KNOWLEDGE")).state.last_seq
        search = Search(kb=kb, question="ready?")

        async def applied() -> bool:
            try:
                result = await self.bus.request(subjects.SEARCH.at(self.name, kb), search, SearchResult, 10)
            except ProblemReply as reply:
                if reply.problem.code != "unknown_kb":
                    raise
                return False
            return result.epoch.get(self.name, 0) >= last_seq

        await until_async(applied, BOUND_S)
        return time.monotonic() - started

    async def scale(self, size: int) -> corpora.Corpus:
        """Publish a kb of `size` embedded chunks and measure search in it."""
        kb = f"size-{size}"
        made = corpora.Corpus.make(kb, size, self.encoder, seed=size)
        self.console.print(f"publishing {size} embedded chunks")
        started = time.monotonic()
        await corpora.publish(self.bus, made, self.name)
        published_s = time.monotonic() - started
        applied_s = await self.wait_applied(kb)
        self.report.add(
            Row(
                name=f"apply {size} chunks",
                value=size / (published_s + applied_s),
                unit="chunks/s",
                more_is_better=True,
            )
        )
        exact_ms = floors.exact_search_ms(made, self.encoder.encode_queries(self.questions[:20]), self.asks)
        await self.search_ms(kb, 5)
        samples = await self.search_ms(kb, self.asks)
        for percent in (50, 99):
            self.report.add(
                Row(
                    name=f"search p{percent} at {size}",
                    value=percentile(samples, percent),
                    unit="ms",
                    floor=exact_ms if percent == 50 else 0.0,
                    floor_name="one exact matrix product (no encoding, no lexical search, no bus)",
                )
            )
        return made

    async def asking(self, made: corpora.Corpus) -> None:
        """Ask over the bus against the sum of its bare parts, measured in this run."""
        bare = floors.BareAsk(made, self.encoder, self.questions[-self.asks :])
        parts = await asyncio.to_thread(bare.parts_ms, self.asks)
        record = self.site.record
        parts["round trip"] = await floors.round_trip_ms(
            record["url"], record["user"], self.bus.settings.secret(), self.asks, ANSWER_BYTES
        )
        samples, answers = await self.ask_ms(made.kb, self.asks)
        inside = {
            name: percentile([a.latency_ms.get(name, 0.0) for a in answers], 50) for name in answers[0].latency_ms
        }
        floor = {percent: sum(percentile(part, percent) for part in parts.values()) for percent in (50, 99)}
        said = ", ".join(f"{name} {percentile(part, 50):.1f}" for name, part in parts.items())
        for percent in (50, 99):
            row = Row(
                name=f"ask p{percent} over the bus, {len(made.chunks)} chunks",
                value=percentile(samples, percent),
                unit="ms",
                floor=floor[percent],
                floor_name=f"bare parts: {said} ms" if percent == 50 else "p99 of the parts, added",
            )
            missed = (row.ratio or 0) > FLOOR_RATIO_WORTH_A_PROFILE
            inner = ", ".join(f"{name} {value:.1f}" for name, value in sorted(inside.items(), key=lambda i: -i[1]))
            why = f"where the milliseconds go inside the service (medians): {inner}"
            self.report.add(Row(**{**row.__dict__, "why": why if missed else ""}))

    async def ingest(self, documents: int) -> None:
        """Documents through ingestor and embedder until all are searchable, against the bare encoder."""
        passages = corpora.bundled().passages
        texts = [
            f"Form {n}. {passages[n % len(passages)]} {passages[(n * 7 + 3) % len(passages)]}" for n in range(documents)
        ]
        started = time.monotonic()
        self.encoder.encode_passages(texts)
        bare = documents / (time.monotonic() - started)
        before = self.cpu_s()
        statuses = await self.bus.client.subscribe(subjects.STATUS.at(self.name, "forms"), pending_msgs_limit=0)
        started = time.monotonic()
        for number, text in enumerate(texts):
            document = Document(
                kb="forms",
                document_id=f"form-{number}.txt",
                media_type="text/plain",
                residency=Residency.PUBLIC,
                filename=f"form-{number}.txt",
                body=text.encode(),
            )
            await self.bus.publish(subjects.DOCUMENT.at(self.name, "forms"), document, msg_id=f"form-{number}")
        chunks = await self._all_searchable(statuses, documents)
        rate = chunks / (time.monotonic() - started)
        self.report.add(
            Row(
                name=f"ingest {documents} documents to searchable",
                value=rate,
                unit="chunks/s",
                floor=bare,
                floor_name="the bare encoder on the same texts, one thread",
                more_is_better=True,
                why=f"CPU seconds meanwhile: {self._spent(before)}; the bare encoder took {documents / bare:.1f}"
                if bare / rate > FLOOR_RATIO_WORTH_A_PROFILE
                else "",
            )
        )

    async def _all_searchable(self, statuses: Subscription, documents: int) -> int:
        chunks: dict[str, int] = {}
        while len(chunks) < documents:
            status = decode((await statuses.next_msg(timeout=BOUND_S)).data, DocumentStatus)
            if status.state is State.FAILED:
                raise RuntimeError(f"{status.document_id}: {status.reason}")
            if status.state is State.SEARCHABLE:
                chunks[status.document_id] = status.chunks_total
        return sum(chunks.values())

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds that each process of the site, with its children, has used."""
        used = {}
        for name, pid in self.site.pids().items():
            process = psutil.Process(pid)
            times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
            used[name] = sum(one.user + one.system for one in times)
        return used

    def _spent(self, before: dict[str, float]) -> str:
        return ", ".join(f"{name} {used - before.get(name, 0.0):.1f}" for name, used in self.cpu_s().items())

    def memory(self) -> None:
        """Resident memory of each process."""
        for name, pid in self.site.pids().items():
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
            self.report.add(
                Row(name=f"memory of {name}", value=sum(p.memory_info().rss for p in family) / 2**20, unit="MiB")
            )

    async def restart(self, kb: str, size: int) -> None:
        """SIGKILL of the replica until the first answer of the next one."""
        os.kill(self.site.pids()["edge-inference"], signal.SIGKILL)
        started = time.monotonic()
        message = Ask(kb=kb, question=self.questions[0], generate=False)

        async def answered() -> bool:
            try:
                await self.bus.request(subjects.ASK.at(self.name, kb), message, Answer, 5)
            except BusError:
                return False
            return True

        await until_async(answered, BOUND_S)
        self.report.add(
            Row(name=f"SIGKILL to first answer at {size} chunks", value=time.monotonic() - started, unit="s")
        )


async def run_site(sizes: list[int], asks: int, documents: int, encoder: Encoder, console: Console) -> Report:
    """All measurements of a site, one after the other."""
    with tempfile.TemporaryDirectory(prefix="causeway-bench-") as folder, running_site(Path(folder) / "site") as site:
        record = site.record
        settings = BusSettings(
            site=str(record["site"]),
            service="bench",
            url=record["url"],
            user=record["user"],
            password_file=Path(record["password_file"]),
        )
        async with Bus(settings) as bus:
            bench = Bench(site, bus, encoder, asks, console)
            await bench.ingest(documents)
            made = [await bench.scale(size) for size in sizes]
            await bench.asking(made[0])
            bench.memory()
            await bench.restart(made[-1].kb, sizes[-1])
            return bench.report


def main() -> None:
    """Arguments to measurements to a table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", default="10000,100000", help="chunks per knowledge base, the first is also asked")
    parser.add_argument("--asks", type=int, default=200, help="requests per measurement")
    parser.add_argument("--documents", type=int, default=300, help="documents to ingest")
    parser.add_argument("--cloud-asks", type=int, default=60, help="asks over the cloud route, and to its engine alone")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_options(parser)
    options = parser.parse_args()
    console = Console(stderr=options.json)
    encoder = Encoder.load(embedding_folder(MODEL), threads=1)
    sizes = [int(size) for size in options.sizes.split(",")]
    console.print("routing decisions")
    decisions = bench_routing(CALLS)
    report = asyncio.run(run_site(sizes, options.asks, options.documents, encoder, console))
    report.extend(decisions)
    report.extend(asyncio.run(run_cloud(options.cloud_asks, console)))
    asyncio.run(run_link(plan_of(options), report, console, encoder.encode_passages))
    if options.json:
        print(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    else:
        report.show(console)


if __name__ == "__main__":
    main()
