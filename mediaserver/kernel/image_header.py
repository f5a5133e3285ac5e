"""Kind and size of a picture from its first bytes, before anything is decoded. Pure.

PNG: ISO/IEC 15948 §11.2.2. GIF: GIF89a §18. WebP: RFC 9649 §2. JPEG: ITU-T T.81 §B.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

Kind = Literal["PNG", "GIF", "WEBP", "JPEG"]

_JPEG_SEGMENTS_MAX = 1_000
_JPEG_FRAMES = frozenset((0xC0, 0xC1, 0xC2))
"""Baseline, extended and progressive frames; nothing else is in use."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a picture says of itself, in pixels."""

    kind: Kind
    width: int
    height: int


def read_header(data: bytes) -> ImageHeader | None:
    """None for anything that is no PNG, GIF, WebP or JPEG, whatever it is called."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            return ImageHeader("PNG", *struct.unpack_from(">II", data, 16))
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return ImageHeader("GIF", *struct.unpack_from("<HH", data, 6))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
    except (struct.error, IndexError):
        return None
    return None


def _webp(data: bytes) -> ImageHeader | None:
    match data[12:16]:
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little") + 1
            height = int.from_bytes(data[27:30], "little") + 1
        case b"VP8L" if data[20] == 0x2F:
            (bits,) = struct.unpack_from("<I", data, 21)
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 " if data[23:26] == b"\x9d\x01\x2a":
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
        case _:
            return None
    return ImageHeader("WEBP", width, height)


def _jpeg(data: bytes) -> ImageHeader | None:
    position = 2
    for _ in range(_JPEG_SEGMENTS_MAX):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return ImageHeader("JPEG", width, height)
        (length,) = struct.unpack_from(">H", data, position + 2)
        position += 2 + max(2, length)
    return None
