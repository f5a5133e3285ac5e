"""FLV tags for tests: makers for AVC and AAC, and a reader of whole FLV files (Adobe FLV 10.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

AUDIO, VIDEO, SCRIPT = 8, 9, 18
KEY_AVC, INTER_AVC = 0x17, 0x27
AAC_HEADER = 0xAF  # AAC, and by convention 44 kHz, 16 bit, stereo


@dataclass(frozen=True, slots=True)
class FlvTag:
    """One tag, as well the body of one RTMP audio, video or data message. `ms` is decode time."""

    kind: int
    ms: int
    payload: bytes

    def at(self, ms: int) -> FlvTag:
        return replace(self, ms=ms)

    @property
    def is_enhanced(self) -> bool:
        if self.kind == VIDEO:
            return bool(self.payload) and bool(self.payload[0] & 0x80)
        return self.kind == AUDIO and bool(self.payload) and self.payload[0] >> 4 == 9

    @property
    def is_header(self) -> bool:
        """A sequence header (decoder configuration), plain or Enhanced."""
        if self.kind not in {AUDIO, VIDEO} or not self.payload:
            return False
        if self.is_enhanced:
            return self.payload[0] & 0x0F == 0
        coded = self.payload[0] & 0x0F == 7 if self.kind == VIDEO else self.payload[0] >> 4 == 10
        return coded and len(self.payload) > 1 and self.payload[1] == 0

    @property
    def is_end(self) -> bool:
        """End of sequence (video only)."""
        if self.kind != VIDEO or not self.payload:
            return False
        if self.is_enhanced:
            return self.payload[0] & 0x0F == 2
        return len(self.payload) > 1 and self.payload[1] == 2

    @property
    def is_keyframe(self) -> bool:
        if self.kind != VIDEO or not self.payload or self.is_header or self.is_end:
            return False
        return (self.payload[0] >> 4) & 0x07 == 1


def avc_config(avcc: bytes, ms: int = 0) -> FlvTag:
    """AVC sequence header; `avcc` is the AVCDecoderConfigurationRecord."""
    return FlvTag(VIDEO, ms, bytes([KEY_AVC, 0, 0, 0, 0]) + avcc)


def avc_frame(data: bytes, ms: int, *, key: bool, cts_ms: int = 0) -> FlvTag:
    """One AVC frame; `data` is NAL units with 4-byte lengths, `cts_ms` is signed."""
    head = bytes([KEY_AVC if key else INTER_AVC, 1]) + (cts_ms & 0xFFFFFF).to_bytes(3, "big")
    return FlvTag(VIDEO, ms, head + data)


def avc_end(ms: int) -> FlvTag:
    return FlvTag(VIDEO, ms, bytes([KEY_AVC, 2, 0, 0, 0]))


def aac_config(asc: bytes, ms: int = 0) -> FlvTag:
    """AAC sequence header; `asc` is the AudioSpecificConfig."""
    return FlvTag(AUDIO, ms, bytes([AAC_HEADER, 0]) + asc)


def aac_frame(data: bytes, ms: int) -> FlvTag:
    return FlvTag(AUDIO, ms, bytes([AAC_HEADER, 1]) + data)


def read_flv(data: bytes) -> list[FlvTag]:
    """All tags of an FLV file. ValueError when it is not one or is cut short."""
    if data[:3] != b"FLV":
        raise ValueError("no FLV header")
    at = int.from_bytes(data[5:9], "big") + 4
    tags: list[FlvTag] = []
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        ms = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
        body = data[at + 11 : at + 11 + size]
        if len(body) != size:
            raise ValueError(f"FLV tag at {at} is cut short")
        tags.append(FlvTag(data[at] & 0x1F, ms, body))
        at += 11 + size + 4
    return tags
