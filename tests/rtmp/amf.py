"""AMF0 for tests: writes anything, also what no encoder should send; reads server answers."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

NUMBER, BOOLEAN, STRING, OBJECT, NULL, UNDEFINED = 0, 1, 2, 3, 5, 6
ECMA_ARRAY, END, STRICT_ARRAY, LONG_STRING = 8, 9, 10, 12


class Undefined:
    """AMF0's other kind of nothing."""


class EcmaArray(dict[str, object]):
    """Written as an ECMA array instead of an object. `claimed` overrides the count it states."""

    claimed: int | None = None


def _key(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def encode(*values: object) -> bytes:
    """Python values → AMF0: bool, number, str, None, Undefined, dict, EcmaArray, list."""
    return b"".join(_encode(value) for value in values)


def _encode(value: object) -> bytes:
    if value is None:
        return bytes([NULL])
    if isinstance(value, Undefined) or value is Undefined:
        return bytes([UNDEFINED])
    if isinstance(value, bool):
        return bytes([BOOLEAN, value])
    if isinstance(value, int | float):
        return bytes([NUMBER]) + struct.pack(">d", value)
    if isinstance(value, str):
        raw = value.encode()
        if len(raw) > 0xFFFF:
            return bytes([LONG_STRING]) + struct.pack(">I", len(raw)) + raw
        return bytes([STRING]) + _key(value)
    if isinstance(value, Mapping):
        members = b"".join(_key(str(name)) + _encode(member) for name, member in value.items())
        members += b"\0\0" + bytes([END])
        if isinstance(value, EcmaArray):
            count = len(value) if value.claimed is None else value.claimed
            return bytes([ECMA_ARRAY]) + struct.pack(">I", count) + members
        return bytes([OBJECT]) + members
    if isinstance(value, Sequence):
        items = b"".join(_encode(item) for item in value)
        return bytes([STRICT_ARRAY]) + struct.pack(">I", len(value)) + items
    raise TypeError(f"AMF0 has no {type(value).__name__}")


def nested(depth: int) -> bytes:
    """An object in an object in an object …, `depth` levels, well-formed to the end."""
    opening = bytes([OBJECT]) + _key("a")
    closing = b"\0\0" + bytes([END])
    return opening * depth + bytes([NULL]) + closing * depth


def decode(data: bytes) -> list[object]:
    """All values of a message body. ValueError when it is not AMF0."""
    values: list[object] = []
    at = 0
    try:
        while at < len(data):
            value, at = _decode(data, at)
            values.append(value)
    except (struct.error, IndexError) as error:
        raise ValueError(f"AMF0 is cut short at {at}") from error
    return values


def _string(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">H", data, at)
    end = at + 2 + length
    if end > len(data):
        raise ValueError(f"AMF0 string at {at} is cut short")
    return data[at + 2 : end].decode(), end


def _decode(data: bytes, at: int) -> tuple[object, int]:
    kind = data[at]
    at += 1
    if kind == NUMBER:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if kind == BOOLEAN:
        return bool(data[at]), at + 1
    if kind == STRING:
        return _string(data, at)
    if kind == LONG_STRING:
        (length,) = struct.unpack_from(">I", data, at)
        return data[at + 4 : at + 4 + length].decode(), at + 4 + length
    if kind in {NULL, UNDEFINED}:
        return None, at
    if kind in {OBJECT, ECMA_ARRAY}:
        members: dict[str, object] = {}
        at += 4 if kind == ECMA_ARRAY else 0
        while data[at : at + 3] != b"\0\0\x09":
            name, at = _string(data, at)
            members[name], at = _decode(data, at)
        return members, at + 3
    if kind == STRICT_ARRAY:
        (count,) = struct.unpack_from(">I", data, at)
        at += 4
        items: list[object] = []
        for _ in range(count):
            item, at = _decode(data, at)
            items.append(item)
        return items, at
    raise ValueError(f"AMF0 type {kind} at {at - 1}")
