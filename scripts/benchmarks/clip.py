"""The stream that ingest is measured with, encoded once: FLV tags that loop for ever.

Eight seconds are whole groups of pictures and, at 48 kHz, exactly 375 AAC frames, so timestamps
stay true to the samples from loop to loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.filter
from av.video.frame import PictureType

LOOP_MS = 8000
_FPS = 30
_GOP_FRAMES = 60
_RATE = 48_000
_AUDIO_FRAMES = LOOP_MS * _RATE // 1000 // 1024
_AUDIO, _VIDEO = 8, 9


@dataclass(frozen=True, slots=True)
class Tag:
    """The body of an audio (8) or video (9) message. `is_header`: a codec configuration."""

    type_id: int
    ms: int
    body: bytes

    @property
    def is_header(self) -> bool:
        return self.body[1] == 0


def encode(path: Path, *, kbps: int = 6000, size: str = "1280x720") -> None:
    """H.264 at a constant rate, as OBS sends it (veryfast, 2 B-frames, GOP 2 s), and AAC."""
    width, height = map(int, size.split("x"))
    with av.open(str(path), "w", format="flv", options={"flvflags": "no_duration_filesize"}) as out:
        video = out.add_stream(
            "libx264",
            rate=_FPS,
            options={
                "preset": "veryfast",
                "bf": "2",
                "sc_threshold": "0",
                "maxrate": f"{kbps}k",
                "minrate": f"{kbps}k",
                "bufsize": f"{kbps}k",
                "x264-params": "nal-hrd=cbr",
            },
        )
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.bit_rate, video.gop_size = kbps * 1000, _GOP_FRAMES
        audio = out.add_stream("aac", rate=_RATE, layout="stereo")
        audio.bit_rate = 160_000
        sound = _sound()
        for number, picture in enumerate(_pictures(size)):
            picture.pts, picture.time_base = number, Fraction(1, _FPS)
            out.mux(video.encode(picture))
        for frame in sound:
            out.mux(audio.encode(frame))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def read(path: Path) -> tuple[list[Tag], list[Tag]]:
    """Codec configurations, and the frames of one loop in sending order."""
    data = path.read_bytes()
    at, tags = 13, []
    while at < len(data):
        length = int.from_bytes(data[at + 1 : at + 4], "big")
        ms = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
        if data[at] in (_AUDIO, _VIDEO):
            tags.append(Tag(data[at], ms, data[at + 11 : at + 11 + length]))
        at += 11 + length + 4
    headers = [tag for tag in tags if tag.is_header]
    frames = [tag for tag in tags if not tag.is_header and len(tag.body) > 5]
    video = [tag for tag in frames if tag.type_id == _VIDEO]
    audio = [tag for tag in frames if tag.type_id == _AUDIO][:_AUDIO_FRAMES]
    first_ms = min(video[0].ms, audio[0].ms)
    loop = sorted(video + audio, key=lambda tag: tag.ms)
    return headers, [Tag(tag.type_id, tag.ms - first_ms, tag.body) for tag in loop]


def _pictures(size: str) -> Iterator[av.VideoFrame]:
    """A moving test picture with noise over it, so that the encoder needs the whole rate."""
    graph = av.filter.Graph()
    source = graph.add("testsrc2", f"size={size}:rate={_FPS}:duration={LOOP_MS / 1000}")
    noise = graph.add("noise", "alls=12:allf=t")
    shape = graph.add("format", "pix_fmts=yuv420p")
    sink = graph.add("buffersink")
    for one, next_one in ((source, noise), (noise, shape), (shape, sink)):
        one.link_to(next_one)
    graph.configure()
    for _ in range(LOOP_MS * _FPS // 1000):
        picture = graph.vpull()
        picture.pict_type = PictureType.NONE  # the encoder decides
        yield picture


def _sound() -> Iterator[av.AudioFrame]:
    graph = av.filter.Graph()
    source = graph.add(
        "aevalsrc", f"exprs=0.3*sin(440*2*PI*t)|0.3*random(0):s={_RATE}:d={LOOP_MS / 1000}"
    )
    size = graph.add("asetnsamples", "n=1024")
    shape = graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo")
    sink = graph.add("abuffersink")
    for one, next_one in ((source, size), (size, shape), (shape, sink)):
        one.link_to(next_one)
    graph.configure()
    for _ in range(_AUDIO_FRAMES):
        yield graph.pull()
