"""Sealed copies of the lexical indexes beside the vault's records, so that a start need not cut every text again.

Disposable: the records are the truth. Chunk ids are hashes of their text, so a copy of any moment is brought up to date
by the difference of ids; one that can not be used is left aside, and the records are cut as before.
"""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from causeway.edge_inference.chunk_terms import terms_edition
from causeway.edge_inference.envelope import Kind
from causeway.edge_inference.sealed_file import SealedFileError, read_sealed, write_sealed
from causeway.edge_inference.vault import Vault
from causeway.retrieval import LexicalIndex

# A copy of 100,000 chunks costs 0.5 s and 80 MB of writes, and saves 0.2 ms for each chunk that it is ahead by.
_SHARE_WHEN_QUIET = 0.05
_SHARE_IN_BACKLOG = 0.25
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SnapshotRule:
    """When a new copy is worth its writing."""

    after_chunks: int = 1_000
    age_max_s: float = 3_600.0

    def due(self, *, changed: int, held: int, age_s: float, quiet: bool) -> bool:
        """`changed` chunks of `held` came or went since the last copy; `quiet` says that no backlog is being read."""
        if not changed:
            return False
        share = _SHARE_WHEN_QUIET if quiet else _SHARE_IN_BACKLOG
        return age_s >= self.age_max_s or changed >= max(self.after_chunks, share * held)


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """The copy on disk."""

    age_s: float
    size_bytes: int


class Snapshots:
    """One file for each knowledge base. Threads take turns."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._turn = threading.Lock()
        self._kids: dict[str, str] = {}

    def path(self, kb: str) -> Path:
        """The file of a knowledge base that the vault knows, by its number: the name is not for the disk."""
        return self._vault.folder / f"lexical-{self._vault.kb_numbers[kb]}.snapshot"

    def file(self, kb: str) -> SnapshotFile | None:
        """The copy on disk, if there is one."""
        try:
            found = self.path(kb).stat()
        except (FileNotFoundError, KeyError):
            return None
        return SnapshotFile(max(0.0, time.time() - found.st_mtime), found.st_size)

    def outlives_its_key(self, kb: str) -> bool:
        """Whether the copy was sealed by a key that is being retired."""
        return self._kids.get(kb, self._vault.ring.active.kid) != self._vault.ring.active.kid

    def load(self, kb: str) -> LexicalIndex:
        """The index as it was copied, or an empty one, with a line in the log that says why."""
        index, began = LexicalIndex(), time.perf_counter()
        try:
            number, envelope = self._vault.kb_numbers[kb], self._vault.envelope
            head, body = read_sealed(self.path(kb), envelope, Kind.SNAPSHOT, number, terms_edition())
            index.restore(body)
        except FileNotFoundError:
            _log.info("there is no snapshot of the lexical index: it is made from the records", extra={"kb": kb})
        except (SealedFileError, ValueError, OSError) as error:
            about = {"kb": kb, "reason": str(error)}
            _log.warning("the snapshot of the lexical index is left aside: it is made from the records", extra=about)
        else:
            self._kids[kb] = head.kid
            took = {"kb": kb, "chunks": len(index), "seconds": round(time.perf_counter() - began, 3)}
            _log.info("the lexical index is loaded from its snapshot", extra=took)
        return index

    def save(self, kb: str, index: LexicalIndex) -> bool:
        """Copy what the index holds now. Returns False, with a line in the log, where the disk refused."""
        began = time.perf_counter()
        with self._turn:
            number, envelope = self._vault.kb_numbers[kb], self._vault.envelope
            body = index.dump()
            try:
                seals = write_sealed(self.path(kb), envelope, Kind.SNAPSHOT, number, terms_edition(), body)
            except OSError as error:
                _log.warning("no snapshot of the lexical index was written", extra={"kb": kb, "reason": str(error)})
                return False
            self._kids[kb] = envelope.kid
        self._vault.count_seals(seals)
        took = {"kb": kb, "bytes": len(body), "seconds": round(time.perf_counter() - began, 3)}
        _log.info("a snapshot of the lexical index is written", extra=took)
        return True
