"""What can be wrong with the description of a fleet or with its files, each with the mend.

TopologyError
├── BadFleetError     fleet.yaml: the line, and what may stand there
├── BadBundleError    what a hub handed to a site
└── BadKeyFileError   a secret that can not be used
"""


class TopologyError(Exception):
    """A person can mend it."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(f"{message}: {mend}")
        self.message = message
        self.mend = mend


class BadFleetError(TopologyError):
    """The description of the fleet has a mistake."""


class BadBundleError(TopologyError):
    """The join bundle can not be used."""


class BadKeyFileError(TopologyError):
    """A file with a secret can not be used."""
