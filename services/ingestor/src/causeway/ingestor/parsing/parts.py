"""The parts of an Office Open XML package and the relations between them."""

import posixpath

from causeway.ingestor.parsing import xmltree
from causeway.ingestor.parsing.package import Package


def relations(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """Relation id -> (last word of its type, name of the part that it leads to), for one part."""
    folder, name = posixpath.split(part)
    body = package.read(posixpath.join(folder, "_rels", f"{name}.rels"))
    if not body:
        return {}
    found: dict[str, tuple[str, str]] = {}
    for relation in xmltree.parse(body):
        target = xmltree.attribute(relation, "Target")
        if xmltree.attribute(relation, "TargetMode") != "External":
            place = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            kind = xmltree.attribute(relation, "Type").rpartition("/")[2]
            found[xmltree.attribute(relation, "Id")] = (kind, place)
    return found


def related(package: Package, part: str, kind: str) -> list[str]:
    """The parts that `part` leads to by relations of one kind."""
    return [place for type_name, place in relations(package, part).values() if type_name == kind]


def root_part(package: Package, fallback: str) -> str:
    """The main part of a package: what its root relation names."""
    return next(iter(related(package, "", "officeDocument")), fallback)


def core_title(package: Package) -> str:
    """The title in the document's properties; empty where there is none."""
    body = package.read("docProps/core.xml")
    if not body:
        return ""
    return next((xmltree.text_of(found).strip() for found in xmltree.descendants(xmltree.parse(body), "title")), "")
