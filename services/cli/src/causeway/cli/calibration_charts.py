"""The two diagrams of a calibration as PNG: how far its probabilities can be believed, and what a threshold costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from causeway.calibration import measures
from causeway.calibration.bounds import lower_bound, upper_bound
from causeway.calibration.fitting import Fitted

_COLOURS = {"zh": "#b03a2e", "en": "#1f4e79"}
_NAMES = {"zh": "Chinese questions", "en": "English questions"}
_SIZE_INCHES = (6.4, 5.6)
_DOTS_PER_INCH = 150


def draw_reliability(fitted: Mapping[str, Fitted], title: str, path: Path) -> None:
    """Draw the share that was right over the probability that was said, a dot per tenth; its area is how many.

    The bars hold four in five.
    """
    figure, axes = _figure(title)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="--", label="as good as said")
    for name, one in fitted.items():
        bins = measures.reliability(one.said, one.right)
        label = f"{_NAMES[name]}: ECE {one.group.ece:.3f}, {one.group.questions} asked"
        axes.plot([b.said for b in bins], [b.right for b in bins], color=_COLOURS[name], linewidth=1.5, label=label)
        # How sure each share is: the middle 80%.
        edges = [(b.right - _low(b), _high(b) - b.right) for b in bins]
        axes.errorbar(
            [b.said for b in bins],
            [b.right for b in bins],
            yerr=list(zip(*edges, strict=True)),
            fmt="none",
            ecolor=_COLOURS[name],
            elinewidth=1,
            alpha=0.6,
        )
        sizes = [30 + 500 * b.count / one.group.questions for b in bins]
        axes.scatter([b.said for b in bins], [b.right for b in bins], s=sizes, color=_COLOURS[name], alpha=0.5)
    axes.set(xlabel="probability of being right, as said", ylabel="share that was right", xlim=(0, 1), ylim=(0, 1.02))
    _write(figure, axes, path, "upper left")


def draw_risk_coverage(fitted: Mapping[str, Fitted], title: str, path: Path) -> None:
    """Draw the share of local answers that is wrong over the share that stays local, with each promise's threshold."""
    figure, axes = _figure(title)
    for name, one in fitted.items():
        answered = one.said > 0
        share = float(answered.mean())
        curve = measures.risk_coverage(one.said[answered], one.right[answered])
        axes.plot(
            [share * at for at, _ in curve], [risk for _, risk in curve], color=_COLOURS[name], label=_NAMES[name]
        )
        for kept in one.group.thresholds:
            if kept.threshold is not None:
                point = (kept.local_share, 1 - kept.precision)
                axes.scatter(*point, color=_COLOURS[name], zorder=3)
                axes.annotate(f"{kept.promise:.0%}", point, xytext=(7, -9), textcoords="offset points", fontsize=9)
    axes.set(xlabel="share of questions answered locally", ylabel="share of local answers that is wrong", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    _write(figure, axes, path, "upper left")


def _low(one: measures.Bin) -> float:
    return lower_bound(round(one.right * one.count), one.count, 0.1)


def _high(one: measures.Bin) -> float:
    return upper_bound(round(one.right * one.count), one.count, 0.1)


def _figure(title: str) -> tuple[Any, Any]:
    # Half a second to import, and only this command draws.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11)
    axes.grid(color="#e5e5e5")
    axes.set_axisbelow(True)
    return figure, axes


def _write(figure: Any, axes: Any, path: Path, legend_at: str) -> None:
    axes.legend(loc=legend_at, fontsize=9, framealpha=0.9)
    figure.savefig(path, metadata={"Software": None})
