"""The endpoints at the hub: asks of every site, their cancellations, how the engine is, how citations stand.

At most once, and never silence: parts, or a typed problem. The site token of the subject says who asks.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from causeway.bus import Caller, Endpoint
from causeway.cloud_inference.answering import Answering, Served
from causeway.cloud_inference.entrance import Entrance
from causeway.cloud_inference.vouching import Vouching
from causeway.proto import subjects
from causeway.proto.answers import DEADLINE_MS_MAX
from causeway.proto.cloud import (
    CitationsAsked,
    CitationsStanding,
    CloudAsk,
    CloudCancel,
    CloudPart,
    CloudPartKind,
    CloudStatus,
    CloudStatusAsked,
)

STATUS_CONCURRENCY_MAX = 16
CANCEL_CONCURRENCY_MAX = 256
# Each reads Milvus for some tenths of a second, and asks search there too; beyond it sites are told to ask again.
STANDING_CONCURRENCY_MAX = 2
# Asks beyond the limit are refused by the entrance, which says why; this only bounds how many are told so at once.
_CONCURRENCY_MORE = 64
_TIMEOUT_MORE_S = 5.0
# What an ask of the usual size has, for the status.
_USUAL_PROMPT_TOKENS = 600


@dataclass(kw_only=True)
class Asks:
    """`engine_name` is what the status calls the engine."""

    answering: Answering
    entrance: Entrance
    served: Served
    vouching: Vouching
    engine_name: str
    adapters: Mapping[str, str] = field(default_factory=dict)

    def ask(self, caller: Caller, ask: CloudAsk) -> AsyncGenerator[CloudPart, None]:
        """The parts of an answer. The ask's time runs from when it was received."""
        # An event loop's clock is the monotonic one.
        return self.answering.parts(site_of(caller), ask, caller.received_monotonic_s)

    async def status(self, _: Caller, __: CloudStatusAsked) -> CloudStatus:
        """How the engine is, by what was last seen."""
        entrance = self.entrance
        reason = entrance.down or ("paused by the operator" if entrance.paused else "")
        return CloudStatus(
            engine=self.engine_name,
            model=self.served.model,
            adapters=dict(self.adapters),
            healthy=not entrance.down,
            reason=reason,
            running=max(entrance.generating, entrance.load.running),
            waiting=entrance.load.waiting,
            kv_cache_used=entrance.load.kv_cache_used,
            first_token_ms=round(entrance.first_token_ms(_USUAL_PROMPT_TOKENS), 2),
            ms_per_token=round(entrance.pace.output_ms, 3),
            refused=dict(entrance.refused),
            timeouts_in_a_row=entrance.timeouts_in_a_row,
        )

    async def cancel(self, caller: Caller, cancel: CloudCancel) -> None:
        """End an ask of the same site, if this replica has it: the engine stops at once."""
        self.entrance.cancel(site_of(caller), cancel.ask_id)

    async def standing(self, _: Caller, asked: CitationsAsked) -> CitationsStanding:
        """How documents stand that a site's answers cite. Any site may ask of any kb, as it may ask questions of it."""
        return await self.vouching.standing(asked)

    def endpoints(self) -> list[Endpoint]:
        """What is served, for every site."""
        return [
            Endpoint(
                name="ask",
                subject=subjects.CLOUD_ASK.at("*"),
                handler=self.ask,
                request_type=CloudAsk,
                is_last=lambda part: part.kind is CloudPartKind.FINAL,
                concurrency_max=self.entrance.rules.requests_max + _CONCURRENCY_MORE,
                timeout_s=DEADLINE_MS_MAX / 1_000 + _TIMEOUT_MORE_S,
            ),
            Endpoint(
                name="status",
                subject=subjects.CLOUD_STATUS.at("*"),
                handler=self.status,
                request_type=CloudStatusAsked,
                concurrency_max=STATUS_CONCURRENCY_MAX,
            ),
            Endpoint(
                name="cancel",
                subject=subjects.CLOUD_CANCEL.at("*"),
                handler=self.cancel,
                request_type=CloudCancel,
                concurrency_max=CANCEL_CONCURRENCY_MAX,
                everyone=True,
            ),
            Endpoint(
                name="standing",
                subject=subjects.CLOUD_STANDING.at("*"),
                handler=self.standing,
                request_type=CitationsAsked,
                concurrency_max=STANDING_CONCURRENCY_MAX,
            ),
        ]


def site_of(caller: Caller) -> str:
    """Who asks: the second token of the subject, which permissions go by."""
    return caller.subject.split(".", 2)[1]
