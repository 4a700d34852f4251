"""Numbers with the floor that they are measured against in the same run."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table

FLOOR_RATIO_WORTH_A_PROFILE = 1.3


@dataclass(frozen=True, kw_only=True)
class Row:
    """A measurement. `floor` is what the same work costs without Causeway; 0 where there is none."""

    name: str
    value: float
    unit: str
    floor: float = 0.0
    floor_name: str = ""
    more_is_better: bool = False
    why: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the floor this costs (at 1 it is as fast as its bare parts)."""
        if not self.floor or not self.value:
            return None
        return self.floor / self.value if self.more_is_better else self.value / self.floor


@dataclass
class Report:
    """The rows of one run."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)

    def extend(self, rows: Iterable[Row]) -> None:
        self.rows.extend(rows)

    def show(self, console: Console) -> None:
        """A table for a person."""
        table = Table(title="bench: one run, this machine, ratios to the floor")
        for name in ("measurement", "value", "floor", "ratio", "what the floor is"):
            table.add_column(name, overflow="fold")
        for row in self.rows:
            ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
            floor = f"{row.floor:.4g} {row.unit}" if row.floor else ""
            table.add_row(row.name, f"{row.value:.4g} {row.unit}", floor, ratio, row.floor_name)
        console.print(table)
        for row in self.rows:
            if row.why:
                console.print(f"[bold]{row.name}[/bold]: {row.why}")

    def as_dict(self) -> list[dict[str, object]]:
        """For `--json`."""
        return [
            {
                "name": row.name,
                "value": row.value,
                "unit": row.unit,
                "floor": row.floor,
                "ratio": row.ratio,
                "floor_name": row.floor_name,
                "why": row.why,
            }
            for row in self.rows
        ]


def percentile(samples_ms: list[float], percent: float) -> float:
    """The percentile of samples, in their unit."""
    return float(np.percentile(np.array(samples_ms), percent))
