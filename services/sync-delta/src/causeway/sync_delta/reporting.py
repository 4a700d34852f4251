"""A site tells the hub how it is and hears how far the hub has come; the hub keeps what its sites said last.

At most once: a report that is lost is followed by the next one.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from causeway.bus import Bus, BusError, Caller, ProblemReply
from causeway.proto import subjects
from causeway.proto.answers import Problem
from causeway.proto.link import HubReport, SiteReport
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.peers import Peers

_log = logging.getLogger(__name__)
AT_ONCE_S = 0.1
"""Progress is reported no more often than this, so that the window opens again soon."""
LOST_S = 0.5
"""How soon a hub that did not answer is asked again: without a link nothing of that leaves the site."""


@dataclass(kw_only=True)
class SiteReporting:
    """The site's loop. `taken` is told what the hub has applied."""

    site: str
    link: Bus
    peers: Peers
    every_s: float
    metrics: Metrics
    report: Callable[[], Awaitable[SiteReport]]
    taken: Callable[[HubReport], Awaitable[bool]]
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, stop: asyncio.Event) -> None:
        """Report every `every_s`, and as fast as the hub makes progress while it does."""
        pause_s = self.every_s
        while not stop.is_set():
            self.wake.clear()
            news = await self.step()
            # A hub that makes progress may pause for a batch: it is asked less and less often.
            pause_s = AT_ONCE_S if news else min(2 * pause_s, self.every_s)
            if self.peers.answers_for_s(subjects.HUB, time.monotonic()) < 0:
                pause_s = LOST_S
            await asyncio.sleep(AT_ONCE_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), max(0.0, pause_s - AT_ONCE_S))

    async def step(self) -> bool:
        """One report. Returns whether the hub has applied more than it had."""
        try:
            report = await self.report()
            subject = subjects.SYNC_REPORT.at(self.site)
            reply = await self.link.request(subject, report, HubReport, max(self.every_s, 1.0))
        except (BusError, TimeoutError) as error:
            if self.peers.answers_for_s(subjects.HUB, time.monotonic()) >= 0:
                _log.info("the hub does not answer", extra={"reason": str(error)})
            self.peers.lost(subjects.HUB)
            self.metrics.connected.labels(subjects.HUB).set(0)
            return False
        if self.peers.answers_for_s(subjects.HUB, time.monotonic()) < 0:
            _log.info("the hub answers")
        self.peers.heard(subjects.HUB, time.monotonic(), outbox_seq=reply.outbox_seq)
        self.metrics.connected.labels(subjects.HUB).set(1)
        return await self.taken(reply)


@dataclass(kw_only=True)
class HubReporting:
    """The hub's endpoint."""

    peers: Peers
    metrics: Metrics
    reply: Callable[[str, int], Awaitable[HubReport]]

    async def report(self, caller: Caller, report: SiteReport) -> HubReport:
        """Take a report. The subject says whose it is: an account can use no other.

        Raises:
            ProblemReply: the report is another site's.
        """
        site = caller.subject.split(".")[1]
        if report.site != site:
            raise ProblemReply(
                Problem(code="bad_request", message=f"a report of {report.site} on the subject of {site}")
            )
        self.peers.heard(site, time.monotonic(), report, report.outbox_seq)
        self.metrics.connected.labels(site).set(1)
        return await self.reply(site, report.closed_seq)
