"""XML to elements with the two attacks on its readers closed: entities are refused, and nothing is fetched."""

import re
from collections.abc import Iterator
from html import unescape
from xml.etree import ElementTree as ET

from causeway.ingestor.parsing import charset
from causeway.ingestor.parsing.block import Code, ParseFailure

Element = ET.Element
_ENTITY = re.compile(r"<!ENTITY")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_NAMED = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)([A-Za-z][A-Za-z0-9]*);")


def parse(body: bytes) -> Element:
    """The root element.

    Raises:
        ParseFailure: not well-formed, or it declares entities.
    """
    text = _DECLARATION.sub("", charset.decode(body, markup=True))
    if _ENTITY.search(text):
        raise ParseFailure(
            Code.BOMB, "declares XML entities, which can unfold without end: publish a copy without a DOCTYPE"
        )
    try:
        return ET.fromstring(_NAMED.sub(_html_entity, text))  # noqa: S314 - see above.
    except ET.ParseError as error:
        raise ParseFailure(Code.CORRUPT, f"is not well-formed XML ({error}): export it again") from error
    except RecursionError as error:
        raise ParseFailure(Code.CORRUPT, "is XML nested too deeply to read: export it again") from error


def _html_entity(match: re.Match[str]) -> str:
    return unescape(match.group())


def local(element: Element) -> str:
    """The name of an element without its namespace; empty for a comment."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """An attribute by its name without namespace; empty where there is none."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return value
    return ""


def child(element: Element | None, *names: str) -> Element | None:
    """The first element along a path of child names, or None."""
    for name in names:
        if element is None:
            return None
        element = next((inner for inner in element if local(inner) == name), None)
    return element


def children(element: Element | None, name: str) -> Iterator[Element]:
    """The children of one name."""
    if element is not None:
        yield from (inner for inner in element if local(inner) == name)


def descendants(element: Element | None, name: str) -> Iterator[Element]:
    """All elements of one name below `element`, in document order."""
    if element is not None:
        yield from (inner for inner in element.iter() if local(inner) == name)


def text_of(element: Element | None) -> str:
    """All text below `element`."""
    return "" if element is None else "".join(element.itertext())


def has(element: Element | None, name: str) -> bool:
    """Whether there is an element of that name below `element`."""
    return next(descendants(element, name), None) is not None
