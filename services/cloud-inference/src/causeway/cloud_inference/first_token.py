"""How long a first token takes: a line over the prompt's tokens, learnt from the generations that were seen. Pure."""

from dataclasses import dataclass, replace

HALF_LIFE_SAMPLES = 5.0
"""After so many more, a sample counts half."""
DECAY = 0.5 ** (1.0 / HALF_LIFE_SAMPLES)
RIDGE = 0.05
"""How much the slope that is assumed weighs beside the one that is seen: as samples would whose distances from the mean
length, squared and summed, are a twentieth of its square. It bounds what noise makes of samples of like lengths."""
GROWING = 0.5
"""Of one sample, the share that is taken to grow with the prompt, while nothing else is known."""
LATE_FACTOR = 1.25
"""A first token that did not come in time is reckoned to take this much longer than was waited."""
MARGIN_MAX = 0.5
"""Of what is expected, the most that is put on top of it for being wrong as usual."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """ms = base + slope x tokens, neither below 0: least squares in which older samples count less.

    The fields are weighted sums over the samples: 1, x, y, x squared, x times y. `growing`, 0 to 1, is the share of the
    mean sample that the slope is assumed to make up; samples speak against it as far as their lengths differ. So the
    line of one sample goes through it, between constant (0) and proportional (1).
    """

    weight: float = 0.0
    tokens: float = 0.0
    ms: float = 0.0
    tokens_squared: float = 0.0
    tokens_ms: float = 0.0
    growing: float = GROWING

    @property
    def slope_ms(self) -> float:
        """Per token. Ridge regression towards what is assumed, which goes through the mean of the samples."""
        if not self.weight:
            return 0.0
        mean_tokens = self.tokens / self.weight
        spread = max(0.0, self.tokens_squared - self.tokens * mean_tokens)
        joint = self.tokens_ms - mean_tokens * self.ms
        return self._slope_ms(mean_tokens, self.ms / self.weight, spread, joint)

    @property
    def base_ms(self) -> float:
        """Of a prompt without tokens."""
        return max(0.0, (self.ms - self.slope_ms * self.tokens) / self.weight) if self.weight else 0.0

    def at_ms(self, tokens: float) -> float:
        """What that many are expected to take; 0 while nothing was seen."""
        return self.base_ms + self.slope_ms * tokens

    def after(self, tokens: float, ms: float) -> "Line":
        """With one sample more."""
        return replace(
            self,
            weight=self.weight * DECAY + 1.0,
            tokens=self.tokens * DECAY + tokens,
            ms=self.ms * DECAY + ms,
            tokens_squared=self.tokens_squared * DECAY + tokens * tokens,
            tokens_ms=self.tokens_ms * DECAY + tokens * ms,
        )

    def through(self, tokens: float, ms: float) -> "Line":
        """Exactly through this sample; what was before only says which way it goes from there."""
        spread = self.tokens_squared - 2 * tokens * self.tokens + self.weight * tokens * tokens
        joint = self.tokens_ms - tokens * self.ms - ms * self.tokens + self.weight * tokens * ms
        slope_ms = self._slope_ms(tokens, ms, max(0.0, spread), joint)
        growing = slope_ms * tokens / ms if ms > 0 else self.growing
        return Line(growing=min(1.0, growing)).after(tokens, ms)

    def raised(self, tokens: float, more_ms: float) -> "Line":
        """So much higher at so many tokens, and nowhere lower: longer prompts take more, shorter ones all do."""
        if tokens * self.weight < self.tokens:
            return replace(self, ms=self.ms + more_ms * self.weight, tokens_ms=self.tokens_ms + more_ms * self.tokens)
        per_token_ms = more_ms / tokens
        return replace(
            self,
            ms=self.ms + per_token_ms * self.tokens,
            tokens_ms=self.tokens_ms + per_token_ms * self.tokens_squared,
        )

    def _slope_ms(self, tokens: float, ms: float, spread: float, joint: float) -> float:
        """Of a line through (tokens, ms), by the squares of others around that point; base and slope not below 0."""
        steepest = ms / tokens
        assumed = RIDGE * tokens * tokens
        return min(steepest, max(0.0, (joint + assumed * self.growing * steepest) / (spread + assumed)))


NOTHING = Line()


@dataclass(frozen=True, kw_only=True)
class FirstToken:
    """The line over the tokens that the engine had not cached, how far it was off, and how much of a prompt was cached.

    Prompts are in tokens as admission reckons them. It does not know how much of one will be cached: it takes the share
    that was not cached of those before. `asked`, `uncached` and `errors_ms` are sums in which older ones count less.
    After a first token that did not come, `late_ms` bounds what prompts of `late_asked` tokens and more take, shorter
    ones in proportion, until a generation says how the engine is.
    """

    line: Line = NOTHING
    errors_ms: float = 0.0
    asked: float = 0.0
    uncached: float = 0.0
    late_ms: float = 0.0
    late_asked: int = 1

    @property
    def known(self) -> bool:
        """Whether anything was seen."""
        return self.line.weight > 0

    @property
    def uncached_share(self) -> float:
        """Expected of a prompt; 1 while nothing was seen."""
        return self.uncached / self.asked if self.asked else 1.0

    @property
    def error_ms(self) -> float:
        """The running mean of how far what came was from what was expected."""
        return self.errors_ms / self.line.weight if self.known else 0.0

    def expected_ms(self, asked: float) -> float:
        """The mean for a prompt of so many tokens."""
        return self.line.at_ms(asked * self.uncached_share)

    def at_ms(self, asked: float) -> float:
        """What admission reckons with: the mean and its usual error, which may not make up most of it."""
        expected_ms = self.expected_ms(asked)
        late_ms = self.late_ms * min(1.0, asked / self.late_asked)
        return max(late_ms, expected_ms + min(self.error_ms, MARGIN_MAX * expected_ms))

    def after(self, asked: int, uncached: int, ms: float) -> "FirstToken":
        """With one sample more, that had not to wait for others."""
        error_ms = abs(ms - self.expected_ms(asked)) if self.known else 0.0
        return FirstToken(
            line=self.line.after(uncached, ms),
            errors_ms=self.errors_ms * DECAY + error_ms,
            asked=self.asked * DECAY + asked,
            uncached=self.uncached * DECAY + uncached,
        )

    def after_queued(self, ms: float) -> "FirstToken":
        """It waited for others, so it says only that a first token takes no longer than that."""
        return replace(self, late_ms=min(self.late_ms, ms))

    def after_late(self, asked: int, waited_ms: float, *, queued: bool) -> "FirstToken":
        """With one that did not come: never faster than before. Alone, it is a sample of what it took at least."""
        least_ms = LATE_FACTOR * waited_ms
        late = self if queued else self._after_uncached(asked)._raised(asked, least_ms)
        # Of two bounds the steeper one, up to the higher: no prompt has a lower one than by either.
        steeper = self.late_ms / self.late_asked > least_ms / asked
        late_asked = self.late_asked if steeper else asked
        return replace(late, late_ms=max(self.late_ms, least_ms), late_asked=late_asked)

    def measured(self, uncached: int, ms: float) -> "FirstToken":
        """By a generation that ran alone: what was reckoned before, and how far it was off, is of no account."""
        return replace(self, line=self.line.through(uncached, ms), errors_ms=0.0, late_ms=0.0)

    def _after_uncached(self, asked: int) -> "FirstToken":
        """What did not come does not say how much of it was cached: it is held for nothing."""
        return replace(self, asked=self.asked * DECAY + asked, uncached=self.uncached * DECAY + asked)

    def _raised(self, asked: int, least_ms: float) -> "FirstToken":
        """By what one sample weighs."""
        tokens = asked * self.uncached_share
        more_ms = max(0.0, least_ms - self.line.at_ms(tokens)) / (self.line.weight + 1.0)
        line = self.line.raised(tokens, more_ms) if self.known else self.line.after(tokens, least_ms)
        return replace(self, line=line)


UNKNOWN = FirstToken()
