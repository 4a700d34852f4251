"""Server-sent events, read strictly and within limits. Pure: bytes in, data of events out."""

from causeway.cloud_inference.errors import EngineGarbage

LINE_BYTES_MAX = 64 * 1024
EVENT_BYTES_MAX = 256 * 1024
_FIELDS = (b"data", b"event", b"id", b"retry")


class SseReader:
    """Feed it what comes; it gives the data of each event that is complete. Comments (keep-alives) are passed over.

    Raises EngineGarbage for a line that no event stream has, or one beyond the limits.
    """

    def __init__(self, line_bytes_max: int = LINE_BYTES_MAX, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._line_bytes_max = line_bytes_max
        self._event_bytes_max = event_bytes_max
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, some: bytes) -> list[str]:
        """The data of the events that end in these bytes."""
        *lines, self._rest = (self._rest + some).split(b"\n")
        if max((len(line) for line in (*lines, self._rest)), default=0) > self._line_bytes_max:
            raise EngineGarbage(f"a line of over {self._line_bytes_max} bytes")
        found = (self._line(line.removesuffix(b"\r")) for line in lines)
        return [data for data in found if data is not None]

    @property
    def pending(self) -> bool:
        """Whether the stream, if it ended here, would end within an event."""
        return bool(self._rest.strip() or self._data)

    def _line(self, line: bytes) -> str | None:
        if not line:
            data, self._data = b"\n".join(self._data), []
            return _text(data) if data else None
        if line.startswith(b":"):
            return None
        name, _, value = line.partition(b":")
        if name == b"error":  # How llama.cpp tells of an error within a stream.
            return _text(b'{"error":' + (value.strip() or b"{}") + b"}")
        if name not in _FIELDS:
            raise EngineGarbage(f"a line that no event stream has: {line[:60]!r}")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            if sum(map(len, self._data)) > self._event_bytes_max:
                raise EngineGarbage(f"an event of over {self._event_bytes_max} bytes")
        return None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise EngineGarbage("an event that is not UTF-8") from error
