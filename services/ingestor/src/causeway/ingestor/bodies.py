"""Bodies out of the JetStream object store, through a private file in memory where there is one."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from causeway.bus import Bus, ObjectDamaged, ObjectMissing, ObjectTooLarge
from causeway.ingestor.parsing.block import MIB, Code, ParseFailure
from causeway.proto.documents import ObjectRef

_MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is made in it, and checked for room.


def spool_folder(chosen: Path | None, bytes_max: int) -> Path:
    """Where bodies lie while they are read: memory if there is room, so that no clear text touches the disk."""
    if chosen is not None:
        return chosen
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 4 * bytes_max
    return _MEMORY if roomy else Path(tempfile.gettempdir())


class StoredBodies:
    """Reads an object whole. The file that it passes through is readable by this user only, and gone afterwards."""

    def __init__(self, bus: Bus, folder: Path, bytes_max: int) -> None:
        self._bus = bus
        self._folder = folder
        self._bytes_max = bytes_max

    async def get(self, ref: ObjectRef) -> bytes:
        """See Bodies.get."""
        if ref.size_bytes > self._bytes_max:
            raise _too_large(ref.size_bytes, self._bytes_max)
        with self._private() as folder:
            place = folder / "body"
            try:
                await self._bus.get_object(ref, place, bytes_max=self._bytes_max)
            except ObjectMissing as error:
                raise ParseFailure(
                    Code.MISSING, "has no body in the object store any more: publish it again"
                ) from error
            except ObjectDamaged as error:
                raise ParseFailure(Code.DIGEST, f"arrived damaged ({error.detail}): publish it again") from error
            except ObjectTooLarge as error:
                raise _too_large(ref.size_bytes, self._bytes_max) from error
            return await asyncio.to_thread(place.read_bytes)

    async def delete(self, ref: ObjectRef) -> None:
        """Remove the object; that it is gone already is no error."""
        await self._bus.delete_object(ref)

    @contextlib.contextmanager
    def _private(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="ingestor-", dir=self._folder) as name:
            yield Path(name)


def _too_large(size_bytes: int, bytes_max: int) -> ParseFailure:
    return ParseFailure(
        Code.BODY,
        f"has {size_bytes // MIB} MiB, the limit is {bytes_max // MIB} MiB: split it or raise INGESTOR_BODY_BYTES_MAX",
    )
