"""When a source of INBOX is stuck although the other side answers, and making it resume. The rule is pure."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from causeway.bus import Bus, kick_source, source_states
from causeway.proto import streams, subjects
from causeway.proto.streams import Source
from causeway.sync_delta.metrics import Metrics
from causeway.topology.sources import hub_source, site_sources

INBOX = streams.INBOX.name
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`silence_s` is two heartbeats of a healthy source or more; none is kicked more often than `every_s`."""

    silence_s: float
    every_s: float = 10.0


HUB_LIMITS = Limits(silence_s=2.0)
"""Sources that the hub makes hear a heartbeat a second."""
SITE_LIMITS = Limits(silence_s=3.0)
"""Feeds send one every second too; a feed also lives through the reconnection that makes a source new."""


def stuck(heard_s: float, spoke_s: float, since_kick_s: float, limits: Limits) -> bool:
    """Whether to kick: the peer spoke `spoke_s` ago (below 0: it is away), and the source, which was last heard
    `heard_s` ago (below 0: never), was silent for `silence_s` before that. The last kick was `since_kick_s` ago.

    A source that is as silent as its peer is not stuck: there is no link, and a kick would be lost with it.
    """
    silent = heard_s < 0 or heard_s - spoke_s > limits.silence_s
    return spoke_s >= 0 and silent and since_kick_s >= limits.every_s


@dataclass(kw_only=True)
class Kicking:
    """Looks at the sources of INBOX. `spoke_s` says how long ago a peer spoke, below 0 if it is away.

    With `always_first` each source is kicked once, as soon as its peer answers.
    """

    bus: Bus
    place: str
    limits: Limits
    metrics: Metrics
    spoke_s: Callable[[str], float]
    monotonic_s: Callable[[], float]
    always_first: bool = False
    kicked_s: dict[str, float] = field(default_factory=dict)

    async def look(self) -> int:
        """Kick what is stuck. Returns how many sources were."""
        states = await source_states(self.bus, INBOX)
        kicked = 0
        known = sources_at(self.place, (state.api_prefix for state in states))
        for state in states:
            peer, source = known.get(state.api_prefix, ("", None))
            since_s = self.monotonic_s() - self.kicked_s.get(state.api_prefix, float("-inf"))
            # A feed may think that this disk has more than it has, if it was restored from a copy.
            heard_s = -1.0 if self.always_first and state.api_prefix not in self.kicked_s else state.heard_s
            if source is None or not stuck(heard_s, self.spoke_s(peer), since_s, self.limits):
                continue
            self.kicked_s[state.api_prefix] = self.monotonic_s()
            await kick_source(self.bus, INBOX, source)
            self.metrics.kicks.labels(source.consumer or source.stream).inc()
            _log.info("a source was stuck and is kicked", extra={"peer": peer, "heard_s": round(state.heard_s, 1)})
            kicked += 1
        return kicked


def sources_at(place: str, api_prefixes: Iterable[str]) -> dict[str, tuple[str, Source]]:
    """Peer and source by the prefix of its API, which names the site and, for a feed, the kb."""
    found: dict[str, tuple[str, Source]] = {}
    for prefix in api_prefixes:
        tokens = prefix.split(".")
        if place == subjects.HUB:
            found[prefix] = (tokens[1], hub_source(tokens[1]))
            continue
        # _HUB.<site>.kb.<kb>.API, or _HUB.<site>.artifact.API.
        kbs = [tokens[3]] if len(tokens) > 4 else []
        found |= {source.api_prefix: (subjects.HUB, source) for source in site_sources(place, kbs)}
    return found
