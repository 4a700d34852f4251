"""The command as it is shipped, in both roles: killed with SIGKILL between any two instructions, and stopped."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causeway.bus import NoResponders
from causeway.proto import streams, subjects
from causeway.proto.link import LinkStatus, LinkStatusAsked
from tests.support.linked_servers import PASSWORD, LinkedServers, linked
from tests.support.sync_delta_places import key_of, writer
from tests.support.waiting import until_async

ROUNDS = 4


def environment(fleet: LinkedServers, place: str, folder: Path) -> dict[str, str]:
    for name, text in (("app", PASSWORD), ("link", f"{PASSWORD}Link"), ("key", key_of(place).hex())):
        (folder / f"{place}.{name}").write_text(text)
    own = {
        "CAUSEWAY_SITE": place,
        "CAUSEWAY_NATS_URL": fleet.url(place),
        "CAUSEWAY_NATS_USER": "causeway",
        "CAUSEWAY_NATS_PASSWORD_FILE": str(folder / f"{place}.app"),
        "CAUSEWAY_DRAIN_TIMEOUT_S": "5",
        "SYNC_DELTA_ROLE": "hub" if place == subjects.HUB else "site",
        "SYNC_DELTA_STATE_DIR": str(folder / f"sync-delta-{place}"),
        "SYNC_DELTA_CHUNK_KEY_FILE": str(folder / f"{place}.key"),
        "SYNC_DELTA_LINK_PASSWORD_FILE": str(folder / f"{place}.link"),
        "SYNC_DELTA_REPORT_EVERY_S": "0.3",
        "SYNC_DELTA_VERIFY_EVERY_S": "0",
        "SYNC_DELTA_METRICS_PORT": "-1",
    }
    return os.environ | own


class Process:
    """One sync-delta."""

    def __init__(self, place: str, environment: dict[str, str], folder: Path) -> None:
        self._place, self._environment, self._log = place, environment, folder / f"{place}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [str(Path(sys.executable).parent / "sync-delta")]
            self._process = subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)

    def end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(20)


@contextmanager
def processes(fleet: LinkedServers, folder: Path) -> Iterator[dict[str, Process]]:
    made = {place: Process(place, environment(fleet, place, folder), folder) for place in ("hub", "a")}
    try:
        for each in made.values():
            each.start()
        yield made
    finally:
        for each in made.values():
            each.end(signal.SIGKILL)


async def test_both_roles_are_killed_again_and_again_and_everything_arrives_once(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        writer(fleet, "hub") as hub,
        writer(fleet, "a") as site,
    ):
        with processes(fleet, tmp_path) as running:
            await hub.until_revision("a", "warm", await site.write("warm", ["up"]), bound_s=60)
            for turn in range(1, ROUNDS + 1):
                for number in range(25):
                    await site.write(f"d{number}", [f"d{number} stays", f"d{number} in turn {turn}"], revision=turn)
                victim = running["hub" if turn % 2 else "a"]
                await asyncio.to_thread(victim.end, signal.SIGKILL)
                victim.start()
            for number in range(25):
                await hub.until_revision("a", f"d{number}", ROUNDS, bound_s=60)
                assert await hub.texts("a", f"d{number}") == [f"d{number} stays", f"d{number} in turn {ROUNDS}"]

            async def caught_up() -> bool:
                try:
                    status = await site.app.request(subjects.LINK_STATUS.at("a"), LinkStatusAsked(), LinkStatus, 10)
                except NoResponders:
                    return False
                assert (status.place, status.role) == ("a", "site")
                (out,) = [peer for peer in status.peers if peer.origin == "a"]
                return out.connected and out.applied_seq == out.outbox_seq and not out.lag_messages and not out.queued

            await until_async(caught_up)
            chunks = [each async for each in site.link.scan(streams.outbox("a").name, [subjects.OUTBOX_CHUNK.at("a")])]
            assert len(chunks) == 2 * 25 + 1
            assert await asyncio.to_thread(running["a"].end, signal.SIGTERM) == 0
            running["a"].start()
