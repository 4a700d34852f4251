"""The state of a site as tables for a terminal. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from causeway.proto.documents import DocumentStatus, State

_STYLE = {
    State.SEARCHABLE: "green",
    State.FAILED: "red",
    State.DELETED: "dim",
}
FAILED_SHOWN_MAX = 50


@dataclass(frozen=True, kw_only=True)
class StreamState:
    """A stream, and how far each of its durable consumers is behind."""

    name: str
    messages: int
    size_bytes: int
    pending: Mapping[str, int]
    unacknowledged: Mapping[str, int]


def counts(statuses: Iterable[DocumentStatus]) -> dict[str, dict[str, int]]:
    """Documents by kb and state, kbs in order of name."""
    found: dict[str, Counter[str]] = {}
    for status in statuses:
        found.setdefault(status.kb, Counter())[status.state.value] += 1
    return {kb: dict(found[kb]) for kb in sorted(found)}


def documents_table(statuses: Sequence[DocumentStatus]) -> Table:
    """A row for each kb, a column for each state."""
    table = Table(title="Documents", title_justify="left")
    table.add_column("knowledge base")
    for state in State:
        table.add_column(state.value, justify="right", style=_STYLE.get(state, ""))
    for kb, states in counts(statuses).items():
        table.add_row(kb, *(str(states.get(state.value, 0)) for state in State))
    return table


def failed_table(statuses: Sequence[DocumentStatus]) -> Table | None:
    """The documents that failed, with the reason; None when there are none."""
    failed = [status for status in statuses if status.state is State.FAILED]
    if not failed:
        return None
    table = Table(title=f"Failed ({len(failed)})", title_justify="left")
    for column in ("knowledge base", "document", "reason"):
        table.add_column(column, overflow="fold")
    for status in failed[:FAILED_SHOWN_MAX]:
        table.add_row(status.kb, status.document_id, status.reason or status.code)
    return table


def unfinished(statuses: Iterable[DocumentStatus]) -> list[DocumentStatus]:
    """The documents that are on their way."""
    return [status for status in statuses if status.state in (State.RECEIVED, State.PARSED, State.EMBEDDED)]


def streams_table(streams: Sequence[StreamState]) -> Table:
    """A row for each stream."""
    table = Table(title="Streams", title_justify="left")
    table.add_column("stream")
    table.add_column("messages", justify="right")
    table.add_column("size", justify="right")
    table.add_column("waiting, by consumer")
    for stream in streams:
        waiting = ", ".join(
            f"{name} {count} (+{stream.unacknowledged.get(name, 0)} in work)" for name, count in stream.pending.items()
        )
        table.add_row(stream.name, f"{stream.messages:,}", size_text(stream.size_bytes), waiting)
    return table


def size_text(size_bytes: int) -> str:
    """Bytes with a unit."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
