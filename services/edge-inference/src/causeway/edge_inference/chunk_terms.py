"""The search terms of a chunk, and which edition of the software made them: terms of two editions must not mix."""

import hashlib
import unicodedata
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from causeway.edge_inference.records import ChunkRecord
from causeway.language import terms

# What cuts and folds the text; another version of one may cut it otherwise.
_DISTRIBUTIONS = ("rjieba", "opencc", "causeway-language")


def terms_of(record: ChunkRecord) -> list[str]:
    """What the lexical index holds of a chunk."""
    return terms(f"{record.context}\n{record.text}", record.language)


@cache
def terms_edition() -> bytes:
    """16 bytes that change with anything that terms are made by.

    The source itself is hashed, because a number that someone must remember to raise would be forgotten once, and old
    terms beside new ones find nothing without a word.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in _DISTRIBUTIONS:
        digest.update(f"{name} {version(name)}\n".encode())
    digest.update(unicodedata.unidata_version.encode())
    own = files("causeway.edge_inference") / "chunk_terms.py"
    language = (source for source in files("causeway.language").iterdir() if source.name.endswith(".py"))
    for source in (own, *sorted(language, key=lambda source: source.name)):
        digest.update(source.read_bytes())
    return digest.digest()
