"""A share of one engine's time, and what tokens cost where the engine says odd things of them. Pure."""

from causeway.cloud_inference.completions import Usage
from causeway.prices import Price, Tokens, cost


def cost_usd(usage: Usage, model: str, price: Price | None) -> float:
    """By the operator's price, else the list's; 0 where neither knows the model."""
    # An engine that counts more cached tokens than it was given shall not end an answer.
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    tokens = Tokens(prompt=usage.prompt_tokens, completion=usage.completion_tokens, cached=cached)
    return round(cost(tokens, model, configured=price).usd, 9)


class SharedTime:
    """Divides the time of one engine among the requests that run at once. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._running = 0
        self._at_s = 0.0
        self._each_s = 0.0

    def began(self, now_s: float) -> float:
        """A request begins; keep what is returned for `ended`."""
        self._advance(now_s)
        self._running += 1
        return self._each_s

    def ended(self, began: float, now_s: float) -> float:
        """The seconds of the engine that were this request's."""
        self._advance(now_s)
        self._running -= 1
        return self._each_s - began

    def _advance(self, now_s: float) -> None:
        if self._running:
            self._each_s += max(0.0, now_s - self._at_s) / self._running
        self._at_s = now_s
