"""What a parser gives: blocks of text in reading order, each with its heading path and page; and why it could not."""

import enum
from typing import Literal

import msgspec

Kind = Literal["heading", "paragraph", "item", "row", "code"]
MIB = 1024 * 1024


class Code(enum.StrEnum):
    """Why a document failed, for machines. The reason beside it says the mend."""

    EMPTY = "empty"
    NO_TEXT = "no_text"
    ENCRYPTED = "encrypted"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    NEEDS_OCR = "needs_ocr"
    PAGES = "too_many_pages"
    BODY = "body_too_large"
    BOMB = "decompression_bomb"
    TEXT = "too_much_text"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "parser_crashed"
    DIGEST = "body_differs"
    MISSING = "body_missing"
    PAST = "revision_unknown"


class ParseFailure(Exception):
    """The document can not become knowledge: `code` for machines, `reason` for people, with the mend."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one document may cost. A document that costs more fails with a reason, it never takes the service along."""

    body_bytes_max: int = 256 * MIB
    pages_max: int = 5_000
    text_chars_max: int = 20_000_000
    unpacked_bytes_max: int = 1024 * MIB
    unpacked_ratio_max: int = 200
    entries_max: int = 10_000
    nesting_max: int = 3
    ocr_time_s_max: float = 80.0
    ocr_page_timeout_s: float = 30.0
    tesseract: str = ""
    ocr_languages: str = "chi_sim+eng"


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A paragraph, list item, table row or heading. `lead` is the header of the table that a row stands in."""

    text: str
    kind: Kind = "paragraph"
    heading_path: tuple[str, ...] = ()
    page: int = 0
    page_last: int = 0
    lead: str = ""


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """A document as text. `pages` is 0 where the format has none; `language` is only what the file itself says."""

    media_type: str
    blocks: list[Block]
    title: str = ""
    language: str = ""
    pages: int = 0
    warnings: list[str] = []
