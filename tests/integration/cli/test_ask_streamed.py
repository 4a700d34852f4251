"""`causeway ask` as it is typed, in a pipe, over a real nats-server and a stand-in that streams."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from causeway.bus import Bus, Caller, Endpoint
from causeway.proto import subjects
from causeway.proto.answers import Answer, AnswerPart, Ask, PartKind, Route
from causeway.proto.documents import DocumentStatus, State
from tests.support.answers_given import answer_of
from tests.support.knowledge_builders import KB
from tests.support.nats_server import NatsServer, nats_server
from tests.support.replica_site import SITE, bus, bus_to
from tests.support.site import CAUSEWAY, environment

__all__ = ["bus", "nats_server"]
pytestmark = pytest.mark.timeout(120)
END_S = 30.0
LOCAL = "手册提到了年假。"


async def asked(bus: Bus, server: NatsServer, final: Answer, *tokens: str) -> str:
    """What `causeway ask` prints where the site streams a local answer, these tokens and the final one."""
    status = DocumentStatus(
        kb=KB, document_id="leave.md", revision=1, state=State.SEARCHABLE, service="test", at_unix_ms=1
    )
    await bus.publish(subjects.STATUS.at(SITE, KB, "aa"), status, msg_id="status")
    local = answer_of("a1", language="zh", text=LOCAL, sentences=[])

    async def parts(_caller: Caller, _ask: Ask) -> AsyncGenerator[AnswerPart, None]:
        yield AnswerPart(kind=PartKind.INSTANT, index=0, answer=local)
        for number, token in enumerate(tokens, start=1):
            yield AnswerPart(kind=PartKind.TOKEN, index=number, text=token)
        yield AnswerPart(kind=PartKind.FINAL, index=len(tokens) + 1, answer=final)

    endpoint = Endpoint(
        name="ask",
        subject=subjects.ASK.at(SITE),
        handler=parts,
        request_type=Ask,
        is_last=lambda part: part.kind is PartKind.FINAL,
    )
    async with bus_to(server, "edge-inference") as own:
        serving = own.serve("edge-inference", "0.1.0", "stand-in", [endpoint])
        await asyncio.wait_for(serving.ready.wait(), END_S)
        command = (CAUSEWAY, "ask", "年假有几天？", "--kb", KB, "--url", server.url, "--site", SITE)
        process = await asyncio.create_subprocess_exec(
            *command, env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), END_S)
        assert process.returncode == 0, err.decode()
    return out.decode()


async def test_a_fragment_of_the_clouds_is_a_draft_and_the_answer_that_is_given_comes_after_it(
    bus: Bus, nats_server: NatsServer
) -> None:
    final = answer_of(
        "a1",
        language="zh",
        text=LOCAL,
        sentences=[],
        route=Route.FALLBACK,
        decision="cloud_stalled",
        reason="中心在回答中途停住",
        calibrated=False,
        promise=0.0,
    )
    shown = (await asked(bus, nats_server, final, "每位员工有", "九十")).splitlines()
    assert shown[:6] == [
        f"即时回答 {LOCAL}",
        "草稿（尚未核对）：",
        "每位员工有九十",
        "回答：",
        LOCAL,
        "说明：中心在回答中途停住",
    ]
    assert any(line.startswith("路径 fallback：已询问中心，但未得到可用的回答 · 置信度") for line in shown)
    assert any("（未校准）" in line for line in shown)


async def test_an_answer_of_the_clouds_is_printed_with_the_marks_that_its_sources_have(
    bus: Bus, nats_server: NatsServer
) -> None:
    final = answer_of("a1", language="zh", text="每位员工有十二天年假[1]。", sentences=[], route=Route.CLOUD)
    shown = (await asked(bus, nats_server, final, "每位员工有十二天", "年假[3]。另见[7]。")).splitlines()
    assert shown[1:5] == [
        "草稿（尚未核对）：",
        "每位员工有十二天年假[3]。另见[7]。",
        "回答：",
        "每位员工有十二天年假[1]。",
    ]
