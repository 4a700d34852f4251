"""A ZIP container, opened only after its directory has been checked against what it may unfold to."""

import io
import zipfile
import zlib

from causeway.ingestor.parsing.block import MIB, Code, Limits, ParseFailure

_ENCRYPTED_FLAG = 0x1
_UTF8_FLAG = 0x800
_RATIO_FLOOR_BYTES = 16 * MIB


class Package:
    """The members of a ZIP file by name. Every read is bounded by what the directory declared."""

    def __init__(self, body: bytes, limits: Limits) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(body))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise ParseFailure(Code.CORRUPT, f"is a broken ZIP container ({error}): export or copy it again") from error
        members = self._zip.infolist()
        _check(members, len(body), limits)
        self._members = {member_name(member): member for member in members if not member.is_dir()}

    @property
    def names(self) -> list[str]:
        """The files in the order of the directory."""
        return list(self._members)

    def encrypted(self) -> bool:
        """Whether any member needs a password."""
        return any(member.flag_bits & _ENCRYPTED_FLAG for member in self._members.values())

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return name in self._members

    def read(self, name: str) -> bytes:
        """The bytes of a member; empty where there is none.

        Raises:
            ParseFailure: broken, encrypted, or longer than its directory entry says.
        """
        member = self._members.get(name)
        if member is None:
            return b""
        if member.flag_bits & _ENCRYPTED_FLAG:
            raise ParseFailure(Code.ENCRYPTED, "is password protected: publish an unprotected copy")
        try:
            with self._zip.open(member) as stream:
                body = stream.read(member.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
            raise ParseFailure(Code.CORRUPT, f"has a broken part {name!r} ({error}): export it again") from error
        if len(body) > member.file_size:
            raise ParseFailure(Code.BOMB, f"has a part {name!r} that is longer than it declares: export it again")
        return body


def member_name(member: zipfile.ZipInfo) -> str:
    """The name of a member. Old Chinese archivers write GBK and do not say so; zipfile then reads it as CP437."""
    if member.flag_bits & _UTF8_FLAG or member.filename.isascii():
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return member.filename


def _check(members: list[zipfile.ZipInfo], packed_bytes: int, limits: Limits) -> None:
    if len(members) > limits.entries_max:
        raise ParseFailure(
            Code.BOMB, f"has {len(members)} parts, the limit is {limits.entries_max}: split it into smaller files"
        )
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.unpacked_bytes_max:
        raise ParseFailure(
            Code.BOMB,
            f"unfolds to {unpacked // MIB} MiB, the limit is {limits.unpacked_bytes_max // MIB} MiB: split it or raise "
            "INGESTOR_UNPACKED_BYTES_MAX",
        )
    if unpacked > _RATIO_FLOOR_BYTES and unpacked > packed_bytes * limits.unpacked_ratio_max:
        raise ParseFailure(
            Code.BOMB, f"unfolds to {unpacked // max(1, packed_bytes)} times its size, which documents do not: check it"
        )
