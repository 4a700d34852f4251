"""What the command can say went wrong, each with the mend.

UserError
├── BadConfigError       a key or a value of site.yaml
├── SiteFolderError      the folder of a site: locked, of another site, not there
├── NoSiteError          nothing answers where a site should be
├── BadPathError         nothing to publish, or not a file or folder
├── BadDataError         an evaluation folder without the files it should have
└── StartFailedError     a process of the site does not come up
"""


class UserError(Exception):
    """A person can mend it. Shown as `message`, then `mend` on a line of its own; no traceback."""

    exit_code = 2

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


class BadConfigError(UserError):
    """The site's configuration has an unknown key or a value that it can not have."""


class SiteFolderError(UserError):
    """The site's folder can not be used as it is."""


class NoSiteError(UserError):
    """No site answers at the address."""

    exit_code = 3


class BadPathError(UserError):
    """The path is not something that can be published."""


class BadDataError(UserError):
    """The folder is not an evaluation set in a known format."""


class StartFailedError(UserError):
    """A process of the site did not come up."""

    exit_code = 4
