"""Instant playback as a client reads it, written from docs/instant-playback.md alone."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from tests.hls.boxes import Fragment, Init, read_fragments, read_init


@dataclass(frozen=True, slots=True)
class EpochHead:
    """Message 1."""

    number: int
    about: dict[str, Any]
    init_bytes: bytes

    @property
    def init(self) -> Init:
        return read_init(self.init_bytes)


@dataclass(frozen=True, slots=True)
class FragmentMessage:
    """Message 2."""

    keyframe: bool
    epoch: int
    sequence: int
    received_ms: float
    start_s: float
    end_s: float
    data: bytes

    def media(self, init: Init) -> Fragment:
        """The one fragment in it."""
        (only,) = read_fragments(self.data, init)
        return only


Message = EpochHead | FragmentMessage


def read_message(payload: bytes) -> Message:
    kind = payload[0]
    if kind == 1:
        number, size = struct.unpack_from(">HI", payload, 2)
        return EpochHead(number, json.loads(payload[8 : 8 + size]), payload[8 + size :])
    assert kind == 2, f"message {kind}"
    flags, epoch, sequence, received_ms, start_s, end_s = struct.unpack_from(">BHIddd", payload, 1)
    assert flags in (0, 1)
    return FragmentMessage(flags == 1, epoch, sequence, received_ms, start_s, end_s, payload[32:])


def read_websocket(stream: bytes) -> list[Message]:
    """The messages in what a server wrote: whole, binary, unmasked frames."""
    messages, at = [], 0
    while at < len(stream):
        assert stream[at] == 0x82
        size, head = stream[at + 1], 2
        if size == 126:
            (size,), head = struct.unpack_from(">H", stream, at + 2), 4
            assert size >= 126
        elif size == 127:
            (size,), head = struct.unpack_from(">Q", stream, at + 2), 10
            assert size >= 1 << 16
        messages.append(read_message(stream[at + head : at + head + size]))
        at += head + size
    assert at == len(stream)
    return messages
