"""The label of a question: the stricter of its asker's and its site's, for everything that goes by it."""

import pytest

from causeway.edge_inference.routing import strictest
from causeway.edge_inference.scheduling import SchedulingRule
from causeway.edge_inference.scheduling_ports import CacheLook, Vector
from causeway.proto.answers import Ask
from causeway.proto.documents import Residency
from tests.support.scheduling_desk import Desk, Given, ScriptedCache
from tests.support.scripted_cloud import ScriptedCloud, streamed
from tests.support.virtual_time import JumpingLoop, run_virtually


@pytest.mark.parametrize(
    ("of_site", "of_asker", "reason"),
    [
        (Residency.INTERNAL, Residency.PUBLIC, "internal"),
        (Residency.RESTRICTED, Residency.INTERNAL, "restricted"),
        (Residency.PUBLIC, Residency.INTERNAL, "internal"),
        (Residency.PUBLIC, Residency.PUBLIC, "unsure"),
    ],
)
def test_a_question_has_the_stricter_label_of_its_asker_and_its_site(
    of_site: Residency, of_asker: Residency, reason: str
) -> None:
    cloud, labels = ScriptedCloud([streamed(0.1)]), []

    class Labels(ScriptedCache):
        def look(self, ask: Ask, language: str, vector: Vector, *, again: bool = False) -> CacheLook:
            labels.append(ask.residency)
            return super().look(ask, language, vector, again=again)

    async def run(loop: JumpingLoop) -> tuple[Given, Desk]:
        site = Desk(loop, cloud, rule=SchedulingRule(question_residency=of_site), cache=Labels())
        asked = Ask(kb="handbook", question="How many days of leave?", deadline_ms=5_000, residency=of_asker)
        parts = [part async for part in site.begin(asked)]
        await site.settled()
        return Given(parts=parts, took_s=0.0), site

    reply, site = run_virtually(run)
    assert reply.told[1] == reason
    assert (len(cloud.asked), len(site.books.considered)) == ((1, 0) if reason == "unsure" else (0, 0))
    assert labels == [strictest(of_site, of_asker)], "the cache goes by it too"
