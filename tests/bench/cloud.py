"""`python -m tests.bench.cloud`: an ask over the cloud route beside the same prompt put to the engine directly."""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from causeway.client import Client
from causeway.cloud_inference.completions import DONE, Generation, body, piece
from causeway.cloud_inference.prompt import Passage, TokenMeasure, assembled
from causeway.proto import subjects
from causeway.proto.answers import Answer, AnswerPart, Ask, PartKind, Route
from tests.bench.table import Report, Row, percentile
from tests.support.cloud_fleet import KB, OWN, CloudFleet, hubs_document, hubs_questions, running_cloud_fleet
from tests.support.llama_server import SMALL, generator_file, llama_server
from tests.support.openai_engine import MODEL
from tests.support.waiting import until_async

TOKENS_MAX = 48
ASKS_FOR_P99_MIN = 30
DEADLINE_MS = 60_000
PROMPT_TOKENS_MAX = 1_500
READY_S_MAX = 180.0
# What an engine on a GPU takes or so: with none of it, the floor would be a socket.
FIRST_TOKEN_S, TOKEN_S = 0.05, 0.01
SITE_SETTINGS = {
    "cloud_first_token_ms": "30000",
    "cloud_tokens_max": str(TOKENS_MAX),
    "breaker_mode": "disabled",
}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Milliseconds to the first token and to the end, and tokens of the prompt and of the text."""

    first_ms: float
    whole_ms: float
    prompt_tokens: int
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine at an address: how it is named in the table, and what model it serves."""

    name: str
    url: str
    model: str


async def direct(http: httpx.AsyncClient, engine: Engine, question: str) -> Sample:
    """The prompt that the hub makes of its document and the site's, put to the engine."""
    parted = [document.strip().partition("\n\n") for document in (hubs_document(), OWN)]
    passages = [Passage(title=title.removeprefix("# "), text=text) for title, _, text in parted]
    prompt = assembled(question, passages, "en", PROMPT_TOKENS_MAX, TokenMeasure())
    generation = Generation(model=engine.model, messages=prompt.messages, tokens_max=TOKENS_MAX)
    began, first, prompt_tokens, tokens = time.perf_counter(), 0.0, 0, 0
    async with http.stream("POST", f"{engine.url}/v1/chat/completions", json=body(generation)) as reply:
        reply.raise_for_status()
        async for line in reply.aiter_lines():
            data = line.removeprefix("data: ").strip()
            if not data or data == DONE:
                continue
            said = piece(data)
            if said.text and not first:
                first = time.perf_counter() - began
            if said.usage is not None:
                prompt_tokens, tokens = said.usage.prompt_tokens, said.usage.completion_tokens
    return Sample(
        first_ms=first * 1e3,
        whole_ms=(time.perf_counter() - began) * 1e3,
        prompt_tokens=prompt_tokens,
        tokens=tokens,
    )


async def over_the_cloud(client: Client, question: str) -> tuple[Sample, Answer]:
    """The same question asked at the site."""
    subject = subjects.ASK.at(client.site, KB)
    ask = Ask(kb=KB, question=question, deadline_ms=DEADLINE_MS, cache=False, stream=True)
    began, first, final = time.perf_counter(), 0.0, None
    parts = client.bus.request_stream(subject, ask, AnswerPart, wait_s=DEADLINE_MS / 1e3, total_s=DEADLINE_MS / 1e3)
    async for part in parts:
        if part.kind is PartKind.TOKEN and not first:
            first = time.perf_counter() - began
        final = part.answer if part.kind is PartKind.FINAL else final
    whole_ms = (time.perf_counter() - began) * 1e3
    if final is None:
        raise RuntimeError(f"no answer to {question!r}")
    sample = Sample(
        first_ms=first * 1e3, whole_ms=whole_ms, prompt_tokens=final.prompt_tokens, tokens=final.completion_tokens
    )
    return sample, final


async def measure(engine: Engine, fleet: CloudFleet, asks: int) -> list[Row]:
    """Both, in turns, and in either order, so that what the engine keeps of a prompt helps both alike."""
    questions = hubs_questions()
    bare, whole, answers = list[Sample](), list[Sample](), list[Answer]()
    async with fleet.client() as client, httpx.AsyncClient(timeout=DEADLINE_MS / 1e3) as http:

        async def answered() -> bool:
            return (await over_the_cloud(client, questions[-1]))[1].route is Route.CLOUD

        await until_async(answered, READY_S_MAX)
        await direct(http, engine, questions[-1])
        for number in range(asks):
            question = questions[number % len(questions)]
            for step in (number % 2, 1 - number % 2):
                if step:
                    bare.append(await direct(http, engine, question))
                    continue
                sample, answer = await over_the_cloud(client, question)
                # What the engine refused to answer from the passages says nothing of its time.
                if answer.route is Route.CLOUD:
                    whole.append(sample)
                    answers.append(answer)
    return rows_of(engine, bare, whole, answers)


def rows_of(engine: Engine, bare: Sequence[Sample], whole: Sequence[Sample], answers: Sequence[Answer]) -> list[Row]:
    """First token and end, each against the engine alone."""
    prompts = percentile([float(s.prompt_tokens) for s in whole], 50), percentile([s.prompt_tokens for s in bare], 50)
    tokens = percentile([float(s.tokens) for s in whole], 50), percentile([s.tokens for s in bare], 50)
    floor = (
        f"the engine directly: {prompts[1]:.0f} tokens of prompt, {tokens[1]:.0f} written"
        f" (over the cloud {prompts[0]:.0f} and {tokens[0]:.0f}; {len(whole)} answers)"
    )
    names = sorted({name for answer in answers for name in answer.latency_ms})
    inside = ", ".join(f"{name} {percentile([a.latency_ms.get(name, 0.0) for a in answers], 50):.0f}" for name in names)
    rows = []
    for what, pick in (("first token", _first_ms), ("whole answer", _whole_ms)):
        for percent in (50, 99) if len(whole) >= ASKS_FOR_P99_MIN else (50,):
            row = Row(
                name=f"cloud route, {what} p{percent}, {engine.name}",
                value=percentile([pick(sample) for sample in whole], percent),
                unit="ms",
                floor=percentile([pick(sample) for sample in bare], percent),
                floor_name=floor,
                why=f"where the milliseconds go (medians): {inside}" if (what, percent) == ("first token", 50) else "",
            )
            rows.append(row)
    return rows


def _first_ms(sample: Sample) -> float:
    return sample.first_ms


def _whole_ms(sample: Sample) -> float:
    return sample.whole_ms


@asynccontextmanager
async def fleet_with(engine: Engine | None) -> AsyncIterator[tuple[CloudFleet, Engine]]:
    """A hub and a site with this engine, or with the stand-in."""
    with tempfile.TemporaryDirectory(prefix="causeway-bench-cloud-") as folder:
        url, model = (engine.url, engine.model) if engine else ("", MODEL)
        running = running_cloud_fleet(Path(folder), engine_url=url, engine_model=model, settings=SITE_SETTINGS)
        with running as fleet:
            fleet.engine.set(first_token_s=FIRST_TOKEN_S, token_s=TOKEN_S)
            name = f"stand-in ({FIRST_TOKEN_S * 1e3:.0f} ms to the first token, {TOKEN_S * 1e3:.0f} ms each)"
            yield fleet, engine or Engine(name=name, url=fleet.engine.url, model=MODEL)


async def run_cloud(asks: int, console: Console, engine: Engine | None = None) -> list[Row]:
    """With the stand-in and with llama.cpp where its model is installed, or with the engine that is named."""
    if engine is not None:
        async with fleet_with(engine) as (fleet, named):
            return await measure(named, fleet, asks)
    console.print("the cloud route, with a stand-in for the engine")
    async with fleet_with(None) as (fleet, named):
        rows = await measure(named, fleet, asks)
    file = generator_file()
    if not file.exists():
        console.print(f"no llama.cpp here: {file} is missing; `causeway model fetch generator`")
        return rows
    console.print("the cloud route, with llama.cpp")
    with llama_server(file) as server:
        async with fleet_with(Engine(name="llama.cpp, 0.5 B, one thread", url=server.url, model=SMALL)) as (
            fleet,
            named,
        ):
            return rows + await measure(named, fleet, max(8, asks // 5))


def main() -> None:
    """Arguments to a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cloud", description=__doc__)
    parser.add_argument("--asks", type=int, default=60)
    parser.add_argument("--engine-url", default="", help="another engine, such as vLLM: http://HOST:PORT without /v1")
    parser.add_argument("--engine-model", default="", help="the model that it serves")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    console = Console(stderr=options.json)
    engine = Engine(name=options.engine_url, url=options.engine_url, model=options.engine_model)
    report = Report()
    report.extend(asyncio.run(run_cloud(options.asks, console, engine if options.engine_url else None)))
    if options.json:
        print(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    else:
        report.show(console)


if __name__ == "__main__":
    main()
