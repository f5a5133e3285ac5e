"""RTMP chunks for tests: a writer with full control over every field, and an independent reader.

The reader judges the server's answers and takes the encoder captures apart. It follows RTMP 1.0
§5.3 to the letter and knows for each message which bytes it came from.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = range(1, 7)
AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
EXTENDED = 0xFFFFFF
DEFAULT_CHUNK_SIZE = 128


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message. `start` and `end` are the positions of its first and behind its last byte
    in what the reader was fed; other messages' chunks may lie between them."""

    type_id: int
    csid: int
    stream_id: int
    timestamp: int
    payload: bytes
    start: int
    end: int


def basic_header(fmt: int, csid: int) -> bytes:
    """1 byte for 2-63, 2 bytes for 64-319, 3 bytes up to 65,599."""
    if 2 <= csid <= 63:
        return bytes([fmt << 6 | csid])
    if csid <= 319:
        return bytes([fmt << 6, csid - 64])
    assert csid <= 65_599
    return bytes([fmt << 6 | 1, (csid - 64) & 0xFF, (csid - 64) >> 8])


def message_header(
    fmt: int,
    csid: int,
    *,
    timestamp: int = 0,
    length: int = 0,
    type_id: int = 0,
    stream_id: int = 0,
) -> bytes:
    """Basic and message header. `timestamp` is absolute for fmt 0, a delta for 1 and 2."""
    header = basic_header(fmt, csid)
    if fmt == 3:
        return header
    header += min(timestamp, EXTENDED).to_bytes(3, "big")
    if fmt <= 1:
        header += length.to_bytes(3, "big") + bytes([type_id])
    if fmt == 0:
        header += stream_id.to_bytes(4, "little")
    if timestamp >= EXTENDED:
        header += struct.pack(">I", timestamp)
    return header


def chunks(
    payload: bytes,
    *,
    csid: int,
    type_id: int,
    stream_id: int = 0,
    timestamp: int = 0,
    fmt: int = 0,
    chunk_size: int = DEFAULT_CHUNK_SIZE,
) -> bytes:
    """A whole message in chunks; continuation chunks repeat an extended timestamp."""
    out = bytearray(
        message_header(
            fmt,
            csid,
            timestamp=timestamp,
            length=len(payload),
            type_id=type_id,
            stream_id=stream_id,
        )
    )
    out += payload[:chunk_size]
    extended = struct.pack(">I", timestamp) if timestamp >= EXTENDED and fmt != 3 else b""
    for at in range(chunk_size, len(payload), chunk_size):
        out += basic_header(3, csid) + extended + payload[at : at + chunk_size]
    return bytes(out)


@dataclass(slots=True)
class _ChunkStream:
    timestamp: int = 0
    delta: int = 0
    length: int = 0
    type_id: int = 0
    stream_id: int = 0
    extended: bool = False
    body: bytearray | None = None
    start: int = 0


class ChunkReader:
    """Feed bytes, get messages. Follows Set Chunk Size. ValueError on what the RFC forbids."""

    def __init__(self, *, position: int = 0) -> None:
        self.chunk_size = DEFAULT_CHUNK_SIZE
        self.position = position
        self._data = bytearray()
        self._streams: dict[int, _ChunkStream] = {}

    def feed(self, data: bytes) -> list[Message]:
        self._data += data
        messages: list[Message] = []
        while (step := self._chunk(messages)) > 0:
            del self._data[:step]
            self.position += step
        return messages

    def _chunk(self, messages: list[Message]) -> int:
        """Take one chunk from the front; 0 when it is not there completely."""
        data = self._data
        if not data:
            return 0
        fmt, low = data[0] >> 6, data[0] & 0x3F
        at = {0: 2, 1: 3}.get(low, 1)
        if len(data) < at:
            return 0
        csid = low if low > 1 else data[1] + 64 + (data[2] * 256 if low else 0)
        header = (11, 7, 3, 0)[fmt]
        if len(data) < at + header:
            return 0
        stream = self._streams.get(csid)
        if stream is None:
            if fmt == 3:
                raise ValueError(f"fmt 3 on the unseen chunk stream {csid}")
            stream = self._streams[csid] = _ChunkStream()
        field = int.from_bytes(data[at : at + 3], "big") if fmt < 3 else 0
        has_extended = field == EXTENDED if fmt < 3 else stream.extended
        end_of_header = at + header + (4 if has_extended else 0)
        if len(data) < end_of_header:
            return 0
        length = int.from_bytes(data[at + 3 : at + 6], "big") if fmt <= 1 else stream.length
        begun = stream.body is not None
        missing = length - (len(stream.body) if stream.body is not None else 0)
        size = min(self.chunk_size, missing)
        if len(data) < end_of_header + size:
            return 0
        if begun and fmt != 3:
            raise ValueError(f"fmt {fmt} inside a message of chunk stream {csid}")
        if fmt < 3:
            stream.extended = has_extended
            stream.delta = field
            if has_extended:
                (stream.delta,) = struct.unpack_from(">I", data, end_of_header - 4)
        if fmt <= 1:
            stream.length, stream.type_id = length, data[at + 6]
        if fmt == 0:
            (stream.stream_id,) = struct.unpack_from("<I", data, at + 7)
        if not begun:
            stream.timestamp = (
                stream.delta if fmt == 0 else (stream.timestamp + stream.delta) & 0xFFFFFFFF
            )
            stream.body, stream.start = bytearray(), self.position
        assert stream.body is not None
        stream.body += data[end_of_header : end_of_header + size]
        if len(stream.body) == stream.length:
            messages.append(
                Message(
                    stream.type_id,
                    csid,
                    stream.stream_id,
                    stream.timestamp,
                    bytes(stream.body),
                    stream.start,
                    self.position + end_of_header + size,
                )
            )
            stream.body = None
            if stream.type_id == SET_CHUNK_SIZE:
                self.chunk_size = int.from_bytes(messages[-1].payload[:4], "big") & 0x7FFFFFFF
        return end_of_header + size
