"""Bytes to text when nobody says the encoding: marks first, then UTF-8, then the shapes of GB18030, Big5 and UTF-16."""

import codecs
import re
from collections.abc import Callable

from charset_normalizer import from_bytes

_SAMPLE_BYTES = 256 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
_SHARE_MIN = 0.8
# A page that says gb2312 or gbk is read as their superset, as every browser does.
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "iso-8859-1": "cp1252", "latin-1": "cp1252"}


def decode(body: bytes, *, markup: bool = False) -> str:
    """The text of `body`; never fails, because the worst case is Latin text with a few wrong letters."""
    return decode_named(body, markup=markup)[0]


def decode_named(body: bytes, *, markup: bool = False) -> tuple[str, str]:
    """The text of `body` and the encoding that it was read with. `markup` trusts what the head declares."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body.decode(name, "replace"), name
    wide = _wide(body[:_SAMPLE_BYTES])
    if wide:
        return body.decode(wide, "replace"), wide
    if _fits(body, "utf-8"):
        return body.decode("utf-8"), "utf-8"
    name = (_declared(body) if markup else "") or _guess(body)
    return body.decode(name, "replace"), name


def _declared(body: bytes) -> str:
    match = _DECLARED.search(body[:4096])
    if match is None:
        return ""
    name = match.group(1).decode("ascii").lower()
    name = _SUPERSETS.get(name, name)
    try:
        codecs.lookup(name)
    except LookupError:
        return ""
    return name if _fits(body, name) else ""


def _fits(body: bytes, name: str) -> bool:
    try:
        body.decode(name)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _wide(sample: bytes) -> str:
    """UTF-16 or UTF-32 without a mark: text in them is full of zero bytes at fixed places."""
    if len(sample) < 4 or not sample.count(0):
        return ""
    rows = len(sample) // 4
    zero = [sample[offset : rows * 4 : 4].count(0) / rows for offset in range(4)]
    if min(zero[2], zero[3]) > 0.9:
        return "utf-32-le"
    if min(zero[0], zero[1]) > 0.9:
        return "utf-32-be"
    even, odd = (zero[0] + zero[2]) / 2, (zero[1] + zero[3]) / 2
    if max(even, odd) < 0.02:
        return ""
    name = "utf-16-le" if odd > even else "utf-16-be"
    text = sample[: len(sample) // 2 * 2].decode(name, "replace")
    readable = sum(character.isalnum() or character.isspace() for character in text)
    return name if readable > 0.6 * len(text) and "\x00" not in text else ""


def _guess(body: bytes) -> str:
    sample = body[:_SAMPLE_BYTES]
    chinese = {name: _share(sample, name, common) for name, common in _COMMON.items()}
    best = max(chinese, key=lambda name: chinese[name])
    if chinese[best] >= _SHARE_MIN:
        return best
    if _is_western(sample):
        return "cp1252"
    match = from_bytes(sample).best()
    if match is not None and _fits(body, match.encoding):
        return match.encoding
    return "cp1252" if chinese[best] < 0.4 else best


def _is_western(sample: bytes) -> bool:
    """A few accented letters among many plain ones: Western European, and Windows wrote it."""
    high = [byte for byte in sample if byte >= 0x80]
    letters = sum(byte >= 0xC0 for byte in high)
    plain = sum(97 <= byte | 0x20 <= 122 for byte in sample)
    return len(high) < 0.3 * plain and letters >= 0.7 * len(high)


def _share(sample: bytes, name: str, common: Callable[[int, int], bool]) -> float:
    """The share of double-byte characters that lie among the common ones of an encoding; 0 where it does not fit.

    Text that is read in the wrong Chinese encoding is made of rare characters, and that tells the two apart.
    """
    if not (_fits(sample, name) or _fits(sample[:-1], name) or _fits(sample[:-3], name)):
        return 0.0
    pairs = common_pairs = lone = index = 0
    while index + 1 < len(sample):
        first, second = sample[index], sample[index + 1]
        if first < 0x81:
            index += 1
        elif second < 0x40:
            lone += 1
            index += 2
        else:
            pairs += 1
            common_pairs += common(first, second)
            index += 2
    # A German or French text has single high bytes between letters; two Chinese bytes in a row are the rule.
    return common_pairs / (pairs + lone) if pairs else 0.0


def _common_gb(first: int, second: int) -> bool:
    return (0xB0 <= first <= 0xD7 and second >= 0xA1) or (first in (0xA1, 0xA3) and second >= 0xA1)


def _common_big5(first: int, second: int) -> bool:
    return 0xA1 <= first <= 0xC6 and (second <= 0x7E or second >= 0xA1)


_COMMON: dict[str, Callable[[int, int], bool]] = {"gb18030": _common_gb, "big5hkscs": _common_big5}
