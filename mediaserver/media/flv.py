"""FLV tag bodies, as RTMP audio and video messages carry them → configurations and frames.

Sources: Adobe Flash Video File Format 10.1 annex E; Enhanced RTMP v2 (Veovera, 2024). Pure.
Raises `ValueError` for broken tags, `Unsupported` for what browsers can't play. What carries no
picture or sound (metadata, commands, further tracks of a multitrack message) comes out as None.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

from mediaserver.media import codecs
from mediaserver.media.frames import AudioConfig, Frame, Kind, Unsupported, VideoConfig

VideoTag: TypeAlias = VideoConfig | Frame | None
AudioTag: TypeAlias = AudioConfig | Frame | None
Parse: TypeAlias = Callable[[bytes, int], VideoConfig | AudioConfig | Frame | None]

# Legacy header, E.4.3 and E.4.2
_AVC = 7
_AAC = 10
_AVC_SEQUENCE_HEADER, _AVC_NALU = 0, 1
_KEYFRAME, _COMMAND_FRAME = 1, 5

# Enhanced RTMP
_EX_HEADER = 0x80
_EX_AUDIO = 9
_SEQUENCE_START, _CODED_FRAMES, _SEQUENCE_END, _CODED_FRAMES_X = 0, 1, 2, 3
_VIDEO_MULTITRACK, _AUDIO_MULTITRACK = 6, 5
_MOD_EX = 7
_ONE_TRACK = 0

_VIDEO_RECORDS = {b"avc1": codecs.h264, b"hvc1": codecs.hevc, b"av01": codecs.av1}
_AUDIO_RECORDS = {b"mp4a": codecs.aac, b"Opus": codecs.opus}

_LEGACY_VIDEO = {2: "Sorenson H.263", 3: "Screen video", 4: "VP6", 5: "VP6", 6: "Screen video"}
_LEGACY_AUDIO = {0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 11: "Speex", 14: "MP3"}


def parse_video(payload: bytes, timestamp_ms: int) -> VideoTag:
    """A video message's body."""
    if not payload:
        return None
    if payload[0] & _EX_HEADER:
        return _enhanced_video(payload, timestamp_ms)
    codec = payload[0] & 0x0F
    if codec != _AVC:
        raise _unsupported_video(_LEGACY_VIDEO.get(codec, f"codec {codec}"))
    if payload[0] >> 4 == _COMMAND_FRAME:
        return None
    if len(payload) < 5:
        raise ValueError("video tag is cut off")
    if payload[1] == _AVC_SEQUENCE_HEADER:
        return codecs.h264(payload[5:])
    if payload[1] != _AVC_NALU or len(payload) == 5:
        return None
    return Frame(
        Kind.VIDEO, timestamp_ms, _signed24(payload[2:5]), payload[0] >> 4 == _KEYFRAME, payload[5:]
    )


def parse_audio(payload: bytes, timestamp_ms: int) -> AudioTag:
    """An audio message's body."""
    if not payload:
        return None
    codec = payload[0] >> 4
    if codec == _EX_AUDIO:
        return _enhanced_audio(payload, timestamp_ms)
    if codec != _AAC:
        raise _unsupported_audio(_LEGACY_AUDIO.get(codec, f"codec {codec}"))
    if len(payload) < 2:
        raise ValueError("audio tag is cut off")
    if payload[1] == 0:
        return codecs.aac(payload[2:])
    return Frame(Kind.AUDIO, timestamp_ms, 0, True, payload[2:]) if len(payload) > 2 else None


def _enhanced_video(payload: bytes, timestamp_ms: int) -> VideoTag:
    keyframe = (payload[0] >> 4) & 7 == _KEYFRAME
    if (payload[0] >> 4) & 7 == _COMMAND_FRAME:
        return None
    head = _enhanced_head(payload, _VIDEO_MULTITRACK)
    if head is None:
        return None
    packet_type, four_cc, body = head
    record = _VIDEO_RECORDS.get(four_cc)
    if record is None:
        raise _unsupported_video(four_cc.decode("ascii", "replace"))
    if packet_type == _SEQUENCE_START:
        return record(body)
    composition_ms = 0
    if packet_type == _CODED_FRAMES and four_cc != b"av01":
        if len(body) < 3:
            raise ValueError("video tag is cut off")
        composition_ms, body = _signed24(body[:3]), body[3:]
    if packet_type not in (_CODED_FRAMES, _CODED_FRAMES_X) or not body:
        return None
    return Frame(Kind.VIDEO, timestamp_ms, composition_ms, keyframe, body)


def _enhanced_audio(payload: bytes, timestamp_ms: int) -> AudioTag:
    head = _enhanced_head(payload, _AUDIO_MULTITRACK)
    if head is None:
        return None
    packet_type, four_cc, body = head
    record = _AUDIO_RECORDS.get(four_cc)
    if record is None:
        raise _unsupported_audio(four_cc.decode("ascii", "replace").strip())
    if packet_type == _SEQUENCE_START:
        return record(body)
    if packet_type != _CODED_FRAMES or not body:
        return None
    return Frame(Kind.AUDIO, timestamp_ms, 0, True, body)


def _enhanced_head(payload: bytes, multitrack: int) -> tuple[int, bytes, bytes] | None:
    """Packet type, FourCC and body, with modifiers and a one-track wrapping peeled off."""
    packet_type = payload[0] & 0x0F
    at = 1
    while packet_type == _MOD_EX:
        size = payload[at : at + 1]
        length = size[0] + 1 if size else 0
        at += 1
        if length == 256:
            length = int.from_bytes(payload[at : at + 2], "big") + 1
            at += 2
        at += length
        if at >= len(payload):
            raise ValueError("tag modifier is cut off")
        packet_type = payload[at] & 0x0F
        at += 1
    wrapped = packet_type == multitrack
    if wrapped:
        if at >= len(payload) or payload[at] >> 4 != _ONE_TRACK:
            return None
        packet_type = payload[at] & 0x0F
        at += 1
    four_cc = payload[at : at + 4]
    at += 4
    if wrapped:
        if payload[at : at + 1] != b"\x00":
            return None
        at += 1
    if at > len(payload):
        raise ValueError("tag is cut off")
    return packet_type, four_cc, payload[at:]


def _unsupported_video(name: str) -> Unsupported:
    return Unsupported(f"{name} video can't be played by browsers. Use H.264 (or HEVC or AV1).")


def _unsupported_audio(name: str) -> Unsupported:
    return Unsupported(f"{name} audio can't be played by browsers. Use AAC (or Opus).")


def _signed24(raw: bytes) -> int:
    return int(struct.unpack(">i", raw + b"\x00")[0]) >> 8
