"""RTMP bytes by hand for unit tests: every field of every chunk is what the test says."""

from __future__ import annotations

from mediaserver.media.rtmp.vocabulary import Chunk


def basic_header(fmt: int, chunk_id: int) -> bytes:
    """The one-, two- or three-byte form that RTMP 1.0 §5.3.1.1 gives the chunk stream id."""
    if chunk_id < 64:
        return bytes((fmt << 6 | chunk_id,))
    if chunk_id < 320:
        return bytes((fmt << 6, chunk_id - 64))
    return bytes((fmt << 6 | 1, (chunk_id - 64) & 0xFF, (chunk_id - 64) >> 8))


def chunk(
    fmt: int,
    chunk_id: int,
    payload: bytes = b"",
    *,
    time: int = 0,
    length: int | None = None,
    type_id: int = 8,
    stream_id: int = 1,
    extended: int | None = None,
) -> bytes:
    """One chunk. `time` is the 24-bit field, `extended` the 32 bits behind it, if any."""
    out = basic_header(fmt, chunk_id)
    if fmt < 3:
        out += time.to_bytes(3, "big")
    if fmt < 2:
        out += (len(payload) if length is None else length).to_bytes(3, "big") + bytes((type_id,))
    if fmt == 0:
        out += stream_id.to_bytes(4, "little")
    if extended is not None:
        out += extended.to_bytes(4, "big")
    return out + payload


def control(type_id: int, value: int) -> bytes:
    """A protocol control message of one 32-bit number, on chunk stream 2."""
    return chunk(0, 2, value.to_bytes(4, "big"), type_id=type_id, stream_id=0)


def message(
    payload: bytes = b"",
    *,
    chunk_id: int = 4,
    timestamp: int = 0,
    type_id: int = 8,
    stream_id: int = 1,
) -> Chunk:
    return Chunk(
        chunk_type=0,
        chunk_id=chunk_id,
        timestamp=timestamp,
        msg_length=len(payload),
        msg_type_id=type_id,
        msg_stream_id=stream_id,
        payload=payload,
    )
