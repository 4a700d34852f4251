"""What can be wrong with labels and files, each with its mend.

CalibrationError
├── TooFewLabelsError      nothing to fit from
├── BadFileError           not a calibration file, or not one that holds together
└── OtherSpaceError        fitted for another embedding model or other features
"""


class CalibrationError(Exception):
    """A calibration can not be made or used. `mend` says what to do."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.mend = mend


class TooFewLabelsError(CalibrationError):
    """There are 12 labelled answers to 5 passages: a calibration needs 60 to 20, with right and wrong ones."""

    def __init__(self, labels: int, passages: int, labels_min: int, passages_min: int) -> None:
        super().__init__(
            f"{labels} labelled answers to {passages} passages are too few: a calibration needs {labels_min} of answers"
            f" that were given, to {passages_min} passages, some right and some wrong",
            "Label more questions; until then the knowledge base stays uncalibrated, and careful.",
        )


class BadFileError(CalibrationError):
    """This is no calibration: Object missing required field `groups`."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"this is no calibration: {reason}", "Write it with: causeway calibrate --kb KB --data FOLDER")


class OtherSpaceError(CalibrationError):
    """The calibration was fitted for the embedding model a, and this site answers with b."""

    def __init__(self, what: str, fitted: str, here: str) -> None:
        super().__init__(
            f"the calibration was fitted for {what} {fitted}, and here it is {here}",
            "Fit it again, on this site: causeway calibrate --kb KB --data FOLDER",
        )
