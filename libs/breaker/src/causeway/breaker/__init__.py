"""A circuit breaker as values. See the README for the rule."""

from causeway.breaker.breaker import (
    Outcome,
    Permit,
    Phase,
    Result,
    State,
    Turn,
    adopt,
    closed,
    disabled,
    forced_open,
    permit,
    record,
)
from causeway.breaker.rule import BadRuleError, Rule
from causeway.breaker.window import LastCalls, LastSeconds, Totals, Window

__all__ = [
    "BadRuleError",
    "LastCalls",
    "LastSeconds",
    "Outcome",
    "Permit",
    "Phase",
    "Result",
    "Rule",
    "State",
    "Totals",
    "Turn",
    "Window",
    "adopt",
    "closed",
    "disabled",
    "forced_open",
    "permit",
    "record",
]
