"""What tokens and watt-hours cost. Pure: the table is data of the package, and nothing is looked up elsewhere."""

from causeway.prices.energy import energy_usd, watt_hours
from causeway.prices.table import SHIPPED, Price, PriceTable, read_table
from causeway.prices.tokens import Cost, Tokens, cost

__all__ = [
    "SHIPPED",
    "Cost",
    "Price",
    "PriceTable",
    "Tokens",
    "cost",
    "energy_usd",
    "read_table",
    "watt_hours",
]
