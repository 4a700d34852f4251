"""What producers do at a place: write, edit, delete, change the label; and how long pieces of text come about."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from causeway.proto.documents import Residency
from tests.simulation.observation import Write

KBS = ("manuals", "news")
SHARED_IDS = ("a.md", "b.md", "c.md", "d.md")
SECRET_IDS = ("secret-x", "secret-y")
MARK = "SECRET"
PARAGRAPHS = tuple(f"paragraph {number} " + "on valves and pumps " * (number % 3) for number in range(9))


def keyed(place: str, *parts: str) -> bytes:
    """Ids of a place: no two places make the same."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16, key=f"key of {place}".encode()).digest()


@dataclass
class Desk:
    """The producers of a place. `documents` is its DOCUMENTS stream: acknowledged, and not yet taken in."""

    place: str
    random: Random
    revision: int = 1_000
    documents: list[Write] = field(default_factory=list)
    last: dict[tuple[str, str], Write] = field(default_factory=dict)

    def publish(self, known: Mapping[tuple[str, str], Mapping[str, int]]) -> Write:
        """One more acknowledged write. `known`: revisions of other origins that stand at this place now."""
        kb = self.random.choice(KBS)
        document_id = self.random.choice(SECRET_IDS if self.random.random() < 0.2 else SHARED_IDS)
        before = self.last.get((kb, document_id))
        deleted = before is not None and not before.deleted and self.random.random() < 0.15
        residency = self._label(document_id, before)
        self.revision += 1
        mark = "" if residency is Residency.PUBLIC else f" {MARK}"
        write = Write(
            place=self.place,
            kb=kb,
            document_id=document_id,
            document_key=keyed(self.place, kb, document_id),
            revision=self.revision,
            residency=residency,
            deleted=deleted,
            title="" if deleted else f"{document_id} at {self.place}{mark}",
            texts=() if deleted else self._texts(before, mark),
            known=dict(known.get((kb, document_id), {})),
        )
        self.last[kb, document_id] = write
        self.documents.append(write)
        return write

    def _label(self, document_id: str, before: Write | None) -> Residency:
        if document_id in SECRET_IDS:
            return self.random.choice((Residency.RESTRICTED, Residency.INTERNAL))
        if self.random.random() < 0.1:
            return self.random.choice((Residency.RESTRICTED, Residency.INTERNAL))
        return Residency.PUBLIC if before is None or self.random.random() < 0.3 else before.residency

    def _texts(self, before: Write | None, mark: str) -> tuple[str, ...]:
        if before is None or not before.texts or self.random.random() < 0.3:
            return tuple(self._paragraph(mark) for _ in range(self.random.randint(1, 4)))
        # An edit: most paragraphs stay, so that their chunks need not travel again.
        texts = [text.replace(f" {MARK}", "") + mark for text in before.texts]
        texts[self.random.randrange(len(texts))] = self._paragraph(mark)
        return tuple(texts)

    def _paragraph(self, mark: str) -> str:
        return self.random.choice(PARAGRAPHS) + mark
