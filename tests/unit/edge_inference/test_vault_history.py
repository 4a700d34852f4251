"""The vault keeps earlier revisions for as long as the rule says, sealed, and nothing of them afterwards."""

import sqlite3
from pathlib import Path

import pytest

from causeway.bus import ProblemReply
from causeway.edge_inference.answer_index import DocumentName
from causeway.edge_inference.history_reader import HistoryReader
from causeway.edge_inference.history_rule import HistoryRule
from causeway.edge_inference.recalling import parts_of
from causeway.edge_inference.vault import Vault
from causeway.edge_inference.vault_reader import VaultReader
from causeway.proto.history import HistoryAsked, RevisionAsked, RevisionEntry
from tests.support.knowledge_builders import KB, batch, chunk_id, document, open_vault, revision

SITE = "branch-1"
DAY_MS = 86_400_000
NOW_MS = 1_000 * DAY_MS
OLD = "The safe combination is 1234."
NEW = "The safe combination is secret."
SHARED = "The safe is in the cellar."


def log(vault: Vault, document_id: str = "", revisions_max: int = 100, before: int = 0) -> list[RevisionEntry]:
    """What a reader tells of a kb or a document."""
    asked = HistoryAsked(kb=KB, document_id=document_id, revisions_max=revisions_max, before=before)
    return HistoryReader(SITE, vault).log(asked).revisions


def texts(vault: Vault, document_id: str, number: int = 0, at_seq: int = 0) -> list[str]:
    """The texts of a revision."""
    asked = RevisionAsked(kb=KB, document_id=document_id, revision=number, at_seq=at_seq)
    return [record.text for record in HistoryReader(SITE, vault).revision(asked).texts]


def sweep(vault: Vault) -> int:
    """Erase whatever no manifest names."""
    return vault.remove_idle(vault.idle_chunks(dropped_before_ms=1 << 60, pending_before_ms=1 << 60, limit=99))


def rows(vault: Vault, table: str) -> int:
    """How many rows a table has, seen by another connection."""
    connection = sqlite3.connect(vault.folder / "vault.db")
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(count)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """Two revisions of a document; the second changed one of two chunks; swept."""
    vault = open_vault(tmp_path, clock_ms=NOW_MS)
    vault.apply(document("safe.md", [OLD, SHARED], number=1, seq=1, at_ms=NOW_MS - 2 * DAY_MS))
    vault.apply(document("safe.md", [NEW, SHARED], number=2, seq=5, at_ms=NOW_MS - DAY_MS))
    assert sweep(vault) == 1
    return vault


def test_an_earlier_revision_is_whole_after_its_chunks_were_swept(vault: Vault) -> None:
    assert texts(vault, "safe.md", 1) == [OLD, SHARED]
    assert texts(vault, "safe.md", 2) == texts(vault, "safe.md") == [NEW, SHARED]
    vault.verify()


def test_a_text_that_only_history_names_is_in_no_index_and_has_no_vector(vault: Vault) -> None:
    reader = VaultReader(vault)
    assert {chunk for chunk, _ in reader.named_chunks(KB)} == {chunk_id(NEW), chunk_id(SHARED)}
    assert reader.chunk(KB, chunk_id(OLD)) is None
    asked = RevisionAsked(kb=KB, document_id="safe.md", revision=1)
    record = HistoryReader(SITE, vault).revision(asked).texts[0]
    assert (record.text, record.vector_f16) == (OLD, b"")


def test_the_log_tells_each_revision_with_the_epoch_that_it_took_effect_at(vault: Vault) -> None:
    vault.apply(batch(revision("safe.md", [], 3, 9, deleted=True, at_ms=NOW_MS)))
    vault.apply(document("other.md", ["Else."], number=4, seq=10, at_ms=NOW_MS))
    told = [(one.document_id, one.revision, one.seq, one.current, one.deleted) for one in log(vault)]
    assert told == [
        ("other.md", 4, 11, True, False),
        ("safe.md", 3, 9, True, True),
        ("safe.md", 2, 7, False, False),
        ("safe.md", 1, 3, False, False),
    ]
    assert {one.origin for one in log(vault)} == {SITE}
    assert [one.revision for one in log(vault, "safe.md")] == [3, 2, 1]


def test_pages_of_the_log_follow_each_other_without_gap_or_repeat(vault: Vault) -> None:
    for number in range(3, 10):
        vault.apply(document("safe.md", [f"text {number}"], number=number, seq=10 * number, at_ms=NOW_MS))
    whole = [one.revision for one in log(vault)]
    paged, before = [], 0
    while True:
        asked = HistoryAsked(kb=KB, revisions_max=2, before=before)
        page = HistoryReader(SITE, vault).log(asked)
        paged += [one.revision for one in page.revisions]
        before = page.next_before
        if not before:
            break
    assert paged == whole == list(range(9, 0, -1))


def test_what_stood_at_an_epoch_is_found(vault: Vault) -> None:
    vault.apply(batch(revision("safe.md", [], 3, 9, deleted=True, at_ms=NOW_MS)))
    assert texts(vault, "safe.md", at_seq=4) == [OLD, SHARED]
    assert texts(vault, "safe.md", at_seq=8) == [NEW, SHARED]
    assert texts(vault, "safe.md", at_seq=9) == []
    with pytest.raises(ProblemReply) as nothing_yet:
        texts(vault, "safe.md", at_seq=2)
    assert nothing_yet.value.problem.code == "unknown_revision"
    assert "kb log" in nothing_yet.value.problem.mend


def test_a_document_or_kb_that_is_not_held_is_a_problem_with_the_mend(vault: Vault) -> None:
    with pytest.raises(ProblemReply) as document_problem:
        log(vault, "never.md")
    assert document_problem.value.problem.code == "unknown_document"
    with pytest.raises(ProblemReply) as kb_problem:
        HistoryReader(SITE, vault).log(HistoryAsked(kb="nowhere"))
    assert kb_problem.value.problem.code == "unknown_kb"


def test_only_so_many_revisions_are_kept_and_the_oldest_says_that_there_were_more(tmp_path: Path) -> None:
    vault = open_vault(tmp_path, clock_ms=NOW_MS, rule=HistoryRule(revisions_max=2))
    for number in range(1, 6):
        vault.apply(document("safe.md", [f"text {number}"], number=number, seq=10 * number, at_ms=NOW_MS))
        sweep(vault)
    entries = log(vault)
    assert [(one.revision, one.earlier_gone) for one in entries] == [(5, False), (4, False), (3, True)]
    assert texts(vault, "safe.md", 3) == ["text 3"]
    assert rows(vault, "record WHERE kind = 8") == 2
    vault.verify()


def test_a_document_that_is_purged_by_age_leaves_nothing_of_its_past(vault: Vault) -> None:
    vault.apply(batch(revision("safe.md", [], 3, 9, deleted=True, at_ms=NOW_MS)))
    sweep(vault)
    vault.close()
    later = open_vault(vault.folder, clock_ms=NOW_MS + 91 * DAY_MS)
    assert later.prune_past(10) == 1
    assert later.prune_past(10) == 0
    later.verify()
    assert rows(later, "record WHERE kind IN (2, 3, 6, 8)") == 0
    assert rows(later, "past") == 0
    assert [(one.revision, one.earlier_gone) for one in log(later)] == [(3, True)]
    later.close()
    assert all(secret not in (later.folder / "vault.db").read_bytes() for secret in (OLD.encode(), NEW.encode()))


@pytest.mark.parametrize("rule", [HistoryRule(revisions_max=0), HistoryRule(days_max=0)], ids=["no number", "no days"])
def test_nothing_is_kept_where_the_rule_says_none(tmp_path: Path, rule: HistoryRule) -> None:
    vault = open_vault(tmp_path, clock_ms=NOW_MS, rule=rule)
    vault.apply(document("safe.md", [OLD], number=1, seq=1, at_ms=NOW_MS))
    vault.apply(batch(revision("safe.md", [], 2, 5, deleted=True, at_ms=NOW_MS)))
    sweep(vault)
    assert rows(vault, "record WHERE kind IN (2, 3, 6, 8)") == 0
    assert [(one.revision, one.earlier_gone) for one in log(vault)] == [(2, True)]
    vault.verify()


def test_a_rule_that_became_stricter_prunes_what_was_kept_before(vault: Vault) -> None:
    vault.close()
    stricter = open_vault(vault.folder, clock_ms=NOW_MS, rule=HistoryRule(revisions_max=0))
    assert stricter.prune_past(10) == 1
    assert stricter.prune_past(10) == 0
    assert rows(stricter, "record WHERE kind IN (6, 8)") == 0
    assert [one.revision for one in log(stricter)] == [2]
    stricter.verify()


def test_a_text_is_searched_again_when_its_document_is_restored(vault: Vault) -> None:
    change = vault.apply(document("safe.md", [OLD, SHARED], number=3, seq=20, at_ms=NOW_MS))
    assert change.indexed == {(KB, chunk_id(OLD)), (KB, chunk_id(SHARED))}
    assert rows(vault, "record WHERE kind = 8") == 0
    sweep(vault)
    assert texts(vault, "safe.md", 2) == [NEW, SHARED]
    vault.verify()


def test_a_text_that_two_pasts_name_stays_until_both_are_gone(tmp_path: Path) -> None:
    vault = open_vault(tmp_path, clock_ms=NOW_MS, rule=HistoryRule(revisions_max=1))
    for number, name in ((1, "a"), (2, "b")):
        vault.apply(document(name, [OLD], number=number, seq=10 * number, at_ms=NOW_MS))
    for number, name in ((3, "a"), (4, "b"), (5, "a")):
        vault.apply(document(name, [f"text {number}"], number=number, seq=10 * number, at_ms=NOW_MS))
        sweep(vault)
    assert texts(vault, "b", 2) == [OLD]
    vault.apply(document("b", ["last"], number=6, seq=60, at_ms=NOW_MS))
    sweep(vault)
    connection = sqlite3.connect(vault.folder / "vault.db")
    held = {row_id for (row_id,) in connection.execute("SELECT id FROM record WHERE kind = 8")}
    assert held == {chunk_id("text 3"), chunk_id("text 4")}
    vault.verify()


def test_what_stood_in_an_earlier_log_is_told_without_an_epoch_and_found_by_its_revision(vault: Vault) -> None:
    vault.begin_history()
    vault.restart_log(7)
    vault.apply(batch(revision("safe.md", [NEW, SHARED], 2, 3, at_ms=NOW_MS), created=7))
    vault.apply(document("safe.md", ["Third."], number=3, seq=8, at_ms=NOW_MS))
    assert [(one.revision, one.seq) for one in log(vault)] == [(3, 9), (2, 0), (1, 0)]
    assert texts(vault, "safe.md", at_seq=8) == [NEW, SHARED]
    assert texts(vault, "safe.md", at_seq=1) == [NEW, SHARED]


def test_a_revision_that_is_put_again_took_effect_when_it_first_did(vault: Vault) -> None:
    renamed = document("safe.md", ["The same under other names."], number=2, seq=30, at_ms=NOW_MS)
    assert vault.apply(renamed).revisions
    sweep(vault)
    assert [(one.revision, one.seq, one.at_unix_ms) for one in log(vault)] == [
        (2, 7, NOW_MS - DAY_MS),
        (1, 3, NOW_MS - 2 * DAY_MS),
    ]
    assert texts(vault, "safe.md", at_seq=8) == ["The same under other names."]
    vault.verify()


def test_a_document_that_is_published_again_unchanged_adds_nothing_to_its_history(vault: Vault) -> None:
    for number in range(3, 40):
        vault.apply(document("safe.md", [NEW, SHARED], number=number, seq=10 * number, at_ms=NOW_MS))
    assert [(one.revision, one.seq, one.current) for one in log(vault)] == [(39, 7, True), (1, 3, False)]
    assert texts(vault, "safe.md", 20) == texts(vault, "safe.md", 39) == [NEW, SHARED]
    vault.apply(document("safe.md", ["Else."], number=50, seq=900, at_ms=NOW_MS))
    sweep(vault)
    assert [one.revision for one in log(vault)] == [50, 39, 1]
    assert texts(vault, "safe.md", 20) == [NEW, SHARED]
    with pytest.raises(ProblemReply):
        texts(vault, "safe.md", 45)
    vault.verify()


def test_the_history_is_whole_from_where_the_end_of_the_log_was_first_reached(vault: Vault) -> None:
    assert HistoryReader(SITE, vault).log(HistoryAsked(kb=KB)).complete_from == 0
    vault.begin_history()
    assert HistoryReader(SITE, vault).log(HistoryAsked(kb=KB)).complete_from == 7
    vault.apply(document("late.md", ["Late."], number=9, seq=20, at_ms=NOW_MS))
    vault.begin_history()
    assert HistoryReader(SITE, vault).log(HistoryAsked(kb=KB)).complete_from == 7


def test_a_large_revision_comes_in_parts_whose_texts_are_all_of_it(tmp_path: Path) -> None:
    vault = open_vault(tmp_path, clock_ms=NOW_MS)
    pieces = [f"{number} " + "long text " * 2_000 for number in range(20)]
    vault.apply(document("long.md", pieces, number=1, seq=1, at_ms=NOW_MS))
    recalled = HistoryReader(SITE, vault).revision(RevisionAsked(kb=KB, document_id="long.md"))
    parts = list(parts_of(recalled, SITE))
    assert [text.text for part in parts for text in part.chunks] == pieces
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert len(parts[0].manifest.places) == 20
    assert all(not part.manifest.places for part in parts[1:])
    assert max(sum(len(text.text) for text in part.chunks) for part in parts) <= 120_000


def test_the_documents_that_ever_came_into_the_log_are_known_by_their_origin_deleted_ones_too(tmp_path: Path) -> None:
    vault = open_vault(tmp_path, rule=HistoryRule(revisions_max=0, days_max=0.0))
    vault.apply(document("safe.md", [OLD], number=1, seq=1, origin="hub"))
    vault.apply(document("safe.md", [OLD], number=1, seq=3))
    vault.apply(document("gone.md", [NEW], number=1, seq=5, origin="hub"))
    vault.apply(batch(revision("gone.md", [], 2, 7, deleted=True, origin="hub")))
    asked = [
        DocumentName(kb, origin, name)
        for kb in (KB, "other")
        for origin in ("", "hub", "plant-1")
        for name in ("safe.md", "gone.md", "never.md")
    ]
    assert HistoryReader(SITE, vault).carried(asked) == {
        DocumentName(KB, "", "safe.md"),
        DocumentName(KB, "hub", "safe.md"),
        DocumentName(KB, "hub", "gone.md"),
    }
