"""The versioned folder that `causeway calibrate` writes: the calibration and its two diagrams."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from causeway.calibration.calibration_file import CalibrationFile, encode_file
from causeway.calibration.fitting import Fitted
from causeway.cli.calibration_charts import draw_reliability, draw_risk_coverage

FILE = "calibration.json"


def versioned(file: CalibrationFile) -> CalibrationFile:
    """The calibration with a version that follows from all that is in it, so that the same labels give the same one."""
    digest = hashlib.sha256(encode_file(msgspec.structs.replace(file, version=""))).hexdigest()
    return msgspec.structs.replace(file, version=digest[:12])


def write_folder(file: CalibrationFile, fitted: Mapping[str, Fitted], parent: Path) -> Path:
    """Write `KB-VERSION/` below `parent` and return it; the same calibration again writes the same files."""
    folder = parent / f"{file.kb}-{file.version}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(encode_file(file))
    title = f"{file.kb}, calibration {file.version} ({file.source.kind}: {file.source.questions})"
    draw_reliability(fitted, title, folder / "reliability.png")
    draw_risk_coverage(fitted, title, folder / "risk_coverage.png")
    return folder
