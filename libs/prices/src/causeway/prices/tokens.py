"""What an answer's tokens cost, and whether that is known."""

from dataclasses import dataclass

from causeway.prices.table import SHIPPED, Price, PriceTable

_MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What was used. `cached` of the `prompt` came out of the engine's prefix cache."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """`usd`, and whether it is by a price: 0 USD of an unknown model means that nobody knows. `why` says by which."""

    usd: float
    known: bool
    why: str


def cost(tokens: Tokens, model: str, *, table: PriceTable = SHIPPED, configured: Price | None = None) -> Cost:
    """By the operator's own price where there is one, else by the table's, else 0 with a clear word.

    Raises:
        ValueError: a negative count, or more cached tokens than the prompt has.
    """
    if min(tokens.prompt, tokens.completion, tokens.cached) < 0 or tokens.cached > tokens.prompt:
        raise ValueError(f"{tokens} can not be: counts are not negative, and what was cached is part of the prompt")
    listed = table.of(model)
    price = configured or listed
    if price is None:
        return Cost(usd=0.0, known=False, why=f"no price is known of {model or 'a model without a name'}: set one")
    cached_price = price.input if price.cached_input is None else price.cached_input
    micro_usd = (
        (tokens.prompt - tokens.cached) * price.input + tokens.cached * cached_price + tokens.completion * price.output
    )
    why = "the configured price" if configured is not None else f"list price of {price.model}, {table.as_of}"
    return Cost(usd=micro_usd / _MILLION, known=True, why=why)
