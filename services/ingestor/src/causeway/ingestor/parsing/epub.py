"""EPUB to blocks: the chapters in the order of the spine, each an HTML page."""

import posixpath
from urllib.parse import unquote

from causeway.ingestor.parsing import html, xmltree
from causeway.ingestor.parsing.block import Code, ParseFailure
from causeway.ingestor.parsing.outline import Outline
from causeway.ingestor.parsing.package import Package

_FONT_SUFFIXES = (".otf", ".ttf", ".woff", ".woff2")


def parse(package: Package, outline: Outline) -> tuple[str, str]:
    """Add all chapters. Returns the title and language of the book."""
    _refuse_protected(package)
    place = _package_file(package)
    book = xmltree.parse(package.read(place))
    items = {xmltree.attribute(item, "id"): item for item in xmltree.descendants(book, "item")}
    for reference in xmltree.descendants(book, "itemref"):
        item = items.get(xmltree.attribute(reference, "idref"))
        if item is not None:
            name = posixpath.normpath(
                posixpath.join(posixpath.dirname(place), unquote(xmltree.attribute(item, "href")))
            )
            html.parse(package.read(name), outline)
    return _metadata(book, "title"), _metadata(book, "language")


def _package_file(package: Package) -> str:
    container = xmltree.parse(package.read("META-INF/container.xml"))
    for root in xmltree.descendants(container, "rootfile"):
        return xmltree.attribute(root, "full-path")
    raise ParseFailure(Code.CORRUPT, "is an EPUB without a package file: export it again")


def _metadata(book: xmltree.Element, name: str) -> str:
    return next((xmltree.text_of(found).strip() for found in xmltree.descendants(book, name)), "")


def _refuse_protected(package: Package) -> None:
    """Fonts may be scrambled in a readable book; anything else that is encrypted is a lock."""
    encryption = package.read("META-INF/encryption.xml")
    if not encryption:
        return
    for reference in xmltree.descendants(xmltree.parse(encryption), "CipherReference"):
        if not xmltree.attribute(reference, "URI").lower().endswith(_FONT_SUFFIXES):
            raise ParseFailure(Code.ENCRYPTED, "is protected by DRM: publish an unprotected copy")
