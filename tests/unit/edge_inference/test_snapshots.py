"""A start takes the terms from a sealed copy, makes up the difference, and never needs the copy."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from causeway.edge_inference import chunk_terms, replica, sealed_file, snapshots
from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.knowledge_index import KnowledgeIndex, KnowledgeIndexes
from causeway.edge_inference.records import ChunkRecord
from causeway.edge_inference.replica import LogEntry, Replica, SweepRule
from causeway.edge_inference.rotation import Resealing, rotate_data_key
from causeway.edge_inference.snapshots import SnapshotRule
from causeway.edge_inference.vault import Vault
from causeway.proto.chunks import Manifest
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from tests.support.knowledge_builders import CREATED, DIMS, KB, KEK, chunk, chunk_id, open_vault, revision

TEXTS = ["The gate opens at seven.", "年假为十二天，须提前申请。", "The canteen serves lunch."]
QUESTIONS = [["gate", "open"], ["年", "年假"], ["lunch"], ["the"], ["blue"]]


def opened(folder: Path, kek: bytes = KEK) -> Replica:
    """A replica over the vault in a folder, not loaded yet."""
    indexes = KnowledgeIndexes("test-model", DIMS, lambda: ExactIndex(DIMS))
    return Replica(open_vault(folder, kek), indexes, SweepRule(), lambda: 1_000)


def loaded(folder: Path) -> Replica:
    """The same, loaded."""
    one = opened(folder)
    one.load()
    return one


def tell(one: Replica, document_id: str, texts: list[str], number: int, *, seq: int) -> None:
    """Give a replica a revision of a document, as the log does."""
    chunks = [chunk(text, seq + place) for place, text in enumerate(texts)]
    manifest: Manifest = revision(document_id, texts, number, seq + len(texts)).manifest
    messages: list[ChunkEmbedded | DocumentRevised] = [
        ChunkEmbedded(
            kb=KB,
            chunk_id=one.chunk_id,
            model=one.record.model,
            language=one.record.language,
            context=one.record.context,
            text=one.record.text,
            dims=DIMS,
            vector_f16=one.record.vector_f16,
        )
        for one in chunks
    ]
    entries = [*messages, DocumentRevised(manifest=manifest)]
    one.apply([LogEntry(seq=seq + place, message=message) for place, message in enumerate(entries)], CREATED)


def index_of(one: Replica) -> KnowledgeIndex:
    index = one.indexes.of(KB)
    assert index is not None
    return index


def found(one: Replica) -> dict[str, float]:
    """What searches find, by id: a rebuilt index may hold its chunks in another order."""
    return {
        f"{number} {chunk.hex()}": score
        for number, question in enumerate(QUESTIONS)
        for chunk, score in index_of(one).lexical.search(question, 9)
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A vault that was filled and closed in order, so that it has a snapshot."""
    one = loaded(tmp_path)
    tell(one, "a", TEXTS, 1, seq=1)
    one.close()
    return tmp_path


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are cut into terms from now on."""
    texts: list[str] = []

    def terms_of(record: ChunkRecord) -> list[str]:
        texts.append(record.text)
        return chunk_terms.terms_of(record)

    monkeypatch.setattr("causeway.edge_inference.knowledge_index.terms_of", terms_of)
    return texts


def test_a_start_after_an_orderly_stop_cuts_no_text(folder: Path, cut: list[str]) -> None:
    one = loaded(folder)
    assert cut == []
    fresh = opened(folder / "fresh")
    fresh.load()
    tell(fresh, "a", TEXTS, 1, seq=1)
    assert found(one) == pytest.approx(found(fresh))
    assert index_of(one).dense.search(chunk("x", 1).record.vector(), 9)
    assert index_of(one).uncopied == 0


def test_only_the_difference_is_cut_and_what_went_is_forgotten(folder: Path, cut: list[str]) -> None:
    kept = (folder / "lexical-1.snapshot").read_bytes()
    one = loaded(folder)
    tell(one, "a", [*TEXTS[1:], "A blue door."], 2, seq=10)
    one.close()
    (folder / "lexical-1.snapshot").write_bytes(kept)  # As after SIGKILL: the copy is older than the vault.
    cut.clear()
    again = loaded(folder)
    assert cut == ["A blue door."]
    assert index_of(again).lexical.ids() == {chunk_id(text) for text in (*TEXTS[1:], "A blue door.")}
    assert index_of(again).uncopied == 2


def damage_missing(path: Path) -> None:
    path.unlink()


def damage_byte(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[-20] ^= 1
    path.write_bytes(body)


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def damage_head(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[14] ^= 0x7F
    path.write_bytes(body)


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_key(path: Path) -> None:
    other = opened(path.parent / "other")
    other.load()
    tell(other, "a", ["planted"], 1, seq=1)
    other.close()
    path.write_bytes((path.parent / "other" / path.name).read_bytes())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_missing, "there is no snapshot"),
        (damage_byte, "left aside"),
        (damage_cut, "left aside"),
        (damage_head, "left aside"),
        (damage_empty, "left aside"),
        (damage_key, "left aside"),
    ],
)
def test_a_copy_that_can_not_be_used_is_left_aside_with_a_line_in_the_log(
    folder: Path, cut: list[str], caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], said: str
) -> None:
    before = found(loaded(folder))
    damage(folder / "lexical-1.snapshot")
    cut.clear()
    with caplog.at_level(logging.INFO):
        one = loaded(folder)
    assert said in caplog.text
    assert sorted(cut) == sorted(TEXTS)
    assert found(one) == pytest.approx(before)


def test_a_copy_of_terms_that_another_edition_cut_is_left_aside(
    folder: Path, cut: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshots, "terms_edition", lambda: bytes(16))
    loaded(folder)
    assert "another edition" in str([record.__dict__.get("reason") for record in caplog.records])
    assert sorted(cut) == sorted(TEXTS)


def test_the_copy_of_another_knowledge_base_does_not_open(folder: Path, cut: list[str]) -> None:
    (folder / "lexical-2.snapshot").write_bytes((folder / "lexical-1.snapshot").read_bytes())
    vault = open_vault(folder)
    vault._numbers["other"] = 2
    assert len(snapshots.Snapshots(vault).load(KB)) == 3
    assert len(snapshots.Snapshots(vault).load("other")) == 0


def test_a_copy_of_many_frames_is_whole_and_its_frames_can_not_change_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_file, "FRAME_BYTES", 64)
    one = loaded(tmp_path)
    tell(one, "a", TEXTS, 1, seq=1)
    one.close()
    path = tmp_path / "lexical-1.snapshot"
    body = path.read_bytes()
    assert len(snapshots.Snapshots(open_vault(tmp_path)).load(KB)) == 3
    frame = 64 + 12 + 16
    head = 12 + int.from_bytes(body[8:12], "little")
    first, second = body[head : head + frame], body[head + frame : head + 2 * frame]
    path.write_bytes(body[:head] + second + first + body[head + 2 * frame :])
    assert len(snapshots.Snapshots(open_vault(tmp_path)).load(KB)) == 0


def test_no_terms_stand_in_clear_in_the_folder(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert "lexical-1.snapshot" in names
    secrets = [*(term.encode() for term in ("canteen", "lunch", "年假", "十二", "gate")), KB.encode()]
    secrets += [chunk_id(text)[:8] for text in TEXTS]
    body = (folder / "lexical-1.snapshot").read_bytes()
    assert [secret for secret in secrets if secret in body] == []
    assert (folder / "lexical-1.snapshot").stat().st_mode & 0o077 == 0


def test_a_disk_that_refuses_the_copy_stops_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "write_sealed", full)
    one = loaded(folder)
    tell(one, "b", ["A blue door."], 1, seq=20)
    assert not one.save_snapshot(KB)
    assert index_of(one).uncopied == 1
    one.close()
    assert "no snapshot of the lexical index was written" in caplog.text


def test_a_copy_outlives_no_rotation_of_its_key(folder: Path) -> None:
    rotate_data_key(folder, KEK, now=False)
    one = loaded(folder)
    assert len(index_of(one).lexical) == 3
    assert one.snapshots.outlives_its_key(KB)
    assert one.save_snapshot(KB)
    assert not one.snapshots.outlives_its_key(KB)
    resealing = Resealing(one.vault, KEK)
    while not resealing.step():
        pass
    one.close()
    assert len(index_of(loaded(folder)).lexical) == 3


def test_seals_of_copies_count_against_the_limit_of_the_key(folder: Path) -> None:
    one = loaded(folder)
    tell(one, "b", ["A blue door."], 1, seq=20)
    before = one.vault.state.seals
    one.save_snapshot(KB)
    tell(one, "c", ["Another door."], 1, seq=30)
    plain = Vault(folder, one.vault.ring).state.seals
    # A chunk, a manifest, a state, and the one frame of the copy.
    assert plain - before == 4


def test_many_chunks_without_terms_are_left_for_later_and_new_ones_are_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "lexical-1.snapshot").unlink()
    monkeypatch.setattr(replica, "BEHIND_AT_START_MAX", 1)
    monkeypatch.setattr(replica, "CUT_PER_STEP", 1)
    one = loaded(folder)
    index = index_of(one)
    assert (len(index), len(index.behind), len(index.lexical)) == (3, 3, 0)
    tell(one, "b", ["A blue door.", TEXTS[0]], 1, seq=20)
    assert index.lexical.ids() == {chunk_id("A blue door."), chunk_id(TEXTS[0])}
    assert set(index.behind) == {chunk_id(TEXTS[1]), chunk_id(TEXTS[2])}
    assert one.catch_up()
    (left,) = index.behind
    tell(one, "a", [text for text in TEXTS if chunk_id(text) != left], 2, seq=30)
    assert not index.behind
    assert index.lexical.ids() == {chunk_id(text) for text in ("A blue door.", *TEXTS)} - {left}
    assert not one.catch_up()


@pytest.mark.parametrize(
    ("changed", "held", "age_s", "quiet", "due"),
    [
        (0, 100_000, 1e9, True, False),
        (1, 100_000, 60.0, True, False),
        (1, 100_000, 3_600.0, True, True),
        (1, 10, float("inf"), True, True),
        (999, 5_000, 60.0, True, False),
        (1_000, 5_000, 60.0, True, True),
        (4_999, 100_000, 60.0, True, False),
        (5_000, 100_000, 60.0, True, True),
        (5_000, 100_000, 60.0, False, False),
        (25_000, 100_000, 60.0, False, True),
    ],
)
def test_a_copy_is_due_when_it_saves_more_than_it_costs(
    changed: int, held: int, age_s: float, quiet: bool, due: bool
) -> None:
    assert SnapshotRule().due(changed=changed, held=held, age_s=age_s, quiet=quiet) is due
