"""XML of any kind to blocks: feeds by entry, articles by section, everything else by its paragraphs of mixed text."""

from causeway.ingestor.parsing import html, xmltree
from causeway.ingestor.parsing.outline import Outline, flow
from causeway.ingestor.parsing.xmltree import Element, local

_TITLES = frozenset({"title", "article-title", "head", "heading", "caption-title", "invention-title"})
_ENTRIES = frozenset({"item", "entry"})
_FEEDS = frozenset({"rss", "feed", "RDF"})
_PARAGRAPHS = frozenset({"p", "para", "paragraph", "line", "cell", "mixed-citation", "element-citation"})
_SKIPPED = frozenset({"script", "style", "binary-object", "object-id"})
_INLINE_CHARS = 2


def parse(body: bytes, outline: Outline) -> str:
    """Add an XML document. Returns its title."""
    root = xmltree.parse(body)
    if local(root) in _FEEDS:
        return _feed(root, outline)
    if local(root) == "html":
        return html.parse(body, outline)[0]
    _walk(root, outline, 1)
    return next(
        (flow(xmltree.text_of(found)) for found in root.iter() if local(found) in ("article-title", "title")), ""
    )


def _feed(root: Element, outline: Outline) -> str:
    channel = xmltree.child(root, "channel")
    channel = root if channel is None else channel
    title = flow(xmltree.text_of(xmltree.child(channel, "title")))
    outline.heading(1, title)
    for name in ("description", "subtitle"):
        outline.add(_markup(xmltree.child(channel, name)))
    for entry in root.iter():
        if local(entry) in _ENTRIES:
            _entry(entry, outline)
    return title


def _entry(entry: Element, outline: Outline) -> None:
    outline.heading(2, xmltree.text_of(xmltree.child(entry, "title")))
    outline.add(
        " ".join(xmltree.text_of(found) for found in entry if local(found) in ("pubDate", "published", "creator"))
    )
    for name in ("description", "summary", "encoded", "content"):
        for found in xmltree.children(entry, name):
            html.add_html(_inner(found), outline)


def _markup(element: Element | None) -> str:
    return "" if element is None else html.text_of(_inner(element))


def _inner(element: Element) -> str:
    """What an element holds as markup: feeds carry HTML as escaped text, Atom also as elements."""
    if len(element) == 0:
        return element.text or ""
    return "<p>" + "</p><p>".join(xmltree.text_of(inner) for inner in element) + "</p>"


def _walk(element: Element, outline: Outline, level: int) -> None:
    name = local(element)
    if not name or name in _SKIPPED:
        return
    if name in _TITLES and len(xmltree.text_of(element)) < 300:
        outline.heading(level, xmltree.text_of(element))
    elif name in _PARAGRAPHS or _is_mixed(element) or len(element) == 0:
        outline.add(flow(xmltree.text_of(element)))
    else:
        titled = any(local(inner) in _TITLES for inner in element)
        for inner in element:
            _walk(inner, outline, level + (0 if local(inner) in _TITLES else titled))


def _is_mixed(element: Element) -> bool:
    """Text stands between the children: they are words of one paragraph."""
    loose = (element.text or "").strip() + "".join((inner.tail or "").strip() for inner in element)
    return len(loose) > _INLINE_CHARS
