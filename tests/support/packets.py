"""What a capture of raw IPv4 packets holds: the byte streams that TCP carried, and what was spent on what."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FILE_HEADER_BYTES = 24
_PACKET_HEADER = struct.Struct("<IIII")
_TCP = 6
_SEQUENCES = 1 << 32


@dataclass(kw_only=True)
class Stream:
    """One direction of one connection, from the first byte that was seen."""

    first: int
    pieces: dict[int, bytes] = field(default_factory=dict)

    def add(self, sequence: int, payload: bytes) -> int:
        """Keep a piece. Returns how many of its bytes had been sent before."""
        offset = (sequence - self.first) % _SEQUENCES
        before = len(self.pieces.get(offset, b""))
        if len(payload) > before:
            self.pieces[offset] = payload
        return min(before, len(payload))

    def whole(self) -> bytes:
        """In order, each byte once."""
        out = bytearray()
        for offset, piece in sorted(self.pieces.items()):
            fresh = max(0, len(out) - offset)
            out += piece[fresh:]
        return bytes(out)


@dataclass(kw_only=True)
class Seen:
    """Totals over all packets, and the streams by (source, source port, target, target port)."""

    packets: int = 0
    whole_bytes: int = 0
    header_bytes: int = 0
    repeated_bytes: int = 0
    streams: dict[tuple[bytes, int, bytes, int], Stream] = field(default_factory=dict)

    def text(self) -> bytes:
        """All that was said, connection after connection."""
        return b"\n".join(stream.whole() for stream in self.streams.values())


def packets(path: Path) -> Iterator[bytes]:
    """Every packet of a capture, as it was sent."""
    content = path.read_bytes()
    at = _FILE_HEADER_BYTES
    while at + _PACKET_HEADER.size <= len(content):
        size = _PACKET_HEADER.unpack_from(content, at)[2]
        at += _PACKET_HEADER.size
        yield content[at : at + size]
        at += size


def seen(path: Path, source: str = "") -> Seen:
    """Read a capture; only what was sent from `source`, if that is given."""
    found = Seen()
    for packet in packets(path):
        if packet[0] >> 4 != 4 or (source and packet[12:16] != bytes(int(part) for part in source.split("."))):
            continue
        found.packets += 1
        found.whole_bytes += len(packet)
        if packet[9] == _TCP:
            _add(found, packet)
    return found


def _add(found: Seen, packet: bytes) -> None:
    ip_bytes = (packet[0] & 0x0F) * 4
    ports = struct.unpack_from(">HH", packet, ip_bytes)
    sequence = int.from_bytes(packet[ip_bytes + 4 : ip_bytes + 8], "big")
    tcp_bytes = (packet[ip_bytes + 12] >> 4) * 4
    is_first = bool(packet[ip_bytes + 13] & 0x02)
    payload = packet[ip_bytes + tcp_bytes : int.from_bytes(packet[2:4], "big")]
    found.header_bytes += ip_bytes + tcp_bytes
    key = (packet[12:16], ports[0], packet[16:20], ports[1])
    stream = found.streams.setdefault(key, Stream(first=sequence + is_first))
    if payload:
        found.repeated_bytes += stream.add(sequence, payload)
