"""Asks the hub, from time to time, whether what answers and cached answers cite of other places still stands.

Made as `ForeignWatching(link, site, invalidating, cache, carried, metrics, ...)` before the bus starts, and entered
(`async with`) after it.

Once in effect: what comes back in doubt goes to `Invalidating.hear`, the cache first, then the askers. Nothing is kept
on any disk: a look that fails, a crash or a week without a link only means that the same is asked later, because all
that is asked about follows from ANSWERS, CACHE and INVALIDATIONS. Each replica looks for itself. No ask waits for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Set
from contextlib import suppress
from types import TracebackType
from typing import Self

from causeway.bus import Bus, BusError, NoResponders, NotConnected, ProblemReply, RequestTimeout
from causeway.edge_inference.aftermath_metrics import AftermathMetrics
from causeway.edge_inference.answer_cache import AnswerCache
from causeway.edge_inference.answer_index import DocumentName
from causeway.edge_inference.foreign_citations import Cited, HubPosition, Vouched, merged, requests
from causeway.edge_inference.invalidating import Invalidating
from causeway.proto import UndecodableError, subjects
from causeway.proto.cloud import CHUNKS_ASKED_MAX, CitationsAsked, CitationsStanding

EVERY_S = 30.0
# A hub that is not there is looked for so often: without a link nothing of that leaves the site.
AWAY_EVERY_S = 2.0
REQUEST_TIMEOUT_S = 10.0
LINK_WAIT_S, LINK_POLL_S = 5.0, 0.05
DOCUMENTS_MAX = 2_000
CARRIED_MAX = 100_000
_log = logging.getLogger(__name__)
Carried = Callable[[Collection[DocumentName]], Awaitable[set[DocumentName]]]


class ForeignWatching:
    """One look at a time. `carried` says which documents this site's log carries, so that they are followed by that."""

    def __init__(
        self,
        link: Bus,
        site: str,
        invalidating: Invalidating,
        cache: AnswerCache,
        carried: Carried,
        metrics: AftermathMetrics,
        *,
        every_s: float = EVERY_S,
        documents_max: int = DOCUMENTS_MAX,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        self._link = link
        self._subject = subjects.CLOUD_STANDING.at(site)
        self._invalidating = invalidating
        self._cache = cache
        self._carried = carried
        self._metrics = metrics
        self._every_s = every_s
        self._documents_max = documents_max
        self._timeout_s = timeout_s
        self._here: set[DocumentName] = set()
        self._vouched = Vouched()
        self._position: HubPosition | None = None
        self._away = False
        self._begun = False
        self._reason = ""
        self._looking: asyncio.Task[None] | None = None
        cache.withheld = self.withheld

    async def __aenter__(self) -> Self:
        self._looking = asyncio.create_task(self._look_on(), name="foreign citations")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def withheld(self, document: DocumentName, chunk_ids: Set[bytes]) -> bool:
        """Whether what cites these chunks of a document of another place is not to be given from the cache: the hub has
        not been asked about what there was at the start, or it does not hold them. Never while the hub is away."""
        if self._away or document in self._here:
            return False
        if not self._begun and document not in self._vouched.stood:
            return True
        return not self._vouched.failed.get(document, frozenset()).isdisjoint(chunk_ids)

    async def _look_on(self) -> None:
        await self._cache.follower.caught_up.wait()
        await self._invalidating.follower.caught_up.wait()
        await self._until_linked()
        outcome = ""
        while True:
            outcome, before = await self._outcome(), outcome
            if outcome != before:
                _log.info("citations of other places", extra={"outcome": outcome, "reason": self._reason})
            self._metrics.foreign_rounds.labels(outcome=outcome).inc()
            await asyncio.sleep(min(self._every_s, AWAY_EVERY_S) if self._away else self._every_s)

    async def _until_linked(self) -> None:
        """A link that is still being connected is not away: until it is there the hub has not been asked."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINK_WAIT_S):
                while not self._link.connected:  # noqa: ASYNC110  # A bus has no event for it.
                    await asyncio.sleep(LINK_POLL_S)

    async def _outcome(self) -> str:
        self._reason = ""
        try:
            outcome = await self._look()
        except (NoResponders, RequestTimeout, NotConnected) as error:
            # Where it was this site's own server that is away, so is its end of the link.
            self._away = True
            return self._failed("away", error)
        except ProblemReply as error:
            self._away = False
            return self._failed("refused", error)
        except (BusError, TimeoutError, UndecodableError) as error:
            return self._failed("failed", error)
        except Exception:  # noqa: BLE001  # The outermost loop of what nobody waits for.
            _log.exception("what is cited of other places was not looked at")
            return "failed"
        self._away = False
        return outcome

    def _failed(self, outcome: str, error: Exception) -> str:
        self._reason = str(error)
        return outcome

    async def _look(self) -> str:
        cited = await self._cited()
        self._vouched.forget_but(cited)
        self._metrics.foreign_cited.set(len(cited))
        if not cited:
            self._begun = True
            return "nothing"
        if self._position is not None:
            # A few bytes that tell whether anything can have changed.
            self._position = _position(await self._ask(CitationsAsked(kb=next(iter(cited)).kb)))
        due = self._vouched.due(cited, self._position, self._documents_max)
        left = len(self._vouched.due(cited, self._position, len(cited))) - len(due)
        self._metrics.foreign_left.set(left)
        for asked in requests(cited, due):
            await self._hear(asked, await self._ask(asked))
        self._metrics.foreign_chunks_left.inc(sum(max(0, len(cited[one]) - CHUNKS_ASKED_MAX) for one in due))
        self._begun = self._begun or not left
        return "asked" if due else "unmoved"

    async def _cited(self) -> Cited:
        if len(self._here) > CARRIED_MAX:
            self._here.clear()
        by_answers = await self._invalidating.cited_elsewhere(self._here)
        cited = merged(by_answers, await self._cache.cited_elsewhere(self._here))
        self._here |= await self._carried(cited.keys()) if cited else set()
        return {document: chunks for document, chunks in cited.items() if document not in self._here}

    async def _ask(self, asked: CitationsAsked) -> CitationsStanding:
        if not self._link.connected:
            raise NotConnected("the link")
        return await self._link.request(self._subject, asked, CitationsStanding, self._timeout_s)

    async def _hear(self, asked: CitationsAsked, said: CitationsStanding) -> None:
        self._metrics.foreign_asked.inc(len(asked.documents))
        unknown = sum(not one.revision for one in said.documents)
        self._metrics.foreign_doubted.labels(standing="unknown").inc(unknown)
        self._metrics.foreign_doubted.labels(standing="changed").inc(len(said.documents) - unknown)
        for changed in self._vouched.hear(asked, said):
            await self._invalidating.hear(changed)
        self._position = _position(said)


def _position(said: CitationsStanding) -> HubPosition:
    return HubPosition(hub_seq=said.hub_seq, log_created=said.log_created)
