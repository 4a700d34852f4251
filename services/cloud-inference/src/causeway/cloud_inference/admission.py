"""Whether an ask can be answered in its time, from how fast the engine was and how many are before it. Pure."""

from dataclasses import dataclass, replace

from causeway.cloud_inference.first_token import UNKNOWN, FirstToken
from causeway.proto.cloud import Refusal

WEIGHT = 0.2
"""Of a new sample in the running means of what comes after the first token; the first is taken whole."""
COMPLETION_TOKENS_PRIOR = 64.0
COMPLETION_MORE = 1.25
"""An answer is reckoned this much longer than the usual one."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One generation as it went, times in ms. `prompt_tokens` are those that were not cached, of `asked_tokens` that
    admission reckoned with (0: of as many). `queued` says that it had to wait for others, so that its first token says
    nothing of the pace."""

    prompt_tokens: int
    asked_tokens: int = 0
    first_token_ms: float
    completion_tokens: int
    generation_ms: float
    queued: bool = False

    @property
    def asked(self) -> int:
        """Tokens of the whole prompt, as they were reckoned."""
        return max(1, self.asked_tokens or self.prompt_tokens)

    @property
    def uncached(self) -> int:
        """Of those, what the engine had to read."""
        return max(1, min(self.prompt_tokens, self.asked))


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Running estimates: when the first token comes, ms per token after it, tokens of an answer."""

    first_token: FirstToken = UNKNOWN
    output_ms: float = 0.0
    completion_tokens: float = COMPLETION_TOKENS_PRIOR
    samples: int = 0

    def after_late(self, seen: Seen) -> "Pace":
        """With one more that gave no token for `first_token_ms`: whoever has no more time than that is refused, until a
        generation says how it is."""
        first_token = self.first_token.after_late(seen.asked, seen.first_token_ms, queued=seen.queued)
        return replace(self, first_token=first_token, samples=self.samples + 1)

    def measured(self, seen: Seen) -> "Pace":
        """By a generation that ran alone, and only to learn this: it is how the engine is now, whatever was before.

        Its few tokens say nothing of how long answers are.
        """
        first_token = self.first_token.measured(seen.uncached, seen.first_token_ms)
        output_ms = Pace().after(seen).output_ms or self.output_ms
        return replace(self, first_token=first_token, output_ms=output_ms, samples=self.samples + 1)

    def after(self, seen: Seen) -> "Pace":
        """With one sample more."""
        changed = replace(self, first_token=self._first_token_after(seen), samples=self.samples + 1)
        if seen.completion_tokens > 1:
            per_token = seen.generation_ms / (seen.completion_tokens - 1)
            changed = replace(
                changed,
                output_ms=_mean(self.output_ms, per_token),
                completion_tokens=_mean(self.completion_tokens, seen.completion_tokens),
            )
        return changed

    def _first_token_after(self, seen: Seen) -> FirstToken:
        if seen.queued and self.first_token.known:
            return self.first_token.after_queued(seen.first_token_ms)
        return self.first_token.after(seen.asked, seen.uncached, seen.first_token_ms)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the engine has to do: at most `slots` at once, the others wait."""

    running: int = 0
    waiting: int = 0
    slots: int = 1


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An ask as admission sees it; `left_ms` and `first_token_ms` from now."""

    prompt_tokens: int
    tokens_max: int
    first_token_ms: float
    left_ms: float


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What else may be in the way: others that are being answered, of all sites and of the asker's own. `down` is why
    the engine can not be asked, empty when it can."""

    here: int = 0
    requests_max: int = 1
    here_of_site: int = 0
    site_requests_max: int = 1
    paused: bool = False
    down: str = ""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """When, in ms from now, the first token and the last would come."""

    first_token_ms: float
    total_ms: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Admitted where `refusal` is None."""

    refusal: Refusal | None
    reason: str
    estimate: Estimate


def estimated(prompt_tokens: int, tokens_max: int, load: Load, pace: Pace) -> Estimate:
    """With nothing measured yet, 0: what is not known refuses nobody."""
    reading_ms = pace.first_token.at_ms(prompt_tokens)
    writing_ms = min(tokens_max, pace.completion_tokens * COMPLETION_MORE) * pace.output_ms
    before = max(0, load.running + load.waiting - load.slots + 1)
    queue_ms = before * (reading_ms + writing_ms) / max(1, load.slots)
    return Estimate(first_token_ms=queue_ms + reading_ms, total_ms=queue_ms + reading_ms + writing_ms)


def decided(wanted: Wanted, load: Load, pace: Pace, gate: Gate) -> Verdict:
    """Refused for the first of: paused, engine down, too many here, out of time."""
    estimate = estimated(wanted.prompt_tokens, wanted.tokens_max, load, pace)
    refusal, reason = _refusal(wanted, estimate, gate)
    return Verdict(refusal=refusal, reason=reason, estimate=estimate)


def _refusal(wanted: Wanted, estimate: Estimate, gate: Gate) -> tuple[Refusal | None, str]:
    if gate.paused:
        return Refusal.PAUSED, "the operator of the hub has paused cloud answers"
    if gate.down:
        return Refusal.ENGINE, gate.down
    if gate.here >= gate.requests_max:
        return Refusal.BUSY, f"{gate.here} questions are being answered, which is the limit"
    if gate.here_of_site >= gate.site_requests_max:
        return Refusal.BUSY, f"{gate.here_of_site} questions of this site are being answered, which is a site's limit"
    if estimate.first_token_ms > wanted.first_token_ms or wanted.first_token_ms <= 0:
        return Refusal.DEADLINE, _late("first token", estimate.first_token_ms, wanted.first_token_ms)
    if estimate.total_ms > wanted.left_ms or wanted.left_ms <= 0:
        return Refusal.DEADLINE, _late("answer", estimate.total_ms, wanted.left_ms)
    return None, ""


def _late(what: str, takes_ms: float, left_ms: float) -> str:
    return f"the {what} would take {takes_ms:.0f} ms and has {max(0.0, left_ms):.0f} ms"


def _mean(so_far: float, sample: float) -> float:
    return sample if so_far == 0.0 else so_far + WEIGHT * (sample - so_far)
