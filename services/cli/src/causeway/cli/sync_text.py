"""The state of the link, comparisons and the egress ledger as tables for a terminal. Pure."""

from datetime import UTC, datetime

from rich.markup import escape
from rich.table import Table

from causeway.proto.link import Ledger, LinkStatus, PeerStatus, Verified
from causeway.proto.subjects import HUB

SHOWN_MAX = 100


def status_lines(status: LinkStatus) -> list[str]:
    """Where we are, how far the log is, and what needs a person."""
    epoch = ", ".join(f"{place} {seq}" for place, seq in sorted(status.epoch.items())) or "nothing yet"
    name = "Hub" if status.place == HUB else f"Site [bold]{status.place}[/]"
    lines = [f"{name}, epoch: {epoch}"]
    if status.siblings:
        lines.append(
            f"[yellow]{len(status.siblings)} siblings[/] of documents that were written at two places at once:"
        )
        lines += [f"  {escape(sibling)}" for sibling in status.siblings[:SHOWN_MAX]]
    lines += [f"artifact {escape(name)}: {escape(version)}" for name, version in sorted(status.artifacts.items())]
    if not status.peers:
        lines.append("No link: this site has not joined a hub. At the hub: causeway site add NAME --out NAME.join")
    return lines


def peers_table(status: LinkStatus) -> Table:
    """A row for each direction of each link."""
    table = Table(title="Links", title_justify="left")
    for column in ("link", "", "lag", "waiting", "withheld", "last verified (UTC)"):
        table.add_column(column)
    for peer in status.peers:
        table.add_row(
            f"{peer.origin} → {peer.replica}",
            "[green]up[/]" if peer.connected else "[red]down[/]",
            f"{peer.lag_messages} messages\n{size_text(peer.lag_bytes)}, {peer.lag_s:.1f} s",
            str(peer.queued),
            str(peer.withheld),
            _verified(peer),
        )
    return table


def _verified(peer: PeerStatus) -> str:
    if not peer.verified_unix_ms:
        return "[dim]never[/]"
    return (
        f"[green]equal[/] {moment(peer.verified_unix_ms)}"
        if peer.verified_equal
        else (f"[red]different[/] {moment(peer.verified_unix_ms)}")
    )


def differences_table(verified: Verified) -> Table:
    """A row for each document that differs."""
    table = Table(title=f"Differences ({len(verified.differences)})", title_justify="left")
    for column in ("knowledge base", "document", "wrong at", "what", "now"):
        table.add_column(column, overflow="fold")
    for each in verified.differences[:SHOWN_MAX]:
        name = each.document_id or each.document_key.hex()
        mended = "[green]mended[/]" if each.repaired else "[red]different[/]"
        table.add_row(each.kb, escape(name), each.wrong_at, escape(each.what), mended)
    return table


def verdict_line(verified: Verified) -> str:
    """One sentence: equal or not, how many documents, at what cost."""
    sent, received = size_text(verified.bytes_sent), size_text(verified.bytes_received)
    cost = f"{verified.rounds} rounds, {sent} sent, {received} received"
    late = " Not all that was shared had arrived: what differs may only be late." if verified.unsettled else ""
    if verified.equal:
        return f"[green]Equal[/]: {verified.documents} documents ({cost}).{late}"
    left = sum(not each.repaired for each in verified.differences)
    return f"[red]Different[/]: {left} of {verified.documents} documents ({cost}).{late}"


def ledger_table(ledger: Ledger) -> Table:
    """A row for each line."""
    table = Table(title=f"Left this place ({ledger.total} lines)", title_justify="left")
    table.add_column("line", justify="right")
    for column in ("when (UTC)", "knowledge base", "document", "label", "action"):
        table.add_column(column, overflow="fold")
    for column in ("chunks", "bytes"):
        table.add_column(column, justify="right")
    table.add_column("hash")
    for line in ledger.lines:
        table.add_row(
            str(line.number),
            moment(line.at_unix_ms),
            line.kb,
            escape(line.document_id),
            line.label,
            line.action,
            str(line.chunks),
            size_text(line.bytes_out),
            line.hash.hex()[:12],
        )
    return table


def size_text(size: int) -> str:
    """Bytes for people: 999 B, 1.2 kB, 3.4 MB."""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def moment(unix_ms: int) -> str:
    """A time to the second, UTC."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
