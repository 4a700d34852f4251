"""Log files of the processes of a site: rotated by size, with the last lines at hand for a message to the person."""

from collections import deque
from pathlib import Path
from typing import BinaryIO

BYTES_MAX = 8 * 1024 * 1024
OLD_FILES = 3
TAIL_LINES = 12


class LogFile:
    """`NAME.log`, then `NAME.log.1` up to `.3`; never more than four times the limit on disk."""

    def __init__(self, path: Path, bytes_max: int = BYTES_MAX) -> None:
        self.path = path
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.lost = 0
        self._bytes_max = bytes_max
        self._file: BinaryIO | None = None

    def write(self, line: bytes) -> None:
        """Append one line. A full disk costs the line, never the process that wrote it; `lost` counts them."""
        self.tail.append(line.decode("utf-8", errors="replace").rstrip())
        try:
            file = self._file or self._open()
            if file.tell() + len(line) > self._bytes_max:
                file = self._rotate()
            file.write(line)
        except OSError:
            self.lost += 1
            self.close()

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        self._file = self.path.open("ab", buffering=0)
        assert self._file is not None
        return self._file

    def _rotate(self) -> BinaryIO:
        self.close()
        for number in range(OLD_FILES, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        return self._open()
