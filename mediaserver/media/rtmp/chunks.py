"""The chunk layer of RTMP 1.0 §5.3 and §5.4: bytes to messages and back, without I/O.

`ChunkReader` replaces pyrtmp's reader: one buffer, every bound checked before memory is taken.
It obeys the two control messages that change how chunks are read (Set Chunk Size, Abort) and
hands every message on, those two included.
"""

from __future__ import annotations

from collections.abc import Iterator

from mediaserver.kernel import limits
from mediaserver.media.rtmp.vocabulary import Chunk

SET_CHUNK_SIZE = 0x01
ABORT = 0x02

_EXTENDED = 0xFFFFFF
_TIMESTAMP_MASK = 0xFFFFFFFF
_HEADER_BYTES = (11, 7, 3, 0)


class ProtocolError(Exception):
    """The peer broke the protocol or a bound; the connection can't go on."""


class _ChunkStream:
    """What the headers of one chunk stream inherit, and its unfinished message."""

    __slots__ = (
        "extended",
        "fmt",
        "length",
        "payload",
        "stream_id",
        "time_field",
        "timestamp",
        "type_id",
    )

    def __init__(self) -> None:
        self.fmt = 0
        self.timestamp = 0
        self.extended = False
        self.time_field = 0
        self.length = 0
        self.type_id = 0
        self.stream_id = 0
        self.payload: bytearray | None = None


class ChunkReader:
    """Turns the byte stream after the handshake into messages.

    Call `feed` with what the socket gave, then exhaust `messages()`. `message_bytes_max` may be
    raised between two messages, once the publisher is accepted.
    """

    def __init__(self, message_bytes_max: int = limits.RTMP_MESSAGE_BYTES_MAX) -> None:
        self.message_bytes_max = message_bytes_max

        self.chunk_size = limits.RTMP_CHUNK_BYTES_MIN
        self.bytes_read = 0
        self._buffer = bytearray()
        self._streams: dict[int, _ChunkStream] = {}
        self._partial_bytes = 0

    @property
    def buffered_bytes(self) -> int:
        """Memory held for chunks and messages that are not complete."""
        return len(self._buffer) + self._partial_bytes

    def feed(self, data: bytes) -> None:
        """Append bytes from the socket."""
        self._buffer += data
        self.bytes_read += len(data)

    def messages(self) -> Iterator[Chunk]:
        """Yield each complete message. Raises `ProtocolError`, after which the reader is spent."""
        buffer = self._buffer
        position = 0
        try:
            while position < len(buffer):
                # A stream keeps no trace of a chunk until the chunk is there as a whole; one that
                # is still under way has its few header bytes parsed again with the next read.
                first = buffer[position]
                fmt = first >> 6
                start = position + 1
                chunk_id = first & 0x3F
                if chunk_id < 2:
                    start += chunk_id + 1
                    if start > len(buffer):
                        return
                    chunk_id = 64 + int.from_bytes(buffer[position + 1 : start], "little")
                stream = self._streams.get(chunk_id) or self._open(chunk_id, fmt)

                if fmt == 3 and stream.payload is not None:
                    if stream.extended:
                        if start + 4 > len(buffer):
                            return
                        # §5.3.1.3 repeats the field; some encoders leave it out.
                        if int.from_bytes(buffer[start : start + 4], "big") == stream.time_field:
                            start += 4
                    missing = stream.length - len(stream.payload)
                    end = start + min(missing, self.chunk_size)
                    if end > len(buffer):
                        return
                else:
                    opened = self._open_message(stream, fmt, start)
                    if opened is None:
                        return
                    start, end = opened
                    stream.payload = bytearray()
                    missing = stream.length

                assert stream.payload is not None
                stream.payload += buffer[start:end]
                self._partial_bytes += end - start
                position = end
                if end - start == missing:
                    yield self._close_message(chunk_id, stream)
                elif self._partial_bytes > self.message_bytes_max:
                    raise ProtocolError(
                        f"unfinished messages exceed {self.message_bytes_max} bytes"
                    )
        finally:
            del buffer[:position]

    def _open(self, chunk_id: int, fmt: int) -> _ChunkStream:
        # librtmp opens the control stream with fmt 1; a type 2 or 3 has no length to inherit.
        if fmt > 1:
            raise ProtocolError(f"chunk of type {fmt} on chunk stream {chunk_id}, never opened")
        if len(self._streams) >= limits.RTMP_CHUNK_STREAMS_MAX:
            raise ProtocolError(f"more than {limits.RTMP_CHUNK_STREAMS_MAX} chunk streams")
        stream = self._streams[chunk_id] = _ChunkStream()
        return stream

    def _open_message(self, stream: _ChunkStream, fmt: int, start: int) -> tuple[int, int] | None:
        """Parse the header of a message's first chunk; None while it or its payload is not there.

        Returns where the payload of this chunk begins and ends.
        """
        if stream.payload is not None:
            raise ProtocolError(f"chunk of type {fmt} inside an unfinished message")
        buffer = self._buffer
        header = start
        start += _HEADER_BYTES[fmt]
        if start > len(buffer):
            return None

        length, type_id, stream_id = stream.length, stream.type_id, stream.stream_id
        time_field, extended = stream.time_field, stream.extended
        if fmt < 3:
            time_field = int.from_bytes(buffer[header : header + 3], "big")
            extended = time_field == _EXTENDED
        if fmt < 2:
            length = int.from_bytes(buffer[header + 3 : header + 6], "big")
            type_id = buffer[header + 6]
        if fmt == 0:
            stream_id = int.from_bytes(buffer[header + 7 : header + 11], "little")
        if extended:
            if start + 4 > len(buffer):
                return None
            field = int.from_bytes(buffer[start : start + 4], "big")
            if fmt < 3:
                time_field = field
                start += 4
            elif field == stream.time_field:
                start += 4
        if length > self.message_bytes_max:
            raise ProtocolError(f"message of {length} bytes, at most {self.message_bytes_max}")
        end = start + min(length, self.chunk_size)
        if end > len(buffer):
            return None

        stream.fmt, stream.length, stream.type_id = fmt, length, type_id
        stream.stream_id, stream.time_field, stream.extended = stream_id, time_field, extended
        if fmt == 0:
            stream.timestamp = time_field
        else:
            # §5.3.1.2.4: a type 3 that opens a message repeats the last delta, and after a type 0
            # the delta is that chunk's timestamp, as ffmpeg's writer relies on.
            stream.timestamp = (stream.timestamp + time_field) & _TIMESTAMP_MASK
        return start, end

    def _close_message(self, chunk_id: int, stream: _ChunkStream) -> Chunk:
        assert stream.payload is not None
        payload = bytes(stream.payload)
        stream.payload = None
        self._partial_bytes -= len(payload)
        if stream.type_id == SET_CHUNK_SIZE:
            self._set_chunk_size(payload)
        elif stream.type_id == ABORT:
            self._abort(payload)
        return Chunk(
            chunk_type=stream.fmt,
            chunk_id=chunk_id,
            timestamp=stream.timestamp,
            msg_length=len(payload),
            msg_type_id=stream.type_id,
            msg_stream_id=stream.stream_id,
            payload=payload,
        )

    def _set_chunk_size(self, payload: bytes) -> None:
        size = int.from_bytes(payload[:4], "big") if len(payload) >= 4 else 0
        if not limits.RTMP_CHUNK_BYTES_MIN <= size <= 0x7FFFFFFF:
            raise ProtocolError(f"chunk size {size}, at least {limits.RTMP_CHUNK_BYTES_MIN}")
        self.chunk_size = min(size, limits.RTMP_CHUNK_BYTES_MAX)

    def _abort(self, payload: bytes) -> None:
        stream = self._streams.get(int.from_bytes(payload[:4], "big"))
        if stream is not None and stream.payload is not None:
            self._partial_bytes -= len(stream.payload)
            stream.payload = None


def encode_message(message: Chunk, chunk_size: int) -> bytes:
    """A message as chunks: type 0, then type 3. Always absolute time, so nothing is inherited."""
    payload = message.payload
    extended = message.timestamp >= _EXTENDED
    tail = message.timestamp.to_bytes(4, "big") if extended else b""
    out = bytearray(_basic_header(0, message.chunk_id))
    out += min(message.timestamp, _EXTENDED).to_bytes(3, "big")
    out += len(payload).to_bytes(3, "big")
    out.append(message.msg_type_id)
    out += message.msg_stream_id.to_bytes(4, "little")
    out += tail
    out += payload[:chunk_size]
    for offset in range(chunk_size, len(payload), chunk_size):
        out += _basic_header(3, message.chunk_id) + tail
        out += payload[offset : offset + chunk_size]
    return bytes(out)


def _basic_header(fmt: int, chunk_id: int) -> bytes:
    if chunk_id < 64:
        return bytes((fmt << 6 | chunk_id,))
    if chunk_id < 320:
        return bytes((fmt << 6, chunk_id - 64))
    return bytes((fmt << 6 | 1,)) + (chunk_id - 64).to_bytes(2, "little")
