"""What the demo of a hub does, step by step, and what it finds; how it is shown is `commands.demo_hub`."""

import asyncio
import time
from dataclasses import dataclass

from causeway.bus import BusError
from causeway.cli.demo_fleet import SITES, DemoFleet
from causeway.cli.errors import UserError
from causeway.cli.sync_text import size_text
from causeway.client import Client
from causeway.proto import encode, subjects
from causeway.proto.answers import Answer
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, DocumentShadowed
from causeway.proto.link import LinkStatus, LinkStatusAsked, Verified, VerifyAsked
from causeway.proto.subjects import HUB

PLANT, BRANCH = SITES
OWN_KB = "reports"
SECRET = "the vault code is MAGENTA-HERON-41"  # noqa: S105  # The text whose absence is shown.
EQUAL_BOUND_S = 120.0
SEARCHABLE_S = 120.0
VERIFY_S = 60.0
POLL_S = 0.2
PARAGRAPHS = 24
EDITS = 10


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """What crossed between two moments."""

    bytes: int
    seconds: float


def handbook(number: int) -> str:
    """A page of the hub's handbook: some paragraphs of its own."""
    topics = ("pump", "valve", "conveyor", "boiler", "crane", "press")
    topic = topics[number % len(topics)]
    return f"# Manual of {topic} {number}\n\n" + "\n\n".join(
        f"Section {part}. The {topic} {number} is inspected every {10 + number + part} days, and its part"
        f" {part * 7 + number} is replaced after {100 * part + number} hours. 设备 {number} 第 {part} 节：定期检查。"
        for part in range(1, PARAGRAPHS + 1)
    )


async def publish(client: Client, kb: str, texts: dict[str, str], residency: Residency = Residency.PUBLIC) -> None:
    """Publish, and wait until all can be found at that place."""
    revisions = {
        name: await client.publish(
            kb, name, text.encode(), filename=f"{name}.md", media_type="text/markdown", residency=residency
        )
        for name, text in texts.items()
    }
    statuses = await client.wait_searchable(kb, revisions, SEARCHABLE_S)
    failed = [status for status in statuses.values() if status.reason and status.state.value == "failed"]
    if failed:
        raise UserError(f"the demo's document {failed[0].document_id} failed", failed[0].reason)


async def until_equal(fleet: DemoFleet) -> tuple[dict[str, Verified], Crossed]:
    """Compare both sites with the hub until they are equal; what crossed meanwhile, and how long it took."""
    began, before = time.monotonic(), fleet.crossed_bytes
    found: dict[str, Verified] = {}
    arrived = dict.fromkeys(SITES, False)
    while time.monotonic() < began + EQUAL_BOUND_S:
        for site in SITES:
            try:
                found[site] = await fleet.clients[site].bus.request(
                    subjects.LINK_VERIFY.at(site), VerifyAsked(), Verified, VERIFY_S
                )
                arrived[site] = await _arrived(fleet.clients[site], site)
            except BusError:
                continue
        if (
            all(arrived.values())
            and len(found) == len(SITES)
            and all(each.equal and not each.unsettled for each in found.values())
        ):
            break
        await asyncio.sleep(POLL_S)
    return found, Crossed(bytes=fleet.crossed_bytes - before, seconds=time.monotonic() - began)


async def _arrived(client: Client, site: str) -> bool:
    """Whether all that the hub shares with a site has come into its log."""
    status = await client.bus.request(subjects.LINK_STATUS.at(site), LinkStatusAsked(), LinkStatus, VERIFY_S)
    return bool(status.peers) and all(peer.connected and not peer.lag_messages for peer in status.peers)


async def until_answered(client: Client, kb: str, question: str, contains: str) -> Answer:
    """Ask until the place itself answers with it, or the time is over; the last answer."""
    deadline = time.monotonic() + EQUAL_BOUND_S
    while True:
        answer = await client.ask(kb, question, cloud=False, cache=False, timeout_s=30)
        if contains in answer.text or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(POLL_S)


async def siblings(client: Client) -> list[str]:
    """Versions that gave way at a place to one that was written at the same time."""
    found = []
    async for delivery in client.bus.scan(subjects.KNOWLEDGE_SHADOW.stream, [subjects.KNOWLEDGE_SHADOW.at("*")]):
        shadow = delivery.message
        if isinstance(shadow, DocumentShadowed) and shadow.revision and shadow.concurrent:
            origin = delivery.subject.split(".")[1]
            found.append(f"{shadow.kb}/{shadow.document_id}~{origin} (the one from {shadow.winner} stands)")
    return found


@dataclass(frozen=True, kw_only=True)
class Search:
    """Where the secret was looked for, and in how many records it was found."""

    records: int
    found: int


async def secret_at_hub(fleet: DemoFleet) -> Search:
    """Look through everything that the hub's log holds."""
    records = found = 0
    filters = [subjects.KNOWLEDGE_CHUNK.at("*"), subjects.KNOWLEDGE_DOCUMENT.at("*")]
    async for delivery in fleet.clients[HUB].bus.scan(subjects.KNOWLEDGE_CHUNK.stream, filters):
        records += 1
        message = delivery.message
        if isinstance(message, ChunkEmbedded):
            found += SECRET in message.text
        elif isinstance(message, DocumentRevised):
            found += message.manifest.document_id == "safe"
    return Search(records=records, found=found)


async def full_copy_bytes(fleet: DemoFleet) -> int:
    """What all that is in the logs of sites and hub would take as it stands there: chunks, vectors, manifests."""
    total = 0
    for place, client in fleet.clients.items():
        filters = [subjects.KNOWLEDGE_CHUNK.at(place), subjects.KNOWLEDGE_DOCUMENT.at(place)]
        copies = len(SITES) if place == HUB else 1
        async for delivery in client.bus.scan(subjects.KNOWLEDGE_CHUNK.stream, filters):
            total += copies * len(encode(delivery.message))
    return total


def crossed_text(crossed: Crossed, full: int) -> str:
    """In bytes, and as a share of a full copy."""
    return f"{size_text(crossed.bytes)} on the wire, {crossed.bytes / full:.1%} of a full copy ({size_text(full)})"
