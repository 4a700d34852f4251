"""How sync stands at this place, for an operator and for metrics: lag, what waits, siblings, the epoch."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from causeway.bus import Caller, source_states
from causeway.merge import sibling_name
from causeway.proto import streams, subjects
from causeway.proto.link import LinkStatus, LinkStatusAsked, PeerStatus
from causeway.sync_delta import window
from causeway.sync_delta.kick import sources_at
from causeway.sync_delta.outbox_tables import Flight
from causeway.sync_delta.peers import Peer
from causeway.sync_delta.state import Tables

if TYPE_CHECKING:
    from causeway.sync_delta.service import SyncDelta

SIBLINGS_MAX = 1_000


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What waits and what stays."""

    queued: int
    withheld: int
    siblings: int


class LinkReport:
    """Reads what the parts of the service know; changes nothing."""

    def __init__(self, sync: "SyncDelta") -> None:
        self._sync = sync

    @staticmethod
    def counts(tables: Tables) -> Counts:
        """Of the state as it is."""
        return Counts(
            queued=sum(tables.outbox.queued_counts().values()),
            withheld=tables.outbox.withheld_count(),
            siblings=tables.versions.sibling_count(),
        )

    async def answer(self, _: Caller, __: LinkStatusAsked) -> LinkStatus:
        """The status of now."""
        sync = self._sync
        siblings = await sync.state.read(lambda tables: tables.versions.siblings(SIBLINGS_MAX))
        own_seq = await sync.link.last_seq(streams.outbox(sync.place).name)
        return LinkStatus(
            place=sync.place,
            role="hub" if sync.at_hub else "site",
            epoch={sync.place: own_seq, **sync.incoming.applied_seqs},
            peers=await self._peers(own_seq),
            siblings=[f"{shadow.kb}/{sibling_name(shadow.document_id, origin)}" for origin, shadow in siblings],
            artifacts=sync.seams.artifacts(),
        )

    async def measure(self) -> None:
        """Set the gauges."""
        sync, metrics = self._sync, self._sync.metrics
        counts = await sync.state.read(lambda tables: tables.outbox.queued_counts())
        for class_ in window.Class:
            metrics.queued.labels(class_.name.lower()).set(counts.get(class_, 0))
        metrics.withheld.set((await sync.state.read(self.counts)).withheld)
        metrics.waiting.set(await sync.state.read(lambda tables: tables.inbox.waiting_count()))
        metrics.in_flight_bytes.set((await sync.state.read(lambda tables: sync.flow.flight(tables.outbox))).bytes)
        metrics.window_bytes.set(sync.flow.window_bytes)
        metrics.link_bytes_per_s.set(sync.flow.rate.bytes_per_s)
        for name in sync.peers.known:
            metrics.connected.labels(name).set(self._connected(name))
        for peer in await self._peers(0):
            metrics.lag_messages.labels(peer.origin, peer.replica).set(peer.lag_messages)

    def _connected(self, name: str) -> bool:
        return self._sync.peers.answers_for_s(name, time.monotonic()) >= 0

    async def _peers(self, own_seq: int) -> list[PeerStatus]:
        sync = self._sync
        states = await source_states(sync.link, streams.INBOX.name)
        known = sources_at(sync.place, (state.api_prefix for state in states))
        names = {subjects.HUB} if not sync.at_hub else {name for name, _ in known.values()} | sync.peers.known.keys()
        lags = dict.fromkeys(names, 0)
        for state in states:
            if state.api_prefix in known:
                lags[known[state.api_prefix][0]] += state.lag
        rows: list[PeerStatus] = []
        for name in sorted(names):
            peer = sync.peers.known.get(name, Peer())
            rows += [await self._outward(name, peer, own_seq), self._inward(name, peer, lags[name])]
        return rows

    async def _outward(self, name: str, peer: Peer, own_seq: int) -> PeerStatus:
        """What this place shares and the peer has not applied. A site takes only some kbs of the hub, so that the hub
        knows of its sites no lag but in sequences."""
        sync = self._sync
        counts = await sync.state.read(LinkReport.counts)
        applied = sync.flow.applied_seq
        flight = Flight(messages=0, bytes=0, since_ms=0)
        if sync.at_hub:
            applied = peer.report.inbox_seq if peer.report else 0
        else:
            flight = await sync.state.read(lambda tables: sync.flow.flight(tables.outbox))
        at_unix_ms, equal = sync.seams.verified()
        return PeerStatus(
            origin=sync.place,
            replica=name,
            connected=self._connected(name),
            outbox_seq=own_seq,
            applied_seq=applied,
            lag_messages=flight.messages,
            lag_bytes=flight.bytes,
            lag_s=max(0.0, time.time() - flight.since_ms / 1000) if flight.messages else 0.0,
            queued=counts.queued,
            withheld=counts.withheld,
            verified_unix_ms=at_unix_ms,
            verified_equal=equal,
        )

    def _inward(self, name: str, peer: Peer, lag: int) -> PeerStatus:
        """What the peer shares and this place has not applied: what its server knows of, and what waits in INBOX."""
        sync, report = self._sync, peer.report
        applied = sync.incoming.applied_seqs.get(name, 0)
        return PeerStatus(
            origin=name,
            replica=sync.place,
            connected=self._connected(name),
            outbox_seq=max(peer.outbox_seq, applied),
            applied_seq=applied,
            lag_messages=lag + sync.inbox_following.lag,
            lag_bytes=0,
            lag_s=0.0,
            queued=report.queued if report else 0,
            withheld=report.withheld if report else 0,
            verified_unix_ms=report.verified_unix_ms if report else 0,
            verified_equal=report.verified_equal if report else False,
        )
