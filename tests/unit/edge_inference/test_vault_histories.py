"""Any history of the log, cut into any batches and replayed from any point, ends where a plain model ends."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.edge_inference.records import Chunk, Revision
from causeway.edge_inference.vault_reader import VaultReader
from tests.support.knowledge_builders import KB, batch, chunk, chunk_id, open_vault, revision

Entry = Chunk | Revision


@dataclass
class Model:
    """The newest revision of each document, and the chunks that ever came."""

    documents: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    came: set[str] = field(default_factory=set)

    def put(self, document: str, number: int, texts: list[str]) -> None:
        """A document and its chunks."""
        self.came |= set(texts)
        if number >= self.documents.get(document, (0, frozenset()))[0]:
            self.documents[document] = (number, frozenset(texts))

    def named(self) -> set[bytes]:
        """What an index must hold."""
        return {chunk_id(text) for _, texts in self.documents.values() for text in texts if text in self.came}


STEP = st.tuples(
    st.sampled_from("abc"),
    st.integers(1, 9),
    st.lists(st.sampled_from("uvwxyz"), max_size=4, unique=True),
    st.booleans(),
)


def entries_of(steps: list[tuple[str, int, list[str], bool]], model: Model) -> list[Entry]:
    """The log of a history: each step is a document's chunks and its manifest, or its tombstone."""
    entries: list[Entry] = []
    for document, number, texts, deleted in steps:
        kept = [] if deleted else texts
        entries += [chunk(text, len(entries) + 1 + place) for place, text in enumerate(kept)]
        entries.append(revision(document, kept, number, len(entries) + 1, deleted=deleted))
        model.put(document, number, kept)
    return entries


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(STEP, min_size=1, max_size=10),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    again_from=st.integers(0, 20),
)
def test_any_history_ends_where_the_model_ends(
    steps: list[tuple[str, int, list[str], bool]], sizes: list[int], again_from: int
) -> None:
    model = Model()
    log = entries_of(steps, model)
    with tempfile.TemporaryDirectory() as folder:
        vault = open_vault(Path(folder))
        indexed: set[bytes] = set()
        for entries in (log, log[again_from:]):
            rest = list(entries)
            while rest:
                size = sizes[len(rest) % len(sizes)]
                change = vault.apply(batch(*rest[:size]))
                assert not change.missing
                indexed -= {chunk for _, chunk in change.unindexed}
                indexed |= {chunk for _, chunk in change.indexed}
                rest = rest[size:]
        vault.remove_idle(vault.idle_chunks(dropped_before_ms=1_000, pending_before_ms=0, limit=99))
        vault.verify()
        named = {chunk for chunk, _ in VaultReader(vault).named_chunks(KB)}
        assert named == indexed == model.named()
        vault.close()
        open_vault(Path(folder)).verify()
