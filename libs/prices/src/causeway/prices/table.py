"""The price table: list prices of models at one day, each with where it was read. Not a contract, and soon old."""

import re
from functools import cached_property
from importlib.resources import files
from typing import Annotated

import msgspec

UsdPerMillion = Annotated[float, msgspec.Meta(ge=0)]
_DATED = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$")


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """USD per million tokens. `cached_input` None: what the engine had cached is billed as the rest of the prompt."""

    model: str
    input: UsdPerMillion
    output: UsdPerMillion
    cached_input: UsdPerMillion | None = None
    source: str = ""


class PriceTable(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Prices as they stood on the day `as_of`."""

    as_of: str
    currency: str = "USD"
    unit: str = "per million tokens"
    read_from: str = ""
    models: tuple[Price, ...]

    @cached_property
    def _by_name(self) -> dict[str, Price]:
        return {price.model: price for price in self.models}

    def of(self, model: str) -> Price | None:
        """The price of a model by its name, with or without its vendor (`vendor/name`) and the date of its release."""
        name = model.strip().lower()
        names = [name, name.rsplit("/", 1)[-1]]
        names += [_DATED.sub("", each) for each in names]
        return next((self._by_name[each] for each in names if each in self._by_name), None)


def read_table(text: bytes | str) -> PriceTable:
    """A table in JSON of the form of `prices.json`.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: not such a table; the text names the field.
    """
    return msgspec.json.decode(text, type=PriceTable)


SHIPPED = read_table(files("causeway.prices").joinpath("prices.json").read_bytes())
