"""Revisions as tables, texts and differences for a terminal. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import unified_diff

from rich.box import SIMPLE_HEAD
from rich.table import Table

from causeway.proto.history import RevisionEntry, RevisionText

_STYLE = {"+": "green", "-": "red", "@": "cyan"}


def log_table(entries: Sequence[RevisionEntry]) -> Table:
    """A row for each revision; where there are several places, a column says whose it is."""
    several = len({entry.origin for entry in entries}) > 1
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("epoch", "when", "revision", *(["from"] if several else [])):
        table.add_column(column, no_wrap=True)
    for column in ("document", "what"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        epoch = str(entry.seq) if entry.seq else "before"
        origin = [entry.origin] if several else []
        row = (epoch, _when(entry.at_unix_ms), str(entry.revision), *origin, name_of(entry), what_of(entry))
        table.add_row(*row, style="" if entry.current else "dim")
    return table


def name_of(entry: RevisionEntry) -> str:
    """The document's id; a sibling has the name of its place, too."""
    return f"{entry.document_id}~{entry.origin}" if entry.sibling_of else entry.document_id


def what_of(entry: RevisionEntry) -> str:
    """What the revision is, and what it gives way to."""
    kind = "deleted" if entry.deleted else "current" if entry.current else "earlier"
    if entry.sibling_of:
        kind += f", sibling: {entry.sibling_of} stands"
    elif entry.shadowed_by:
        kind += f", replaced by {entry.shadowed_by}"
    return kind


def heading(revision: RevisionText) -> str:
    """One line about a revision."""
    manifest = revision.manifest
    pages = f", {manifest.pages} pages" if manifest.pages else ""
    gone = ", deleted" if manifest.deleted else ""
    return (
        f"{manifest.document_id}  revision {manifest.revision} from {revision.origin}, {manifest.residency.value},"
        f" {len(manifest.places)} chunks{pages}{gone}"
    )


def text_of(revision: RevisionText) -> str:
    """The texts of the chunks, a blank line between them."""
    return "\n\n".join(chunk.text for chunk in revision.chunks)


def difference(old: RevisionText, new: RevisionText) -> list[tuple[str, str]]:
    """A unified diff as lines with their style; empty when nothing differs."""
    before, after = _lines(old), _lines(new)
    first, second = (f"{one.manifest.document_id}  revision {one.manifest.revision}" for one in (old, new))
    lines = unified_diff(before, after, first, second, lineterm="")
    return [(line, "bold" if number < 2 else _STYLE.get(line[:1], "")) for number, line in enumerate(lines)]


def _lines(revision: RevisionText) -> list[str]:
    manifest = revision.manifest
    about = {"title": manifest.title, "residency": manifest.residency.value} | dict(sorted(manifest.metadata.items()))
    head = [f"{name}: {value}" for name, value in about.items()]
    return [*head, "", *text_of(revision).splitlines()]


def _when(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ") if unix_ms else "not known"
