"""The egress ledger for operators: its newest lines, or those after a number, and whether its chain holds."""

from dataclasses import dataclass

from causeway.bus import Caller
from causeway.proto.link import Ledger, LedgerAsked, LedgerLine
from causeway.sync_delta import ledger
from causeway.sync_delta.outbox_tables import Outbox
from causeway.sync_delta.state import State


@dataclass(frozen=True, kw_only=True)
class LedgerServing:
    """Reads only."""

    state: State

    async def lines(self, caller: Caller, asked: LedgerAsked) -> Ledger:
        """The lines asked for, oldest first."""
        return await self.state.read(lambda tables: read(tables.outbox, asked))


def read(outbox: Outbox, asked: LedgerAsked) -> Ledger:
    """What the tables say."""
    last = outbox.line_last()
    total = last.number if last is not None else 0
    after = max(0, total - asked.lines_max) if asked.newest else asked.after
    lines: list[LedgerLine] = []
    for line in outbox.lines(after):
        if len(lines) == asked.lines_max:
            break
        lines.append(_shown(line))
    broken = ledger.verify(outbox.lines()) if asked.verify else None
    return Ledger(
        lines=lines,
        total=total,
        broken_at=broken.number if broken else 0,
        broken_reason=broken.reason if broken else "",
    )


def _shown(line: ledger.Line) -> LedgerLine:
    return LedgerLine(
        number=line.number,
        at_unix_ms=line.at_unix_ms,
        kb=line.kb,
        document_id=line.document_id,
        revision=line.revision,
        label=line.label,
        action=line.action,
        reason=line.reason,
        chunks=line.chunks,
        bytes_out=line.bytes_out,
        hash=line.hash,
    )
