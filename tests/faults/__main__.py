"""`make faults`: one run with a seed, its outcome as a table or JSON."""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tests.faults.run import Outcome, Plan, run


def main() -> int:
    """Exit with 1 when something does not hold."""
    arguments = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--revisions", type=int, default=10_000)
    arguments.add_argument("--faults", type=int, default=50)
    arguments.add_argument("--no-milvus", action="store_true", help="without Milvus and what depends on it")
    arguments.add_argument("--folder", type=Path, help="keep logs and stores here")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    plan = Plan(seed=given.seed, revisions=given.revisions, faults=given.faults, milvus=not given.no_milvus)
    with tempfile.TemporaryDirectory(prefix="causeway-faults-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with Progress(console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("faults", total=plan.faults)
            outcome = asyncio.run(run(plan, folder, lambda _, done, total: bars.update(task, completed=done)))
    print(json.dumps(asdict(outcome), indent=1) if given.json else text_of(outcome))
    return 0 if outcome.well else 1


def text_of(outcome: Outcome) -> str:
    """The outcome for people."""
    faults = ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.items()))
    lines = [
        f"seed {outcome.seed}: {outcome.revisions} revisions at two sites, {outcome.faults.total()} faults ({faults})",
        f"{outcome.seconds:.0f} s in all, {outcome.quiet_s:.1f} s from the last write until both comparisons ended",
    ]
    for name in ("lost", "twice", "out_of_order", "leaked", "different"):
        found: list[str] = getattr(outcome, name)
        lines.append(f"{name.replace('_', ' '):<13} {len(found)}" + (f"  {'; '.join(found[:3])}" if found else ""))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
