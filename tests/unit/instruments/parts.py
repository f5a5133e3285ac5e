"""Parts as the engine is designed to make them: muxed by PyAV, each in a fresh container.

Written from the design text, not from the engine: what it makes is right by the reader's own rules,
and the tests then break single bytes of it.
"""

from __future__ import annotations

import functools
import io
import struct
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av

from tests.hls.boxes import Malformed, boxes
from tests.rtmp.clips import clip

if TYPE_CHECKING:
    AnyPacket = av.Packet[Any]

VIDEO_TIMESCALE, AUDIO_TIMESCALE = 90_000, 48_000
MOVFLAGS = "empty_moov+default_base_moof+frag_custom+frag_discont+skip_trailer"


@dataclass(frozen=True, slots=True)
class MadePart:
    duration: Decimal
    independent: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class MadeStream:
    init: bytes
    parts: tuple[MadePart, ...]


def _packets() -> tuple[bytes, list[AnyPacket], list[AnyPacket]]:
    sink = io.BytesIO()
    sink.write(_flv())
    sink.seek(0)
    with av.open(sink, "r", format="flv") as source:
        packets = [packet for packet in source.demux() if packet.size]
        video = [packet for packet in packets if packet.stream.type == "video"]
        audio = [packet for packet in packets if packet.stream.type == "audio"]
    return _flv(), video, audio


@functools.lru_cache(maxsize=1)
def _flv() -> bytes:
    tags = clip()
    data = bytearray(b"FLV\x01\x05\0\0\0\x09\0\0\0\0")
    for tag in tags:
        data += bytes([tag.kind]) + len(tag.payload).to_bytes(3, "big")
        data += (tag.ms & 0xFFFFFF).to_bytes(3, "big") + bytes([tag.ms >> 24, 0, 0, 0])
        data += tag.payload + struct.pack(">I", 11 + len(tag.payload))
    return bytes(data)


@functools.lru_cache(maxsize=1)
def made_stream(seconds: int = 6, frames_per_part: int = 15) -> MadeStream:
    """`seconds` of 30 fps video and 48 kHz AAC in parts of `frames_per_part` video frames."""
    flv, video, audio = _packets()
    parts: list[MadePart] = []
    init = b""
    sounds = 0
    for number in range(seconds * 30 // frames_per_part):
        pictures = video[number * frames_per_part : (number + 1) * frames_per_part]
        end = Fraction((number + 1) * frames_per_part, 30)
        first_sound = sounds
        while Fraction(sounds * 1024, AUDIO_TIMESCALE) < end:
            sounds += 1
        init, data = _mux(
            flv, number, pictures, number * frames_per_part, audio[first_sound:sounds], first_sound
        )
        parts.append(
            MadePart(
                Decimal(frames_per_part) / 30,
                any(packet.is_keyframe for packet in pictures),
                data,
            )
        )
    return MadeStream(init, tuple(parts))


def _mux(
    flv: bytes,
    number: int,
    pictures: list[AnyPacket],
    first_picture: int,
    sounds: list[AnyPacket],
    first_sound: int,
) -> tuple[bytes, bytes]:
    sink = io.BytesIO()
    with (
        av.open(io.BytesIO(flv), format="flv") as template,
        av.open(
            sink,
            "w",
            format="mp4",
            options={
                "movflags": MOVFLAGS,
                "use_editlist": "0",
                "avoid_negative_ts": "disabled",
                "fragment_index": str(number + 1),
                "video_track_timescale": str(VIDEO_TIMESCALE),
            },
        ) as out,
    ):
        video_out = out.add_stream_from_template(template.streams.video[0])
        audio_out = out.add_stream_from_template(template.streams.audio[0])
        out.start_encoding()
        init_bytes = sink.tell()
        for index, packet in enumerate(pictures):
            packet.stream = video_out
            packet.time_base = Fraction(1, VIDEO_TIMESCALE)
            packet.pts = packet.dts = (first_picture + index) * 3000
            packet.duration = 3000
            out.mux(packet)
        for index, packet in enumerate(sounds):
            packet.stream = audio_out
            packet.time_base = Fraction(1, AUDIO_TIMESCALE)
            packet.pts = packet.dts = (first_sound + index) * 1024
            packet.duration = 1024
            out.mux(packet)
    data = sink.getvalue()
    return data[:init_bytes], data[init_bytes:]


def patch(data: bytes, path: str, offset: int, value: bytes) -> bytes:
    """`data` with `value` at `offset` of the content of the first box on `path` ("moof/traf")."""
    start, end = 0, len(data)
    for kind in path.split("/"):
        found = next((box for box in boxes(data, start, end) if box.kind == kind), None)
        if found is None:
            raise Malformed(f"no {kind}")
        start, end = found.body, found.end
    at = start + offset
    assert at + len(value) <= end
    assert data[at : at + len(value)] != value, "the patch changes nothing"
    return data[:at] + value + data[at + len(value) :]
