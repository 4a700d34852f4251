"""`python -m tests.bench.link`: what the link costs, on a hub and a site that are started for it and stopped again."""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from causeway.models import Encoder
from causeway.models.chosen import embedding_folder
from tests.bench.link_bytes import link_bytes
from tests.bench.link_catchup import link_catchup
from tests.bench.link_documents import MODEL, Documents, Encoding, texts_of
from tests.bench.link_fleet import KEY, SITE, bench_link
from tests.bench.link_heal import link_heal
from tests.bench.table import Report

PARTS = ("bytes", "tls", "heal", "catchup")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured. `texts` are paragraphs to take instead of the bundled ones."""

    documents: int = 5_000
    paragraphs: int = 1
    edits: int = 1_000
    deltas: int = 100_000
    parts: Sequence[str] = PARTS
    texts: Sequence[str] = ()


async def run_link(plan: Plan, report: Report, console: Console, encoding: Encoding | None) -> None:
    """Each part on a fleet of its own, but for the edits while cut, which follow the edit of one in a hundred."""
    documents = Documents(site=SITE, key=KEY, paragraphs=plan.paragraphs, texts=plan.texts)
    with tempfile.TemporaryDirectory(prefix="causeway-bench-link-") as name:
        folder = Path(name)
        for part, tls in (("bytes", False), ("tls", True)):
            if part not in plan.parts:
                continue
            console.print(f"the link: {plan.documents} documents and edits, {'with' if tls else 'without'} TLS")
            async with bench_link(folder / part, tls=tls) as link:
                measured = await link_bytes(link, documents, plan.documents, encoding=encoding)
                report.extend(measured.rows("s2_fast over TLS" if tls else "s2_fast"))
                if part == "bytes" and "heal" in plan.parts:
                    report.extend(await link_heal(link, documents, plan.edits, plan.documents))
        if "catchup" in plan.parts:
            console.print(f"the link: {plan.deltas} deltas after a cut")
            async with bench_link(folder / "catchup") as link:
                report.extend(await link_catchup(link, plan.deltas))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of the link."""
    parser.add_argument("--link-documents", type=int, default=5_000, help="documents of the kb that is edited")
    parser.add_argument("--link-paragraphs", type=int, default=1, help="paragraphs of each of them")
    parser.add_argument("--edits", type=int, default=1_000, help="edits while the link is cut")
    parser.add_argument("--deltas", type=int, default=100_000, help="messages to catch up with after a cut")
    parser.add_argument("--parts", default=",".join(PARTS), help="what of the link to measure")
    parser.add_argument("--texts", type=Path, help="JSONL with a `text` a row, instead of the bundled passages")


def plan_of(options: argparse.Namespace) -> Plan:
    """What was asked for."""
    return Plan(
        documents=options.link_documents,
        paragraphs=options.link_paragraphs,
        edits=options.edits,
        deltas=options.deltas,
        parts=options.parts.split(","),
        texts=texts_of(options.texts) if options.texts else (),
    )


def main() -> None:
    """Only what the link costs."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.link", description=__doc__)
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    console, report = Console(stderr=options.json), Report()
    encoder = Encoder.load(embedding_folder(MODEL), threads=1)
    asyncio.run(run_link(plan_of(options), report, console, encoder.encode_passages))
    if options.json:
        print(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    else:
        report.show(console)


if __name__ == "__main__":
    main()
