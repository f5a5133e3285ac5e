"""AMF0 as RTMP commands use it: bounded decoding, tolerant of what encoders get wrong.

Source: "Action Message Format -- AMF 0" (Adobe, 2007). Replaces pyrtmp's serializers, which raise
on strict arrays (`fourCcList` of Enhanced RTMP), undefined, dates and long strings.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TypeAlias

from mediaserver.kernel import limits

AmfValue: TypeAlias = (
    "float | int | bool | str | Sequence[AmfValue] | Mapping[str, AmfValue] | None"
)


class Marker(IntEnum):
    """The type byte in front of each value (AMF0 §2.1)."""

    NUMBER = 0x00
    BOOLEAN = 0x01
    STRING = 0x02
    OBJECT = 0x03
    NULL = 0x05
    UNDEFINED = 0x06
    ECMA_ARRAY = 0x08
    OBJECT_END = 0x09
    STRICT_ARRAY = 0x0A
    DATE = 0x0B
    LONG_STRING = 0x0C
    XML_DOCUMENT = 0x0F
    TYPED_OBJECT = 0x10


class AmfError(Exception):
    """The bytes are not AMF0, or exceed a bound."""


def decode(data: bytes | memoryview) -> list[AmfValue]:
    """All values of a command or data message, in order. Raises `AmfError`."""
    reader = _Reader(bytes(data))
    values: list[AmfValue] = []
    while reader.position < len(reader.data):
        values.append(reader.value(0))
    return values


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

        self.position = 0
        self._items = 0

    def value(self, depth: int) -> AmfValue:
        self._items += 1
        if depth > limits.AMF_DEPTH_MAX or self._items > limits.AMF_ITEMS_MAX:
            raise AmfError("AMF value is nested too deeply or has too many items")
        marker = self._take(1)[0]
        match marker:
            case Marker.NUMBER:
                return float(struct.unpack(">d", self._take(8))[0])
            case Marker.BOOLEAN:
                return self._take(1)[0] != 0
            case Marker.STRING:
                return self._text(2)
            case Marker.LONG_STRING | Marker.XML_DOCUMENT:
                return self._text(4)
            case Marker.NULL | Marker.UNDEFINED:
                return None
            case Marker.OBJECT:
                return self._pairs(depth)
            case Marker.ECMA_ARRAY:
                self._take(4)  # the count is a hint that lax encoders get wrong
                return self._pairs(depth)
            case Marker.TYPED_OBJECT:
                self._text(2)
                return self._pairs(depth)
            case Marker.STRICT_ARRAY:
                count = int.from_bytes(self._take(4), "big")
                if count > limits.AMF_ITEMS_MAX:
                    raise AmfError("AMF array is too long")
                return [self.value(depth + 1) for _ in range(count)]
            case Marker.DATE:
                return float(struct.unpack(">d2x", self._take(10))[0])
        raise AmfError(f"AMF0 type 0x{marker:02x} is not supported")

    def _pairs(self, depth: int) -> dict[str, AmfValue]:
        pairs: dict[str, AmfValue] = {}
        while True:
            key = self._text(2)
            if not key and self.data[self.position : self.position + 1] == bytes(
                (Marker.OBJECT_END,)
            ):
                self.position += 1
                return pairs
            pairs[key] = self.value(depth + 1)

    def _text(self, length_bytes: int) -> str:
        length = int.from_bytes(self._take(length_bytes), "big")
        if length > limits.AMF_STRING_BYTES_MAX:
            raise AmfError("AMF string is too long")
        return self._take(length).decode("utf-8", "replace")

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise AmfError("AMF data ends in the middle of a value")
        taken = self.data[self.position : end]
        self.position = end
        return taken


def encode(*values: AmfValue) -> bytes:
    """Encode values one after the other."""
    out = bytearray()
    for value in values:
        _encode(value, out)
    return bytes(out)


def _encode(value: AmfValue, out: bytearray) -> None:
    if value is None:
        out.append(Marker.NULL)
    elif isinstance(value, bool):
        out += bytes((Marker.BOOLEAN, value))
    elif isinstance(value, int | float):
        out.append(Marker.NUMBER)
        out += struct.pack(">d", value)
    elif isinstance(value, str):
        raw = value.encode()
        if len(raw) > 0xFFFF:
            out.append(Marker.LONG_STRING)
            out += len(raw).to_bytes(4, "big") + raw
        else:
            out.append(Marker.STRING)
            out += len(raw).to_bytes(2, "big") + raw
    elif isinstance(value, Mapping):
        out.append(Marker.OBJECT)
        for key, item in value.items():
            raw = key.encode()
            out += len(raw).to_bytes(2, "big") + raw
            _encode(item, out)
        out += b"\x00\x00\x09"
    else:
        out.append(Marker.STRICT_ARRAY)
        out += len(value).to_bytes(4, "big")
        for item in value:
            _encode(item, out)
