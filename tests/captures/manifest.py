"""What lies in this folder: the bytes nine real encoders sent, and what a right reader finds.

Each file holds C0, C1, C2 and then chunks, as one encoder sent them while publishing stream key `k`
to app `live`; the server's answers are not in it. Video and audio counts include sequence headers
and, for video, the end-of-sequence message. The figures come from an independent reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
APP = "live"
STREAM_KEY = "k"


@dataclass(frozen=True, slots=True)
class Messages:
    """All messages of one kind: how many, their payload bytes, timestamp of the last one."""

    count: int
    payload_bytes: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Capture:
    """One file. `chunk_size` is what the encoder sets for its own chunks and keeps."""

    name: str
    sha256: str
    chunk_size: int
    video: Messages | None
    audio: Messages | None
    video_codec: str | None
    audio_codec: str | None
    note: str = ""
    chroma: str = "4:2:0"

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.bin"

    def read(self) -> bytes:
        return self.path.read_bytes()


CAPTURES: tuple[Capture, ...] = (
    Capture(
        "obs-studio-29.0-h264-aac",
        "fbfeaeaa2ecb2b276b6a0af0664291b7d2e8afd161d4fe12484d0916cc590284",
        4096,
        Messages(398, 413_512, 13_200),
        Messages(621, 5_001, 13_205),
        "avc1",
        "mp4a",
        "silent AAC; no fourCcList in connect",
    ),
    Capture(
        "ffmpeg-5.1-h264-bframes-aac",
        "0a11ed8cca239c028eb92ad6c1410978ded58e4a291a59ea1a19a47bccec3078",
        4096,
        Messages(242, 204_511, 7_967),
        Messages(377, 65_237, 8_046),
        "avc1",
        "mp4a",
        "two B-frames",
    ),
    Capture(
        "ffmpeg-5.1-silent-aac",
        "8354aab4833e2df1f3b779fd59006df25f63b56bf7ae6e82905834dad848d006",
        4096,
        Messages(242, 106_303, 7_988),
        Messages(377, 2_297, 8_000),
        "avc1",
        "mp4a",
        "equal frame sizes: type-3 chunks open messages",
    ),
    Capture(
        "ffmpeg-5.1-audio-only",
        "31be1441f5c4f9509b4a67df5a271decc31db5ea25406553817c49937a5e2514",
        4096,
        None,
        Messages(377, 65_237, 8_000),
        None,
        "mp4a",
    ),
    Capture(
        "ffmpeg-8.1-enhanced-hevc-aac",
        "3d5b913f6ad83527428d9327fbcea570a86dab0e35dde7cb7247828c14ef85b2",
        4096,
        Messages(152, 8_911, 4_967),
        Messages(237, 30_717, 5_059),
        "hvc1",
        "mp4a",
        "Enhanced RTMP video",
    ),
    Capture(
        "ffmpeg-8.1-enhanced-av1-aac",
        "b2fa56c93696fdc46161b5b5c4448c3ff4d93f6b3773c4e1a9cffbceb9e38db0",
        4096,
        Messages(152, 8_701, 4_988),
        Messages(237, 30_717, 5_013),
        "av01",
        "mp4a",
        "Enhanced RTMP video",
    ),
    Capture(
        "ffmpeg-8.1-enhanced-h264-opus",
        "a4b2eaa3d0781a1fff7793717fd716d5b778421b117dba4a09924390e43734e4",
        4096,
        Messages(152, 8_056, 4_967),
        Messages(253, 43_110, 5_061),
        "avc1",
        "Opus",
        "Enhanced RTMP audio",
    ),
    Capture(
        "gstreamer-1.22-rtmp2sink",
        "0fbdf72463b828ab9673496083d062476e933c009763742d41611d816c1157eb",
        128,
        Messages(152, 99_164, 4_966),
        Messages(232, 39_877, 4_906),
        "avc1",
        "mp4a",
        "stays at 128-byte chunks; High 4:4:4 Predictive, which browsers can't play",
        chroma="4:4:4",
    ),
    Capture(
        "gstreamer-1.22-rtmpsink-librtmp",
        "b107fb8d0f972be46b98f795153c157fc92c2030a290bc4999c5790ef17d0f74",
        128,
        Messages(152, 99_158, 4_966),
        Messages(232, 39_877, 4_906),
        "avc1",
        "mp4a",
        "librtmp; stays at 128-byte chunks; High 4:4:4 Predictive as well",
        chroma="4:4:4",
    ),
)


def capture(name: str) -> Capture:
    """The capture of that name; KeyError when there is none."""
    return {entry.name: entry for entry in CAPTURES}[name]
