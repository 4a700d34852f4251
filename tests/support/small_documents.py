"""Many small documents for tests, each with a code of its own by which exactly it must be found."""

import random
from dataclasses import dataclass
from pathlib import Path

_PLACES = ("boiler room", "north gate", "vault", "loading dock", "server room", "canteen", "archive", "ward seven")
_PARTS = ("pump", "valve", "door lock", "camera", "lamp", "sensor", "bearing", "filter")
_DEEDS = ("was replaced", "was inspected", "failed its test", "was cleaned", "was ordered again", "ran without fault")


@dataclass(frozen=True)
class SmallDocument:
    """A name, the code that stands in it alone, and its text."""

    name: str
    code: str
    text: str


def small_documents(count: int, seed: int = 1) -> list[SmallDocument]:
    """The same documents for the same seed."""
    rng = random.Random(seed)
    documents = []
    for number in range(count):
        code = f"QX{number:04d}{rng.randrange(16**4):04X}"
        place, part, deed = rng.choice(_PLACES), rng.choice(_PARTS), rng.choice(_DEEDS)
        text = (
            f"Maintenance record {code}.\n\nOn day {rng.randrange(1, 366)} the {part} of the {place} {deed}. "
            f"The record {code} was signed by technician number {rng.randrange(100, 999)}.\n"
        )
        documents.append(SmallDocument(f"record-{number:04d}.txt", code, text))
    return documents


def write_documents(folder: Path, documents: list[SmallDocument]) -> Path:
    """Each as a file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        (folder / document.name).write_text(document.text, encoding="utf-8")
    return folder
