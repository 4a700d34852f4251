"""What a person reads of a change of the embedding model. Pure."""

from causeway.proto.space import SpacePhase, SpaceStatus

_WHAT = {
    SpacePhase.EMBEDDING: "vectors are being made beside those that answer",
    SpacePhase.SWITCHING: "replicas of the new space are joining",
    SpacePhase.MOVING: "the new space answers; what is left of the old one is being dropped",
}


def space_lines(status: SpaceStatus) -> list[str]:
    """A few lines: the spaces side by side, and how far it is."""
    lines = [f"In force:  {status.model} {status.precision}"]
    if status.phase is SpacePhase.STEADY:
        return [*lines, *_reason(status)]
    if status.next_model:
        lines.append(f"To come:   {status.next_model} {status.next_precision}")
    lines.append(f"Now:       {_WHAT[status.phase]}")
    lines.append(f"Chunks:    {status.chunks_done:,} of {status.chunks_total:,}, {status.lag:,} to go{_eta(status)}")
    lines.append(f"Documents: {status.documents_done:,} of {status.documents_total:,}")
    if status.phase is SpacePhase.EMBEDDING and status.lag == 0:
        lines.append("Ready:     causeway kb reembed switch")
    return [*lines, *_reason(status)]


def _eta(status: SpaceStatus) -> str:
    return f", about {status.eta_s / 60:,.1f} min" if status.eta_s > 0 else ""


def _reason(status: SpaceStatus) -> list[str]:
    return [f"Problem:   {status.reason}"] if status.reason else []
