"""`python -m tests.bench.routing`: what one routing decision costs, beside a bare call and the lookup of a table."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from itertools import cycle, product
from typing import Any

import numpy as np
from rich.console import Console

from causeway.breaker import Outcome, Result, Rule, closed, permit, record
from causeway.difficulty import Router
from causeway.edge_inference.routing import Cloud, Inputs, decide
from causeway.proto.documents import Residency
from tests.bench.table import Report, Row, percentile

CALLS = 20_000
BATCH = 100
QUESTION = "How many litres does the pump of hall 3 deliver in a minute, and when was it last inspected?"


def cases() -> list[Inputs]:
    """Inputs of all kinds, so that every way through the decision is taken as often."""
    return [
        Inputs(
            cached=cached,
            abstained=abstained,
            probability=probability,
            threshold=0.85,
            question_residency=residency,
            breaker_allows=allows,
            cloud=cloud,
        )
        for cached, abstained, probability, residency, allows, cloud in product(
            (False, True), (False, True), (0.3, 0.95), Residency, (True, False), (Cloud.NOT_ASKED, Cloud.SLOW)
        )
    ]


def microseconds(work: Callable[[Any], object], over: Sequence[Any], calls: int) -> list[float]:
    """What one call takes, by batches of BATCH, so that the clock is no part of it."""
    endless, samples = cycle(over), []
    for _ in range(max(1, calls // BATCH)):
        batch = [next(endless) for _ in range(BATCH)]
        started = time.perf_counter()
        for item in batch:
            work(item)
        samples.append((time.perf_counter() - started) * 1e6 / BATCH)
    return samples


def bench_routing(calls: int) -> list[Row]:
    """A decision, a decision with its inputs made, the breaker of a call, and the estimate of a question."""
    inputs = cases()
    table = {number: decide(one) for number, one in enumerate(inputs)}
    bare = percentile(microseconds(_nothing, inputs, calls), 50)
    looked_up = percentile(microseconds(table.__getitem__, list(table), calls), 50)
    rows = list[Row]()
    for name, work in (("one routing decision", decide), ("its inputs made, and the decision", _made_and_decided)):
        samples = microseconds(work, inputs, calls)
        rows += [_row(f"{name}, p{percent}", percentile(samples, percent), bare, looked_up) for percent in (50, 90)]
    rows.append(_row("permit and record of the breaker, p50", _breaker_us(calls), bare, looked_up))
    router = Router.shipped()
    vector = np.zeros(len(router.file.vector_mean), np.float32)
    estimates = microseconds(lambda text: router.estimate(text, "en", vector), [QUESTION], calls // 10)
    name = f"the estimate of a question of {len(QUESTION)} characters, p50"
    rows.append(_row(name, percentile(estimates, 50), bare, looked_up))
    return rows


def _row(name: str, value: float, bare: float, looked_up: float) -> Row:
    floor_name = f"a call of a function that does nothing (a lookup in a dict takes {looked_up:.2g} us)"
    return Row(name=name, value=value, unit="us", floor=bare, floor_name=floor_name)


def _nothing(_: object) -> None:
    """The floor."""


def _made_and_decided(like: Inputs) -> object:
    return decide(
        Inputs(
            cached=like.cached,
            abstained=like.abstained,
            probability=like.probability,
            threshold=like.threshold,
            question_residency=like.question_residency,
            breaker_allows=like.breaker_allows,
            cloud=like.cloud,
        )
    )


def _breaker_us(calls: int) -> float:
    held = [closed(Rule())]

    def call(second: float) -> None:
        allowed = permit(held[0], second)
        held[0] = record(allowed.state, Outcome(Result.SUCCESS, 0.1, allowed.turn), second)

    return percentile(microseconds(call, [float(second) for second in range(1_000)], calls), 50)


def main() -> None:
    """Arguments to a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.routing", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    report = Report()
    report.extend(bench_routing(options.calls))
    if options.json:
        print(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    else:
        report.show(Console())


if __name__ == "__main__":
    main()
