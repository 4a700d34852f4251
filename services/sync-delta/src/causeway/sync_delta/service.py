"""sync-delta of one place, whole: followers, loops and endpoints over the buses that it is given."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from causeway.bus import Bus, Endpoint, Following
from causeway.proto import streams, subjects
from causeway.proto.link import HubReport, LinkStatusAsked, SiteReport
from causeway.sync_delta import outgoing, tombstones, window
from causeway.sync_delta.applying import Applying
from causeway.sync_delta.feeds import Feeds
from causeway.sync_delta.flow import Flow
from causeway.sync_delta.incoming import Incoming
from causeway.sync_delta.kick import HUB_LIMITS, SITE_LIMITS, Kicking
from causeway.sync_delta.link_status import LinkReport
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.outgoing import Outgoing
from causeway.sync_delta.peers import Peers
from causeway.sync_delta.rebuilding import rebuild
from causeway.sync_delta.reporting import HubReporting, SiteReporting
from causeway.sync_delta.sending import Batch, Sending
from causeway.sync_delta.shadowing import Shadowing
from causeway.sync_delta.state import State
from causeway.sync_delta.upkeep import OutboxUpkeep

SERVICE = "sync-delta"
VERSION = "1.0.0"
REPORTS_MISSED = 2.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every bound of the service, with its unit."""

    policy: window.Policy = field(default_factory=window.Policy)
    batch: Batch = field(default_factory=Batch)
    expiry: tombstones.Limits = field(default_factory=tombstones.Limits)
    batch_messages_max: int = 500
    report_every_s: float = 2.0
    upkeep_every_s: float = 5.0


def _nothing() -> dict[str, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Seams:
    """What others add: endpoints of comparison and artifacts, what a site says of them."""

    endpoints: Sequence[Endpoint] = ()
    artifacts: Callable[[], dict[str, str]] = _nothing
    verified: Callable[[], tuple[int, bool]] = lambda: (0, False)


class SyncDelta:
    """`app` is the bus of the place's own account, `link` that of LINK; at the hub they are one."""

    def __init__(
        self, place: str, app: Bus, link: Bus, state: State, chunk_key: bytes, limits: Limits, metrics: Metrics
    ) -> None:
        self.place = place
        self.at_hub = place == subjects.HUB
        self.app, self.link, self.state, self.metrics = app, link, state, metrics
        self.seams = Seams()
        self._key, self._limits = chunk_key, limits
        self._followings: list[Following] = []
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.peers = Peers(silence_s=limits.report_every_s * REPORTS_MISSED)
        self.flow = Flow(policy=limits.policy, bounded=not self.at_hub)
        self.shadowing = Shadowing(place=place, state=state, log=app, metrics=metrics)
        self.sending = Sending(
            place=place,
            state=state,
            knowledge=app,
            outbox=link,
            flow=self.flow,
            batch=limits.batch,
            metrics=metrics,
        )
        self.outgoing = Outgoing(place, chunk_key, state, limits.policy, metrics, self._decided)
        self.applying = Applying(state=state, knowledge=app, inbox=link, metrics=metrics)
        self.incoming = Incoming(
            place=place,
            state=state,
            knowledge=app,
            inbox=link,
            graveyard=app.dead_letters,
            applying=self.applying,
            metrics=metrics,
            progressed=self._progressed,
        )
        self.upkeep = OutboxUpkeep(
            place=place,
            state=state,
            outbox=link,
            limits=limits.expiry,
            metrics=metrics,
            applied_seqs=self._applied_seqs,
        )
        self.kicking = Kicking(
            bus=link,
            place=place,
            limits=HUB_LIMITS if self.at_hub else SITE_LIMITS,
            metrics=metrics,
            spoke_s=lambda peer: self.peers.spoke_s(peer, time.monotonic()),
            monotonic_s=time.monotonic,
            always_first=not self.at_hub,
        )
        self._fingerprints_seq, self._shared = -1, dict[str, bytes]()
        self.feeds = Feeds(
            site=place, link=link, state=state, metrics=metrics, quiet=self._inbox_is_applied, whole=self._hub_closed
        )
        self.status = LinkReport(self)
        self.reporting = SiteReporting(
            site=place,
            link=link,
            peers=self.peers,
            every_s=limits.report_every_s,
            metrics=metrics,
            report=self._site_report,
            taken=self._hub_applied,
        )

    async def start(self) -> None:
        """Fill a lost state, then follow, send and answer. The buses are connected."""
        await self.link.await_stream(streams.outbox(self.place).name)
        await rebuild(self.state, self.link, self.place, self._key, time.time_ns() // 1_000_000)
        self._follow()
        self._serve()
        loops: list[Callable[[asyncio.Event], Awaitable[None]]] = [
            self.sending.until,
            self.shadowing.until,
            self._keep_up,
        ]
        if not self.at_hub:
            loops.append(self.reporting.until)
        self._tasks = [asyncio.create_task(_run(loop, self._stop), name=loop.__qualname__) for loop in loops]

    def _follow(self) -> None:
        self.knowledge_following = self.app.follow(
            subjects.KNOWLEDGE_DOCUMENT.stream,
            outgoing.FILTERS,
            self.outgoing.position,
            self.outgoing.handle,
            message_types=subjects.KNOWLEDGE_DOCUMENT.carries,
            batch_max=self._limits.batch_messages_max,
            on_reset=self.outgoing.reset,
        )
        self.inbox_following = self.link.follow(
            streams.INBOX.name,
            ["site.*.outbox.>"],
            self.incoming.position,
            self.incoming.handle,
            message_types=(*subjects.OUTBOX_CHUNK.carries, *subjects.OUTBOX_DOCUMENT.carries),
            batch_max=self._limits.batch_messages_max,
            on_undecodable=self.incoming.bury,
        )
        self._followings = [self.knowledge_following, self.inbox_following]
        self.outgoing.followed = lambda: self.knowledge_following.position
        self.incoming.followed = lambda: self.inbox_following.position

    def _serve(self) -> None:
        endpoints = [
            Endpoint(
                name="status",
                subject=subjects.LINK_STATUS.at(self.place),
                handler=self.status.answer,
                request_type=LinkStatusAsked,
            ),
            *self.seams.endpoints,
        ]
        if self.at_hub:
            hub = HubReporting(peers=self.peers, metrics=self.metrics, reply=self._hub_report)
            subject = subjects.SYNC_REPORT.at("*")
            endpoints.append(
                Endpoint(
                    name="report", subject=subject, handler=hub.report, request_type=SiteReport, concurrency_max=64
                )
            )
        role = "hub" if self.at_hub else "site"
        self.serving = self.app.serve(
            SERVICE, VERSION, "Carries what may leave over the link.", endpoints, {"role": role}
        )

    async def stop(self) -> None:
        """End the loops and let the running step finish; the caller stops the buses, then closes the state."""
        self._stop.set()
        for wake in (self.sending.wake, self.shadowing.wake, self.reporting.wake):
            wake.set()
        for following in self._followings:
            await following.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self.app.settings.drain_timeout_s)
            for task in late:
                task.cancel()

    def ready(self) -> str:
        """Why it is not ready, or an empty string."""
        if not self.app.connected or not self.link.connected:
            return "not connected to NATS"
        if not self._tasks:
            return "waiting for the streams"
        return next((following.reason for following in self._followings if following.reason), "")

    async def quiet(self) -> bool:
        """Whether everything decided has been applied on the other side, as far as is known here."""
        begun = await self._begun()
        last_seq = await self.link.last_seq(streams.outbox(self.place).name)
        behind = self.knowledge_following.lag or self.inbox_following.lag
        return not begun and not behind and self.flow.applied_seq >= last_seq

    async def _begun(self) -> bool:
        """Whether a document waits for its turn or is being published."""
        return await self.state.read(lambda tables: bool(tables.outbox.queued_counts() or tables.outbox.intents()))

    def _inbox_is_applied(self) -> bool:
        return not self.inbox_following.lag and not self.incoming.busy.locked()

    def _decided(self) -> None:
        self.sending.wake.set()
        self.shadowing.wake.set()

    def _progressed(self) -> None:
        self.reporting.wake.set()

    def _applied_seqs(self) -> list[int]:
        """Of those who take this outbox. The hub's subscribers differ in what they take, so only age counts there."""
        return [0] if self.at_hub else [self.flow.applied_seq]

    def _hub_closed(self, kb: str, outbox_seq: int) -> None:
        self.incoming.close(subjects.HUB, kb, outbox_seq)

    async def _site_report(self) -> SiteReport:
        at_unix_ms, equal = self.seams.verified()
        # What begins from here on lies beyond it.
        done_seq = self.sending.done_seq
        counts = await self.state.read(self.status.counts)
        return SiteReport(
            site=self.place,
            at_unix_ms=time.time_ns() // 1_000_000,
            outbox_seq=await self.link.last_seq(streams.outbox(self.place).name),
            closed_seq=done_seq if self.flow.applied_seq >= done_seq and not await self._begun() else 0,
            queued=counts.queued,
            withheld=counts.withheld,
            siblings=counts.siblings,
            inbox_seq=self.incoming.applied_seqs.get(subjects.HUB, 0),
            verified_unix_ms=at_unix_ms,
            verified_equal=equal,
            artifacts=self.seams.artifacts(),
        )

    async def _hub_report(self, site: str, closed_seq: int) -> HubReport:
        if closed_seq and self.incoming.applied_seqs.get(site, 0) >= closed_seq:
            for kb in await self.state.read(lambda tables: tables.inbox.kbs(site)):
                self.incoming.close(site, kb, closed_seq)
        counts = await self.state.read(self.status.counts)
        return HubReport(
            at_unix_ms=time.time_ns() // 1_000_000,
            applied_seq=self.incoming.applied_seqs.get(site, 0),
            outbox_seq=await self.link.last_seq(streams.outbox(self.place).name),
            siblings=counts.siblings,
            shared=await self._fingerprints(),
        )

    async def _fingerprints(self) -> dict[str, bytes]:
        """Of what the hub shares, by kb; a hub of many sites works it out once per change."""
        seq = await self.link.last_seq(streams.outbox(self.place).name)
        if seq != self._fingerprints_seq:
            self._shared = await self.state.read(
                lambda tables: {kb: tables.outbox.fingerprint(kb) for kb in tables.outbox.kbs()}
            )
            self._fingerprints_seq = seq
        return self._shared

    async def _hub_applied(self, report: HubReport) -> bool:
        await self.feeds.compare(report)
        now_ms = time.time_ns() // 1_000_000
        news = await self.state.read(lambda tables: self.flow.applied(report.applied_seq, tables.outbox, now_ms))
        if news:
            self.sending.wake.set()
        return news

    async def _keep_up(self, stop: asyncio.Event) -> None:
        """Kick, retry what waits, purge and count, every few seconds; the link is looked at more often."""
        next_s = 0.0
        while not stop.is_set():
            try:
                await self.kicking.look()
                if time.monotonic() >= next_s:
                    next_s = time.monotonic() + self._limits.upkeep_every_s
                    await self._step()
            except Exception as error:  # noqa: BLE001  # The outermost loop of upkeep.
                _log.warning("upkeep waits", extra={"reason": str(error)})
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(1.0, self._limits.upkeep_every_s))

    async def _step(self) -> None:
        await self.incoming.tidy()
        await self.upkeep.expire()
        if self.knowledge_following.caught_up.is_set():
            await self.upkeep.sweep()
        await self.status.measure()


async def _run(loop: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    await loop(stop)
