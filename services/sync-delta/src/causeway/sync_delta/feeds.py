"""A site's feeds: does it have all that the hub shares of its kbs, and where not, the feed begins again further back.

A feed counts as taken what it sent into a link that was dying, so that a cut can lose messages of it without a trace in
any sequence. What is taken twice is known and not applied twice.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from causeway.bus import Bus, kick_source, source_states
from causeway.proto import streams, subjects
from causeway.proto.link import HubReport
from causeway.sync_delta.fingerprints import Agreement, Patience, observed, rewind
from causeway.sync_delta.kick import sources_at
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.state import State

INBOX = streams.INBOX.name
_KB = "kb"
_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Feeds:
    """Compares after each report. `quiet` says that nothing of INBOX waits to be applied; `whole` is told of each kb
    that is here as the hub shares it, and up to which sequence of the hub's outbox."""

    site: str
    link: Bus
    state: State
    metrics: Metrics
    quiet: Callable[[], bool]
    whole: Callable[[str, int], None]
    patience: Patience = field(default_factory=Patience)
    monotonic_s: Callable[[], float] = time.monotonic
    known: dict[str, Agreement] = field(default_factory=dict)

    async def compare(self, report: HubReport) -> None:
        """Set back the feed of each kb that has differed for too long."""
        states = await source_states(self.link, INBOX)
        for prefix, (_, source) in sources_at(self.site, (each.api_prefix for each in states)).items():
            tokens = prefix.split(".")
            if tokens[2] != _KB:
                continue
            kb = tokens[3]
            lag = sum(each.lag for each in states if each.api_prefix == prefix)
            await self._compare_kb(kb, report, quiet=self.quiet() and not lag)
            after_seq = rewind(self.known[kb], self.monotonic_s(), self.patience)
            if after_seq is None:
                continue
            state = self.known[kb]
            self.known[kb] = replace(state, rewound_s=self.monotonic_s(), rewinds=state.rewinds + 1)
            _log.warning(
                "documents of the hub are missing here: its feed is set back", extra={"kb": kb, "to": after_seq}
            )
            self.metrics.rewinds.labels(kb).inc()
            await kick_source(self.link, INBOX, source, after_seq)

    async def _compare_kb(self, kb: str, report: HubReport, *, quiet: bool) -> None:
        mark = f"equal:{kb}"
        before = self.known.get(kb)
        if before is None:
            seq = await self.state.read(lambda tables: tables.marks.get(mark, int))
            before = Agreement(equal_seq=seq or 0)
        mine = await self.state.read(lambda tables: tables.inbox.fingerprint(subjects.HUB, kb))
        theirs = report.shared.get(kb, b"")
        after = observed(before, theirs, mine, report.outbox_seq, self.monotonic_s(), quiet)
        if after.equal_seq != before.equal_seq:
            await self.state.write(lambda tables: tables.marks.put(mark, after.equal_seq))
        self.known[kb] = after
        if mine == theirs:
            self.whole(kb, report.outbox_seq)
