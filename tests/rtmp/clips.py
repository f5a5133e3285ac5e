"""Short real encodes as FLV tags, made once per process, and endless streams looped from them.

PyAV's own encoders make them, so tests need no ffmpeg binary for what they send over the raw
RTMP client. A clip is a whole number of GOPs and, with AAC at 48 kHz, 8 s are exactly 375 frames:
looped timestamps stay true to the samples.
"""

from __future__ import annotations

import asyncio
import functools
import io
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import av
import av.filter
from av.video.frame import PictureType

from tests.rtmp.flv import AUDIO, VIDEO, FlvTag, read_flv

CLIP_S = 8


@functools.lru_cache(maxsize=16)
def clip(
    *,
    seconds: int = CLIP_S,
    fps: int = 30,
    gop_s: float = 2,
    bframes: int = 0,
    size: str = "320x180",
    video: str | None = "libx264",
    pix_fmt: str = "yuv420p",
    audio: str | None = "aac",
    bitrate_kbps: int = 300,
) -> tuple[FlvTag, ...]:
    """Encode testsrc2 and a sine; sequence headers first, then frames in decode order."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="flv", options={"flvflags": "no_duration_filesize"}) as out:
        encode(
            out,
            seconds=seconds,
            fps=fps,
            gop_s=gop_s,
            bframes=bframes,
            size=size,
            video=video,
            pix_fmt=pix_fmt,
            audio=audio,
            bitrate_kbps=bitrate_kbps,
        )
    return tuple(read_flv(sink.getvalue()))


async def encoded(**wishes: Any) -> tuple[FlvTag, ...]:
    """`clip` beside a running event loop: a stream that the loop feeds goes on meanwhile."""
    return await asyncio.to_thread(clip, **wishes)


def encode(
    out: av.container.OutputContainer,
    *,
    seconds: float,
    fps: int,
    gop_s: float,
    bframes: int,
    size: str,
    video: str | None,
    pix_fmt: str,
    audio: str | None,
    bitrate_kbps: int,
    before: Callable[[float], bool] = lambda media_s: True,
) -> None:
    """Encode into `out`. `before(media_s)` is called ahead of each frame: pace, or False to end."""
    assert video or audio, "a clip of nothing"
    video_out: av.VideoStream | None = None
    audio_out: av.AudioStream | None = None
    pictures: Iterator[av.VideoFrame] = iter(())
    sounds: Iterator[av.AudioFrame] = iter(())
    if video:
        stream = out.add_stream(video, rate=fps)
        assert isinstance(stream, av.VideoStream)
        video_out = stream
        width, height = (int(part) for part in size.split("x"))
        video_out.width, video_out.height, video_out.pix_fmt = width, height, pix_fmt
        video_out.bit_rate = bitrate_kbps * 1000
        video_out.codec_context.gop_size = round(gop_s * fps)
        video_out.codec_context.max_b_frames = bframes
        video_out.options = dict(_options(video, round(gop_s * fps), bframes))
        pictures = _pictures(size, fps, pix_fmt)
    if audio:
        rate = 48_000
        stream = out.add_stream(audio, rate=rate, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        audio_out = stream
        audio_out.bit_rate = 96_000
        sounds = _sounds(rate, 960 if audio == "libopus" else 1024, str(audio_out.format.name))
    picture_s = sound_s = Fraction(0)
    going = True
    while going:
        take_video = video_out is not None and (audio_out is None or picture_s <= sound_s)
        at = picture_s if take_video else sound_s
        if at >= Fraction(seconds) or not before(float(at)):
            break
        if take_video:
            assert video_out is not None
            frame = next(pictures)
            frame.pts, frame.time_base = round(picture_s * fps), Fraction(1, fps)
            frame.pict_type = PictureType.NONE  # testsrc2 asks for keyframes only
            picture_s += Fraction(1, fps)
            out.mux(video_out.encode(frame))
        else:
            assert audio_out is not None
            sound = next(sounds)
            sound_s += Fraction(sound.samples, sound.sample_rate)
            out.mux(audio_out.encode(sound))
    if video_out is not None:
        out.mux(video_out.encode(None))
    if audio_out is not None:
        out.mux(audio_out.encode(None))


def _options(codec: str, gop: int, bframes: int) -> Mapping[str, object]:
    if codec == "libx264":
        return {
            "preset": "ultrafast",
            "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={bframes}"
            ":threads=1:sliced-threads=0:rc-lookahead=0:sync-lookahead=0",
        }
    if codec == "libx265":
        return {
            "preset": "ultrafast",
            "x265-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={bframes}"
            ":log-level=none:pools=1:frame-threads=1",
        }
    return {}


def _pictures(size: str, fps: int, pix_fmt: str) -> Iterator[av.VideoFrame]:
    graph = av.filter.Graph()
    source = graph.add("testsrc2", f"size={size}:rate={fps}")
    form = graph.add("format", pix_fmt)
    sink = graph.add("buffersink")
    source.link_to(form)
    form.link_to(sink)
    graph.configure()
    while True:
        frame = graph.pull()
        assert isinstance(frame, av.VideoFrame)
        yield frame


def _sounds(rate: int, samples: int, sample_format: str) -> Iterator[av.AudioFrame]:
    graph = av.filter.Graph()
    source = graph.add("sine", f"frequency=440:sample_rate={rate}:samples_per_frame={samples}")
    form = graph.add("aformat", f"sample_fmts={sample_format}:channel_layouts=stereo")
    sink = graph.add("abuffersink")
    source.link_to(form)
    form.link_to(sink)
    graph.configure()
    while True:
        frame = graph.pull()
        assert isinstance(frame, av.AudioFrame)
        yield frame


def headers(tags: tuple[FlvTag, ...]) -> list[FlvTag]:
    """The sequence headers of a clip."""
    return [tag for tag in tags if tag.is_header]


def frames(tags: tuple[FlvTag, ...], length_ms: int) -> list[FlvTag]:
    """The frames of `length_ms`, each track from 0, in the order of their timestamps.

    An encoder's delay shifts the tracks of a clip by some 30 ms; taken out, clips join in a loop.
    """
    body: list[FlvTag] = []
    for kind in (VIDEO, AUDIO):
        track = [tag for tag in tags if tag.kind == kind and not (tag.is_header or tag.is_end)]
        body += [tag.at(tag.ms - track[0].ms) for tag in track if tag.ms - track[0].ms < length_ms]
    return sorted(body, key=lambda tag: tag.ms)


def looped(
    tags: tuple[FlvTag, ...],
    *,
    length_s: int = CLIP_S,
    start_ms: int = 0,
    seconds: float | None = None,
) -> Iterator[FlvTag]:
    """Headers once, then the clip over and over with timestamps that go on, from `start_ms`.

    Timestamps wrap at 32 bits as RTMP's do. Ends after `seconds` of media, or never.
    """
    for header in headers(tags):
        yield header.at(start_ms & 0xFFFFFFFF)
    body = frames(tags, length_s * 1000)
    base = 0
    while True:
        for tag in body:
            if seconds is not None and base + tag.ms >= seconds * 1000:
                return
            yield tag.at((start_ms + base + tag.ms) & 0xFFFFFFFF)
        base += length_s * 1000
