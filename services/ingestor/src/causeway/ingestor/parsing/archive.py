"""ZIP of documents: each file is parsed under its own name; one that fails leaves its name and a warning."""

from collections.abc import Callable
from pathlib import PurePosixPath

from causeway.ingestor.parsing.block import Code, ParseFailure
from causeway.ingestor.parsing.outline import Outline
from causeway.ingestor.parsing.package import Package

ParseInner = Callable[[bytes, str, str], None]
_HIDDEN = ("__MACOSX/", ".DS_Store", "Thumbs.db")


def parse(package: Package, outline: Outline, inner: ParseInner) -> None:
    """Add every document in the archive under a heading with its path."""
    if package.encrypted():
        raise ParseFailure(Code.ENCRYPTED, "is a password protected archive: publish the files without a password")
    names = [name for name in package.names if not any(mark in name for mark in _HIDDEN)]
    if not names:
        raise ParseFailure(Code.EMPTY, "is an archive without files: publish the documents themselves")
    for name in sorted(names):
        inner(package.read(name), str(PurePosixPath(name)), "")
