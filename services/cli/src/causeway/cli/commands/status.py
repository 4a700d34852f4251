"""`causeway status`: documents by state with reasons, what waits in the streams, who serves, and dead letters."""

import asyncio
from typing import Annotated, Any

import typer

from causeway.cli.connection import Address, Where, at_a_place
from causeway.cli.console import STDOUT
from causeway.cli.http_get import http_get
from causeway.cli.json_text import print_json
from causeway.cli.kbs import check_kb_name, require_kb
from causeway.cli.sessions import session
from causeway.cli.status_text import StreamState, counts, documents_table, failed_table, streams_table, unfinished
from causeway.cli.streams_state import read_streams
from causeway.proto.documents import DocumentStatus, State
from causeway.proto.subjects import HUB

Kb = Annotated[str, typer.Option("--kb", help="Only this knowledge base.")]
Json = Annotated[bool, typer.Option("--json", help="All of it as JSON, with every document.")]
Documents = Annotated[bool, typer.Option("--documents", help="A line for every document.")]


def register(app: typer.Typer) -> None:
    """Add `status`."""
    app.command("status")(status)


@at_a_place
def status(
    where: Where,
    kb: Kb = "",
    documents: Documents = False,
    as_json: Json = False,
) -> None:
    """Show how a site is: its documents, streams, processes and dead letters."""
    if kb:
        check_kb_name(kb)
    address = where.address()
    asyncio.run(_status(address, kb, documents, as_json))


async def _status(address: Address, kb: str, every_document: bool, as_json: bool) -> None:
    async with session(address) as client:
        if kb:
            await require_kb(client, kb)
        statuses = sorted(await client.statuses(kb or None), key=lambda one: (one.kb, one.document_id))
    streams = await read_streams(address.monitor_url) if address.monitor_url else []
    processes = await _processes(address.metrics_urls or {})
    if as_json:
        print_json(_as_dict(address, statuses, streams, processes))
        return
    place = "The hub" if address.bus.site == HUB else f"Site [bold]{address.bus.site}[/]"
    STDOUT.print(f"{place} at {address.bus.url}")
    _print_documents(statuses, every_document)
    if streams:
        STDOUT.print(streams_table(streams))
    for name, state in processes.items():
        STDOUT.print(f"[{'green' if state == 'ready' else 'red'}]{name:<18} {state}[/]")
    dead = _dead(streams)
    if dead:
        STDOUT.print(f"[red]{dead} dead letters[/]: see `causeway dead-letters list`")


def _print_documents(statuses: list[DocumentStatus], every_document: bool) -> None:
    if not statuses:
        STDOUT.print("No documents yet: causeway publish FOLDER --kb docs")
        return
    STDOUT.print(documents_table(statuses))
    failed = failed_table(statuses)
    if failed is not None:
        STDOUT.print(failed)
    for one in statuses if every_document else unfinished(statuses):
        pages = f", {one.pages} pages" if one.pages else ""
        STDOUT.print(
            f"{one.kb}  {one.document_id}  [bold]{one.state.value}[/]  {one.reason}"
            f"[dim]revision {one.revision}, {one.chunks_total} chunks, {one.chunks_new} new{pages}[/]"
        )


async def _processes(urls: dict[str, str]) -> dict[str, str]:
    """What each process says of itself at /readyz."""

    async def ask(url: str) -> str:
        code, body = await http_get(url.removesuffix("/metrics") + "/readyz")
        if code == 200:
            return "ready"
        return f"not ready: {body.strip()}" if code else "no answer"

    answers = await asyncio.gather(*(ask(url) for url in urls.values()))
    return dict(zip(urls, answers, strict=True))


def _dead(streams: list[StreamState]) -> int:
    return sum(stream.messages for stream in streams if stream.name == "DEAD")


def _as_dict(
    address: Address, statuses: list[DocumentStatus], streams: list[StreamState], processes: dict[str, str]
) -> dict[str, Any]:
    return {
        "site": address.bus.site,
        "url": address.bus.url,
        "knowledge_bases": counts(statuses),
        "failed": [one for one in statuses if one.state is State.FAILED],
        "documents": statuses,
        "streams": streams,
        "processes": processes,
        "dead_letters": _dead(streams),
    }
