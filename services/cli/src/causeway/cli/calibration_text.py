"""What a person reads of a calibration: per language and promise, how many answers stay local."""

from rich.table import Table

from causeway.calibration.calibration_file import CalibrationFile

_LANGUAGES = {"zh": "Chinese", "en": "English"}


def calibration_table(file: CalibrationFile) -> Table:
    """One row per language and promise; the promise in force is marked."""
    table = Table(title=f"{file.kb}, calibration {file.version}", title_justify="left")
    for column in ("language", "promise", "threshold", "local : cloud", "right of local", "at least", "labels above"):
        table.add_column(column)
    for name, group in file.groups.items():
        for kept in group.thresholds:
            mark = " *" if kept.promise == file.promise else ""
            if kept.threshold is None:
                table.add_row(_LANGUAGES[name], f"{kept.promise:.0%}{mark}", "none keeps it", "0.0 : 10.0", "", "", "")
                continue
            table.add_row(
                _LANGUAGES[name],
                f"{kept.promise:.0%}{mark}",
                f"{kept.threshold:.3f}",
                f"{10 * kept.local_share:.1f} : {10 * (1 - kept.local_share):.1f}",
                f"{kept.precision:.1%}",
                f"{kept.bound:.1%}",
                f"{kept.above} (worth {kept.effective:.0f})",
            )
    return table


def groups_text(file: CalibrationFile) -> list[str]:
    """One line per language on the labels and the fit, and one for a language without a model."""
    lines = [
        f"{_LANGUAGES[name]}: {group.questions} questions, {group.answered} answered, {group.right} right, "
        f"{group.passages} passages; ECE {group.ece:.3f}, Brier {group.brier:.3f}, AUROC {group.auroc:.3f}"
        for name, group in file.groups.items()
    ]
    return lines + [
        f"{text}: too few labels, stays uncalibrated" for name, text in _LANGUAGES.items() if name not in file.groups
    ]
