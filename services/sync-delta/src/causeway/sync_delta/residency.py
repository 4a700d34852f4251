"""The residency gate: what may leave a place, with the reason that the ledger and `causeway sync status` give."""

import enum
from dataclasses import dataclass

from causeway.proto.chunks import Manifest
from causeway.proto.documents import Residency


class Action(enum.StrEnum):
    """Share this revision, keep it here, or take back what was shared of the document."""

    SHARE = "share"
    WITHHOLD = "withhold"
    RETRACT = "retract"


class NothingLeavesError(ValueError):
    """The gate withholds this revision: nothing of it may be put in a message."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one revision, under which label, and why."""

    action: Action
    label: Residency
    reason: str

    @property
    def leaves(self) -> bool:
        """Whether anything crosses the link, be it only a tombstone: then the ledger has a line of it."""
        return self.action is not Action.WITHHOLD


_SHARE = "Public documents travel."
_WITHHOLD = {
    Residency.INTERNAL: "Internal documents leave only de-identified, and nothing here de-identifies them.",
    Residency.RESTRICTED: "Restricted documents never leave the place where they were published.",
}
_RETRACT = {
    Residency.INTERNAL: "An earlier revision was public; this one is internal: the other side deletes what it has.",
    Residency.RESTRICTED: "An earlier revision was public; this one is restricted: the other side deletes what it has.",
}
_DELETED = "The document was deleted: the other side deletes what was shared of it."
_DELETED_UNSHARED = "The document was deleted, and the other side has nothing of it."


def gate(manifest: Manifest, shared_before: bool) -> Decision:
    """Decide on a revision. `shared_before`: the outbox holds, or is being given, a live revision of the document."""
    label = manifest.residency
    if manifest.deleted:
        return (
            Decision(Action.SHARE, label, _DELETED)
            if shared_before
            else Decision(Action.WITHHOLD, label, _DELETED_UNSHARED)
        )
    if label is Residency.PUBLIC:
        return Decision(Action.SHARE, label, _SHARE)
    if shared_before:
        return Decision(Action.RETRACT, label, _RETRACT[label])
    return Decision(Action.WITHHOLD, label, _WITHHOLD[label])


def leaving(manifest: Manifest, decision: Decision) -> Manifest:
    """Exactly what may cross: the manifest as it is, or a tombstone that says nothing but which document it is.

    What crosses is labelled public, always: a tombstone does not even tell that the document is restricted now.

    Raises:
        NothingLeavesError: the decision is to withhold.
    """
    if not decision.leaves:
        raise NothingLeavesError(f"{manifest.document_id!r}: {decision.reason} {NothingLeavesError.__doc__}")
    if decision.action is Action.SHARE and not manifest.deleted:
        return manifest
    return Manifest(
        kb=manifest.kb,
        document_id=manifest.document_id,
        document_key=manifest.document_key,
        revision=manifest.revision,
        deleted=True,
        residency=Residency.PUBLIC,
    )


def table() -> str:
    """Every case of the gate as Markdown, for the documentation."""
    rows = ["| revision | label | shared before | action | reason |", "| --- | --- | --- | --- | --- |"]
    for deleted in (False, True):
        for label in Residency:
            for shared_before in (False, True):
                decision = gate(_revision(deleted, label), shared_before)
                rows.append(
                    f"| {'deleted' if deleted else 'live'} | {label} | {'yes' if shared_before else 'no'} "
                    f"| {decision.action} | {decision.reason} |"
                )
    return "\n".join(rows) + "\n"


def _revision(deleted: bool, label: Residency) -> Manifest:
    return Manifest(kb="kb", document_id="d", document_key=b"", revision=1, deleted=deleted, residency=label)
