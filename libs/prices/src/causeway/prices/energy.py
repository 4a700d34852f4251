"""From watts and time to watt-hours, and to USD: an estimate, where nothing measures."""

_MS_PER_H = 3_600_000.0
_W_PER_KW = 1_000.0


def watt_hours(busy_ms: float, watts: float | None) -> float | None:
    """What a machine that draws `watts` while it works uses in `busy_ms`; None where nobody said what it draws."""
    return None if watts is None else max(0.0, busy_ms) * watts / _MS_PER_H


def energy_usd(used_wh: float | None, usd_per_kwh: float) -> float:
    """The price of what was used; 0 where that is not known."""
    return 0.0 if used_wh is None else used_wh * usd_per_kwh / _W_PER_KW
