"""A chunk that retrieval found, with the text that a reader needs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk: its id, its context (title and headings), its text and the language of the text."""

    chunk_id: bytes
    context: str
    text: str
    language: str
