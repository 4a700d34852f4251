"""Writes docs/routing.md: the decision table, found by asking `routing.decide` about every combination of inputs.

`python -m causeway.edge_inference.routing_table > docs/routing.md`
"""

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from causeway.edge_inference.routing import Cloud, Inputs, Reason, decide
from causeway.proto.documents import Residency
from causeway.proto.reasons import reason_text

CONDITIONS_MAX = 3
_AXES: dict[str, dict[str, Mapping[str, Any]]] = {
    "cached answer": {"valid": {"cached": True}, "none": {"cached": False}},
    "asker takes cached": {"yes": {"cache_wanted": True}, "no": {"cache_wanted": False}},
    "local answer": {"answer": {"abstained": False}, "abstention": {"abstained": True}},
    "confidence": {
        "at or above threshold": {"probability": 0.9, "threshold": 0.9},
        "below threshold": {"probability": 0.89, "threshold": 0.9},
    },
    "question": {label.value: {"question_residency": label} for label in Residency},
    "evidence": {label.value: {"evidence_residency": label} for label in Residency},
    "asker allows cloud": {"yes": {"cloud_wanted": True}, "no": {"cloud_wanted": False}},
}
_BEFORE = _AXES | {
    "link": {"connected": {"link_connected": True}, "none": {"link_connected": False}},
    "breaker": {"permits": {"breaker_allows": True}, "refuses": {"breaker_allows": False}},
    "budget": {"within": {"budget_allows": True}, "spent": {"budget_allows": False}},
    "time left": {"enough": {"left_ms": 2_000.0}, "too little": {"left_ms": 90.0}},
    "link's round trip": {"shorter": {"link_ms": 100.0}, "takes it all": {"link_ms": 600.0}},
}
# What the cloud came to stands first, so that of two rules that settle as much it is the one that begins with it.
_AFTER = {"cloud": {state.value: {"cloud": state} for state in Cloud if state is not Cloud.NOT_ASKED}} | _AXES
Axes = Mapping[str, Mapping[str, Mapping[str, Any]]]
Condition = tuple[str, str]
Verdict = tuple[str, str]
"""Route and reason, as the table says them."""
Row = tuple[tuple[Condition, ...], Verdict, int]


def rows(axes: Axes) -> list[Row]:
    """Rules of which the first that holds decides, by the decisions of all combinations; with how many each settles."""
    combinations = [tuple(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    verdicts = [_verdict(_inputs(axes, combination)) for combination in combinations]
    conditions = {
        (axis, value): _bits(combinations, lambda one, wanted=(axis, value): wanted in one)  # type: ignore[misc]
        for axis, values in axes.items()
        for value in values
    }
    by_verdict: dict[Verdict, int] = {}
    for number, verdict in enumerate(verdicts):
        by_verdict[verdict] = by_verdict.get(verdict, 0) | 1 << number
    return list(_rules(conditions, by_verdict, (1 << len(combinations)) - 1))


def _verdict(inputs: Inputs) -> Verdict:
    decision = decide(inputs)
    route = f"ask the {decision.route.value}" if decision.ask else decision.route.value
    return route, "that of the cloud" if decision.reason.value == inputs.cloud.value else f"`{decision.reason.value}`"


def _rules(conditions: Mapping[Condition, int], by_verdict: Mapping[Verdict, int], left: int) -> Iterator[Row]:
    while left:
        row, covered = _simplest(conditions, by_verdict, left)
        yield row
        left &= ~covered


def _simplest(conditions: Mapping[Condition, int], by_verdict: Mapping[Verdict, int], left: int) -> tuple[Row, int]:
    """The rule of fewest conditions that holds without exception of what is left, and settles most of it."""
    for size in range(CONDITIONS_MAX + 1):
        found: list[tuple[int, Row, int]] = []
        for chosen in itertools.combinations(conditions.items(), size):
            covered = left
            for _, bits in chosen:
                covered &= bits
            for verdict, bits in by_verdict.items():
                if covered and not covered & ~bits:
                    count = covered.bit_count()
                    found.append((count, (tuple(name for name, _ in chosen), verdict, count), covered))
        if found:
            _, row, covered = max(found, key=lambda one: one[0])
            return row, covered
    raise AssertionError(f"no rule of {CONDITIONS_MAX} conditions: a decision has become less simple than its table")


def _bits(combinations: Sequence[tuple[Condition, ...]], holds: Callable[[tuple[Condition, ...]], bool]) -> int:
    return sum(1 << number for number, one in enumerate(combinations) if holds(one))


def _inputs(axes: Axes, combination: tuple[Condition, ...]) -> Inputs:
    merged: dict[str, Any] = {}
    for axis, value in combination:
        merged |= axes[axis][value]
    return Inputs(**merged)


def table(axes: Axes) -> list[str]:
    """Markdown lines."""
    lines = ["| when | route | reason | combinations |", "|---|---|---|---|"]
    for number, (conditions, (route, reason), count) in enumerate(rows(axes), start=1):
        when = " and ".join(f"{axis}: {value}" for axis, value in conditions) or "else"
        lines.append(f"| {number}. {when} | {route} | {reason} | {count} |")
    return lines


_HEAD = """\
# Routing

Which way a question goes, as `causeway.edge_inference.routing.decide` decides it. This file is generated:
`python -m causeway.edge_inference.routing_table > docs/routing.md`. Every combination of the inputs below was put to
the function and the answers were folded into rules: the first that holds decides, and what a rule says is true of each
of the combinations that it counts.

Inputs that are numbers stand here for both sides of their limit: the probability against the threshold of the kb's
calibration; the time that is left, less what is kept for the reply (the margin, or the 99th percentile of ending with
the local answer if that is longer), against the least that is worth trying, with the link's round trip, and against
what a first token took lately; the round trip against the time that the first token may take.

The input `budget` always says `within` until there is a cost-guard: nothing at a site sets it yet. An operator's
pause of the hub's answers is no budget either; it is what the cloud came to, `refused_paused`.

## Before the cloud is asked
"""
_MIDDLE = """\

An ask is bounded: without a first token within `EDGE_INFERENCE_CLOUD_FIRST_TOKEN_MS` the local answer is given, and
with one the whole must be there by the deadline less what is kept for the reply. The hub, which counts from when it
has the ask, is told of both less the link's round trip. A probe of a half-open breaker is
claimed before it goes; where another has it, the function is asked once more with a breaker that refuses.

## After it

What the cloud came to is one more input: `answered`, or why there is no answer of it to give (the reasons from
`cloud_slow` on, below). The cache is looked at again: the same question may have been answered meanwhile.
"""
_TAIL = """\

## Reasons

`Answer.decision` has the code; where the route is `fallback`, `Answer.reason` has the text in the language of the
answer.
"""


def document() -> str:
    """The whole file."""
    reasons = ["| code | English | 中文 |", "|---|---|---|"]
    reasons += [f"| `{each.value}` | {reason_text(each, 'en')} | {reason_text(each, 'zh')} |" for each in Reason]
    parts = [_HEAD, *table(_BEFORE), _MIDDLE, *table(_AFTER), _TAIL, *reasons]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
