"""An answer that cites another site's document, in processes as shipped: when that site edits it, the asker is told."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from causeway.bus import BusSettings
from causeway.client import Client
from causeway.proto import subjects
from causeway.proto.answers import Answer, Ask, Route
from tests.support.cloud_fleet import KB, OWN, SITE, EngineProcess
from tests.support.fleet import FleetUnderTest, running_fleet
from tests.support.openai_engine import MODEL
from tests.support.site import SiteUnderTest
from tests.support.waiting import until_async

# Its parts have short tests of their own; this one starts four places.
pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.timeout(600)]
PLANT = "plant-1"
QUESTION = "Who built the kiln of hall 4?"
COMES_S_MAX = 60.0
FACTS = ("The crane of hall 1 was built by Ortner in Graz.", "The lathe of hall 3 was built by Pichler in Wels.")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetUnderTest]:
    """A hub with the stand-in engine, and two sites; the one that asks looks every second."""
    root = tmp_path_factory.mktemp("foreign")
    engine = EngineProcess(log=root / "engine.log").start()
    try:
        up = ("--engine", "openai-url", "--engine-url", engine.url, "--engine-model", MODEL)
        with running_fleet(root, up=up) as running:
            config = root / "site.yaml"
            settings = {"foreign_check_every_s": "1", "cloud_first_token_ms": "5000"}
            config.write_text(json.dumps({"services": {"edge-inference": {"settings": settings}}}))
            publish(running.join(SITE, up=("--config", str(config))), "heat-pump.md", OWN)
            running.join(PLANT)
            yield running
    finally:
        with suppress(OSError):
            engine.kill()


def publish(site: SiteUnderTest, name: str, text: str) -> None:
    file = site.folder / name
    file.write_text(text, encoding="utf-8")
    site.run("publish", str(file), "--kb", KB, "--residency", "public")


def kilns_builder(name: str) -> str:
    """What the plant knows."""
    return "# Machines\n\n" + "\n\n".join((*FACTS, f"The kiln of hall 4 was built by {name}.")) + "\n"


def client_of(site: SiteUnderTest) -> Client:
    record = site.record
    password = Path(record["password_file"])
    return Client(
        BusSettings(
            site=record["site"], service="asker", url=record["url"], user=record["user"], password_file=password
        )
    )


async def asked(client: Client, *, cache: bool) -> Answer:
    ask = Ask(kb=KB, question=QUESTION, cache=cache, deadline_ms=10_000)
    return await client.bus.request(subjects.ASK.at(SITE, KB), ask, Answer, 20.0)


async def until_asked(client: Client, route: Route, says: str, *, cache: bool) -> Answer:
    """Ask until an answer by this route has these words."""
    found: list[Answer] = []

    async def comes() -> bool:
        answer = await asked(client, cache=cache)
        found.append(answer)
        return answer.route is route and says in answer.text

    await until_async(comes, COMES_S_MAX)
    return found[-1]


async def test_an_edit_at_one_site_reaches_the_asker_at_another_and_the_old_answer_is_given_no_more(
    fleet: FleetUnderTest,
) -> None:
    site, plant = fleet.sites[SITE], fleet.sites[PLANT]
    await asyncio.to_thread(publish, plant, "machines.md", kilns_builder("Brunner in Linz"))
    async with client_of(site) as client:
        first = await until_asked(client, Route.CLOUD, "Brunner", cache=False)
        assert {citation.origin for citation in first.citations} == {PLANT}
        assert first.hub_seq > 0
        cached = await until_asked(client, Route.CACHE, "Brunner", cache=True)
        assert cached.hub_seq > 0
        await asyncio.to_thread(publish, plant, "machines.md", kilns_builder("Gruber in Steyr"))
        told = await asyncio.to_thread(
            site.run_json, "ask", "--follow", "--answer", first.answer_id, timeout_s=COMES_S_MAX
        )
        assert (told["answer_id"], told["change"]) == (first.answer_id, "revised")
        assert (told["origin"], told["document_id"]) == (PLANT, "machines.md")
        now = await asked(client, cache=True)
        assert "Brunner" not in now.text
        assert "Gruber" in (await until_asked(client, Route.CLOUD, "Gruber", cache=False)).text
