"""The gate lets public revisions leave, and nothing else but the fact that a document is gone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.sync_delta.residency import Action, NothingLeavesError, gate, leaving, table

DOCUMENT = Path(__file__).parents[3] / "services" / "sync-delta" / "ENCODING.md"
labels = st.sampled_from(list(Residency))


def manifest(label: Residency, deleted: bool = False) -> Manifest:
    return Manifest(
        kb="kb",
        document_id="plan",
        document_key=b"k" * 16,
        revision=9,
        deleted=deleted,
        title="SECRET title",
        filename="SECRET.pdf",
        metadata={"SECRET": "SECRET"},
        content_sha256="SECRET",
        residency=label,
        places=[] if deleted else [Place(chunk_id=b"SECRET")],
    )


@pytest.mark.parametrize(
    ("label", "shared_before", "action"),
    [
        (Residency.PUBLIC, False, Action.SHARE),
        (Residency.PUBLIC, True, Action.SHARE),
        (Residency.INTERNAL, False, Action.WITHHOLD),
        (Residency.INTERNAL, True, Action.RETRACT),
        (Residency.RESTRICTED, False, Action.WITHHOLD),
        (Residency.RESTRICTED, True, Action.RETRACT),
    ],
)
def test_a_live_revision_is_judged_by_its_label(label: Residency, shared_before: bool, action: Action) -> None:
    decision = gate(manifest(label), shared_before)
    assert (decision.action, decision.label) == (action, label)
    assert decision.reason.endswith(".")


@given(labels)
def test_a_deletion_leaves_only_where_something_was_shared(label: Residency) -> None:
    assert gate(manifest(label, deleted=True), True).action is Action.SHARE
    assert gate(manifest(label, deleted=True), False).action is Action.WITHHOLD


@given(labels, st.booleans(), st.booleans())
def test_what_leaves_of_anything_but_a_live_public_revision_is_only_which_document_is_gone(
    label: Residency, deleted: bool, shared_before: bool
) -> None:
    revision = manifest(label, deleted)
    decision = gate(revision, shared_before)
    if not decision.leaves:
        with pytest.raises(NothingLeavesError):
            leaving(revision, decision)
        return
    sent = leaving(revision, decision)
    assert sent.residency is Residency.PUBLIC
    if label is Residency.PUBLIC and not deleted:
        assert sent == revision
    else:
        assert (sent.document_id, sent.document_key, sent.revision, sent.deleted) == ("plan", b"k" * 16, 9, True)
        assert "SECRET" not in repr(sent)


def test_the_documentation_holds_the_table_of_all_cases() -> None:
    assert table().count("\n") == 2 + 2 * 2 * len(Residency)
    assert table() in DOCUMENT.read_text(encoding="utf-8")
