"""Artifacts over a real server: fetched once, resumed, tried, put in force, taken back."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings, Caller
from causeway.bus.streams import declare
from causeway.proto import subjects
from causeway.proto.link import ArtifactBytes, FetchArtifact
from causeway.proto.outbox import ArtifactKind, ArtifactOffered
from causeway.proto.streams import ALL_HUB_BUCKETS, ALL_SITE, ARTIFACTS, outbox
from causeway.sync_delta.artifact_metrics import ArtifactMetrics
from causeway.sync_delta.artifact_serving import ArtifactServing
from causeway.sync_delta.artifact_store import ArtifactStore
from causeway.sync_delta.artifacts import PIECE_BYTES, Artifacts
from tests.support.nats_server import NatsServer
from tests.support.waiting import until

SITE = "branch-1"


@dataclass(kw_only=True)
class Place:
    """A hub and a site on one server: the link itself is not what these tests are about."""

    hub: Bus
    artifacts: Artifacts
    asked: list[int] = field(default_factory=list)
    spoil: int = 0

    async def offer(
        self, version: str, body: bytes, kind: ArtifactKind = ArtifactKind.FILE, **changes: object
    ) -> ArtifactOffered:
        name = f"{kind.value}/handbook/{version}"
        ref = await self.hub.put_object(ARTIFACTS.name, name, body)
        values: dict[str, object] = {"size_bytes": ref.size_bytes, "sha256": ref.sha256} | changes
        offered = ArtifactOffered(
            kind=kind,
            name="handbook",
            version=version,
            filename="a.json",
            object_name=name,
            **values,  # type: ignore[arg-type]
        )
        subject = subjects.ARTIFACT.at(subjects.HUB, key=f"{kind.value}_handbook")
        await self.hub.publish(subject, offered, msg_id=f"{name}:{values}")
        return offered

    def current(self, kind: ArtifactKind = ArtifactKind.FILE) -> str:
        return self.artifacts.store.current(kind, "handbook")


def is_current(made: Place, version: str) -> bool:
    return made.current() == version


@asynccontextmanager
async def place(server: NatsServer, tmp_path: Path, command: tuple[str, ...] = ()) -> AsyncIterator[Place]:
    def bus(site: str) -> Bus:
        return Bus(
            BusSettings(url=server.url, site=site, service="sync-delta", streams_wait_s=5.0, drain_timeout_s=2.0)
        )

    async with bus(subjects.HUB) as hub, bus(SITE) as link:
        await declare(hub, (*ALL_SITE, outbox(subjects.HUB)), fresh=True, buckets=ALL_HUB_BUCKETS)
        artifacts = Artifacts(
            link=link,
            site=SITE,
            store=ArtifactStore(tmp_path / "artifacts"),
            metrics=ArtifactMetrics(CollectorRegistry()),
            command=command,
            stream=outbox(subjects.HUB).name,
        )
        made = Place(hub=hub, artifacts=artifacts)
        serving = ArtifactServing(bus=hub, folder=tmp_path / "cache")

        async def piece(caller: Caller, asked: FetchArtifact) -> ArtifactBytes:
            made.asked.append(asked.offset)
            answer = await serving.piece(caller, asked)
            if made.spoil:
                made.spoil -= 1
                return ArtifactBytes(offset=answer.offset, total=answer.total, data=bytes(len(answer.data)))
            return answer

        endpoints = [replace(each, handler=piece) if each.name == "artifact" else each for each in serving.endpoints()]
        serving_micro = hub.serve("sync-delta-link", "1.0.0", "pieces", endpoints)
        await asyncio.wait_for(serving_micro.ready.wait(), 10)
        artifacts.start()
        try:
            yield made
        finally:
            await artifacts.stop()


async def test_a_version_is_fetched_in_pieces_and_put_in_force(nats_server: NatsServer, tmp_path: Path) -> None:
    body = os.urandom(2 * PIECE_BYTES + 17)
    async with place(nats_server, tmp_path) as made:
        await made.offer("1", body)
        await until(lambda: made.current() == "1")
        assert (tmp_path / "artifacts/file/handbook/current/a.json").read_bytes() == body
        assert made.asked == [0, PIECE_BYTES, 2 * PIECE_BYTES]


async def test_an_offer_that_was_lost_with_the_link_is_asked_for(nats_server: NatsServer, tmp_path: Path) -> None:
    async with place(nats_server, tmp_path) as made:
        await made.artifacts.stop()
        # Its inbox stays empty: what it hears, it asks for.
        deaf = replace(made.artifacts, stream="DEAD", offers_every_s=0.05)
        deaf.start()
        await made.offer("1", b"{}")
        await until(lambda: made.current() == "1")
        await deaf.stop()


async def test_a_download_goes_on_where_it_stopped(nats_server: NatsServer, tmp_path: Path) -> None:
    body = os.urandom(3 * PIECE_BYTES)
    async with place(nats_server, tmp_path) as made:
        await made.artifacts.stop()
        offered = await made.offer("1", body)
        part = made.artifacts.store.part_of(offered)
        part.parent.mkdir(parents=True)
        part.write_bytes(body[: PIECE_BYTES + 5])
        await made.artifacts.settle(offered)
        assert made.current() == "1"
        assert made.asked == [PIECE_BYTES + 5, 2 * PIECE_BYTES + 5]


async def test_damaged_bytes_are_fetched_again(nats_server: NatsServer, tmp_path: Path) -> None:
    async with place(nats_server, tmp_path) as made:
        made.spoil = 1
        await made.offer("1", b'{"a": 1}')
        await until(lambda: made.current() == "1")
        assert made.asked == [0, 0]


async def test_a_version_that_fails_its_trial_leaves_the_one_before(nats_server: NatsServer, tmp_path: Path) -> None:
    kind = ArtifactKind.CALIBRATION
    async with place(nats_server, tmp_path) as made:
        await made.offer("1", b'{"slope": 1}', kind)
        await until(lambda: made.current(kind) == "1")
        await made.offer("2", b"not json", kind)
        await until(lambda: "calibration/handbook" in made.artifacts.failed)
        assert made.current(kind) == "1"
        await made.offer("3", b'{"slope": 2}', kind)
        await until(lambda: made.current(kind) == "3")
        assert made.artifacts.failed == {}


async def test_the_operators_command_can_take_a_version_back(nats_server: NatsServer, tmp_path: Path) -> None:
    check = (
        "import sys, pathlib; p = pathlib.Path(sys.argv[3], 'a.json').read_text(); sys.exit('bad' if 'bad' in p else 0)"
    )
    async with place(nats_server, tmp_path, (sys.executable, "-c", check)) as made:
        await made.offer("1", b"good")
        await until(lambda: made.current() == "1")
        await made.offer("2", b"bad")
        await until(lambda: bool(made.artifacts.failed))
        assert made.current() == "1"


async def test_a_withdrawn_version_gives_way_to_the_one_before(nats_server: NatsServer, tmp_path: Path) -> None:
    async with place(nats_server, tmp_path) as made:
        for version in ("1", "2"):
            await made.offer(version, version.encode())
            await until(partial(is_current, made, version))
        await made.offer("2", b"2", withdrawn=True)
        await until(lambda: made.current() == "1")


@pytest.mark.parametrize("changes", [{"object_name": "file/none/1"}])
async def test_an_object_that_is_not_on_offer_is_refused(
    nats_server: NatsServer, tmp_path: Path, changes: dict[str, str]
) -> None:
    async with place(nats_server, tmp_path) as made:
        await made.artifacts.stop()
        offered = await made.offer("1", b"{}")
        await made.artifacts.settle(msgspec.structs.replace(offered, **changes))
        assert "on offer" in made.artifacts.failed["file/handbook"]
