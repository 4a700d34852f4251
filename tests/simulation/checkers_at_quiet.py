"""Promises about what stands where when nothing moves any more. They keep their own account of who had seen what."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, DocumentShadowed
from tests.simulation.checkers_of_changes import Silent, version_of
from tests.simulation.observation import Logs, Record, Violation, Write, records

HUB = "hub"
Document = tuple[str, str]
"""Kb and document id."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One version of a document as it stands in a log, and the shadow over it, if there is one over this revision."""

    origin: str
    revised: DocumentRevised
    shadow: DocumentShadowed | None

    @property
    def revision(self) -> int:
        """Of its origin."""
        return self.revised.manifest.revision

    @property
    def deleted(self) -> bool:
        """A tombstone."""
        return self.revised.manifest.deleted


def standing(logs: Logs, place: str) -> dict[Document, dict[str, Standing]]:
    """Every version of every document of a place, by origin."""
    held = records(logs, place, "KNOWLEDGE")
    shadows = {(each.origin, each.kb, each.key): each.message for each in held if each.kind == "shadow"}
    found: dict[Document, dict[str, Standing]] = defaultdict(dict)
    for each in held:
        if isinstance(each.message, DocumentRevised):
            manifest, shadow = each.message.manifest, shadows.get((each.origin, each.kb, each.key))
            fits = isinstance(shadow, DocumentShadowed) and shadow.revision == manifest.revision
            over = shadow if fits and isinstance(shadow, DocumentShadowed) else None
            found[each.kb, manifest.document_id][each.origin] = Standing(each.origin, each.message, over)
    return found


class NothingLost(Silent):
    """At the hub each origin's last shareable write of a document stands, and is the winner, or was seen by another
    version that stands there, or is a named sibling; and what another had seen is neither."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, str], Write] = {}
        self._now: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
        self._seen: dict[tuple[str, str, str, int], Mapping[str, int]] = {}

    def acknowledged(self, write: Write) -> None:
        self._last[write.place, write.kb, write.document_id] = write

    def came(self, record: Record) -> None:
        if record.log != "KNOWLEDGE" or not isinstance(record.message, DocumentRevised):
            return
        manifest = record.message.manifest
        here = self._now[record.place, record.kb, manifest.document_id]
        if record.origin == record.place:
            others = {origin: revision for origin, revision in here.items() if origin != record.origin}
            # What a site only takes back from the hub replaces nothing there.
            public = manifest.deleted or manifest.residency is Residency.PUBLIC
            stays = record.origin != HUB and not public
            others = {} if stays else others
            self._seen[record.origin, record.kb, manifest.document_id, manifest.revision] = others
        here[record.origin] = manifest.revision

    def quiet(self, logs: Logs) -> None:
        at_hub = standing(logs, HUB)
        texts = _texts(logs, HUB)
        for (origin, kb, document_id), write in self._last.items():
            stands = at_hub.get((kb, document_id), {}).get(origin)
            _check_stands(write, stands, texts)
        for (kb, document_id), versions in at_hub.items():
            for version in versions.values():
                self._check_place(kb, document_id, version, versions)

    def _check_place(self, kb: str, document_id: str, version: Standing, versions: Mapping[str, Standing]) -> None:
        seen_by = [
            other.origin
            for other in versions.values()
            if self._seen[other.origin, kb, document_id, other.revision].get(version.origin, 0) >= version.revision
        ]
        name = f"{kb}/{document_id}~{version.origin} rev {version.revision}"
        if version.deleted and version.shadow is None:
            return
        if version.shadow is None and seen_by:
            raise Violation(f"stale: {name} stands in the light though {seen_by} had seen it")
        if version.shadow is not None and not version.shadow.concurrent and not seen_by:
            raise Violation(f"lost: {name} is hidden as superseded and nobody had seen it")
        if version.shadow is not None and version.shadow.concurrent and seen_by:
            raise Violation(f"no sibling: {name} is called concurrent though {seen_by} had seen it")


def _check_stands(write: Write, stands: Standing | None, texts: Mapping[bytes, str]) -> None:
    name = f"{write.kb}/{write.document_id} of {write.place} rev {write.revision}"
    travels = write.residency is Residency.PUBLIC or write.place == HUB
    if write.deleted or not travels:
        if stands is not None and not stands.deleted:
            raise Violation(f"lost: the delete or label of {name}; the hub still has rev {stands.revision}")
        return
    if stands is None or stands.revision != write.revision or stands.deleted:
        raise Violation(f"lost: {name} is not at the hub, which has {stands.revision if stands else 'nothing'}")
    manifest = stands.revised.manifest
    held = tuple(texts.get(place.chunk_id, "?") for place in manifest.places)
    pages = [place.page_first for place in manifest.places]
    if (held, manifest.title, pages) != (write.texts, write.title, list(range(1, len(held) + 1))):
        raise Violation(f"lost: {name} reads {manifest.title!r} {held} {pages} at the hub")


def _texts(logs: Logs, place: str) -> dict[bytes, str]:
    messages = [each.message for each in records(logs, place, "KNOWLEDGE")]
    return {message.chunk_id: message.text for message in messages if isinstance(message, ChunkEmbedded)}


class SameWinner(Silent):
    """One version at most stands in the light, and places that hold the same versions agree which."""

    def quiet(self, logs: Logs) -> None:
        winners: dict[object, tuple[str, object]] = {}
        for place in sorted({place for place, _ in logs}):
            for document, versions in standing(logs, place).items():
                light = [each.origin for each in versions.values() if each.shadow is None and not each.deleted]
                if len(light) > 1:
                    raise Violation(f"two winners: {light} of {document} at {place}")
                held = tuple(sorted((o, *version_of(v.revised), v.deleted) for o, v in versions.items()))
                first = winners.setdefault((document, held), (place, light))
                if first[1] != light:
                    raise Violation(f"disagreement: over {document}, {first} but {light} at {place}")


Items = Callable[[str, str, str], Mapping[bytes, bytes]]
"""Place, origin, kb -> digest by document key, as the place itself says."""


class DigestsEqual(Silent):
    """What an origin says that it shares and a replica says that it holds is the same, and is what stands there."""

    def __init__(self, replicas: Mapping[str, list[tuple[str, str]]], items: Items) -> None:
        self._replicas = replicas
        self._items = items

    def quiet(self, logs: Logs) -> None:
        for place, held in self._replicas.items():
            for origin, kb in held:
                theirs, ours = dict(self._items(origin, origin, kb)), dict(self._items(place, origin, kb))
                if theirs != ours:
                    keys = [key.hex() for key in {*theirs, *ours} if theirs.get(key) != ours.get(key)]
                    raise Violation(f"digests: {kb} of {origin} differs at {place} in {keys}")
                self._same_content(logs, place, origin, kb)

    def _same_content(self, logs: Logs, place: str, origin: str, kb: str) -> None:
        there = _content(logs, origin, origin, kb)
        here = _content(logs, place, origin, kb)
        public = {key: what for key, (what, label) in there.items() if label is Residency.PUBLIC}
        if public != {key: what for key, (what, _) in here.items()}:
            raise Violation(f"digests: {kb} of {origin} reads differently at {place}: {public} and {here}")


def _content(logs: Logs, place: str, origin: str, kb: str) -> dict[str, tuple[object, Residency]]:
    texts = _texts(logs, place)
    found: dict[str, tuple[object, Residency]] = {}
    for each in records(logs, place, "KNOWLEDGE"):
        if (each.origin, each.kb) == (origin, kb) and isinstance(each.message, DocumentRevised):
            manifest = each.message.manifest
            if not manifest.deleted:
                lines = [(texts.get(spot.chunk_id), spot.page_first, spot.page_last) for spot in manifest.places]
                found[each.key] = ((manifest.revision, manifest.title, lines), manifest.residency)
    return found
