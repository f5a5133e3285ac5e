"""A real RTMP publisher of our own: a moving picture with a clock in it, and a soft chord.

`python -m mediaserver.media.testcard URL` encodes with PyAV and publishes in real time until the
server closes the connection; `--demo` runs two of them. With `-` the URL is read from standard
input, as a stream key has no place in a list of processes, and the end of input ends the publish:
a parent that dies closes the pipe, however it died.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.error import FFmpegError
from av.filter import Graph
from av.video.frame import PictureType

from mediaserver.kernel.clock import SystemClock

FRAME_RATE = 30
SAMPLE_RATE = 48_000


@dataclass(frozen=True, slots=True)
class Scene:
    """`picture` and `sound` are FFmpeg sources; the picture is small and soft, and scaled up."""

    picture: str
    sound: str


def _chord(*tones_hz: float) -> str:
    """Tones that swell one after the other, a little different in each ear."""

    def ear(shift: float) -> str:
        return "+".join(
            f"0.05*sin(2*PI*{tone}*t)*(0.6+0.4*sin(2*PI*{0.07 + 0.03 * number}*t+{shift}))"
            for number, tone in enumerate(tones_hz)
        )

    return f"aevalsrc='{ear(0)}|{ear(1.3)}':s={SAMPLE_RATE}:c=stereo"


SCENES = {
    "aurora": Scene(
        "gradients=s=320x180:r={rate}:n=4:type=linear:speed=0.012:x0=0:y0=0:x1=320:y1=180"
        ":c0=0x0b1026:c1=0x1f4b6e:c2=0x2fa88a:c3=0x5b2a86",
        _chord(110.0, 164.81, 220.0, 277.18),
    ),
    "ember": Scene(
        "gradients=s=320x180:r={rate}:n=4:type=radial:speed=0.01:x0=0:y0=180:x1=320:y1=0"
        ":c0=0x1a0b12:c1=0x7a1f2b:c2=0xd9772b:c3=0x2b1140",
        _chord(98.0, 146.83, 196.0, 246.94),
    ),
}


class Clock:
    """Seven-segment digits drawn into the brightness plane: `12:34:56.7`."""

    _SEGMENTS = (
        "abcdef",
        "bc",
        "abdeg",
        "abcdg",
        "bcfg",
        "acdfg",
        "acdefg",
        "abc",
        "abcdefg",
        "abcdfg",
    )

    def __init__(self, width: int, height: int) -> None:
        self._unit = max(2, height // 160)
        self._left = width - self._unit * 73  # as wide as the text, and a margin
        self._top = self._unit * 9

    def draw(self, frame: av.VideoFrame, wall_ms: int) -> None:
        """Draw UTC time of day with tenths into the upper right corner."""
        plane = frame.planes[0]
        pixels, stride = memoryview(plane).cast("B"), plane.line_size
        seconds, tenth = wall_ms // 1000 % 86_400, wall_ms // 100 % 10
        text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{tenth}"
        left = self._left
        for sign in text:
            left += self._sign(pixels, stride, left, sign)

    def _sign(self, pixels: memoryview, stride: int, left: int, sign: str) -> int:
        unit, top = self._unit, self._top
        if sign in ":.":
            for row in (11,) if sign == "." else (4, 9):
                self._box(pixels, stride, left, top + row * unit, unit, unit)
            return 3 * unit
        boxes = {
            "a": (1, 0, 4, 1), "b": (5, 1, 1, 5), "c": (5, 7, 1, 5), "d": (1, 12, 4, 1),
            "e": (0, 7, 1, 5), "f": (0, 1, 1, 5), "g": (1, 6, 4, 1),
        }  # fmt: skip
        for segment in self._SEGMENTS[int(sign)]:
            x, y, width, height = boxes[segment]
            self._box(pixels, stride, left + x * unit, top + y * unit, width * unit, height * unit)
        return 8 * unit

    @staticmethod
    def _box(pixels: memoryview, stride: int, left: int, top: int, width: int, height: int) -> None:
        line = b"\xe6" * width
        for row in range(top, top + height):
            start = row * stride + left
            pixels[start : start + width] = line


def _graph(source: str, *filters: str) -> Graph:
    """A graph that makes frames out of nothing. Each filter is `name=arguments`."""
    graph = Graph()
    last = None
    for description in (source, *filters):
        name, _, arguments = description.partition("=")
        context = graph.add(name, arguments)
        if last is not None:
            last.link_to(context)
        last = context
    graph.configure()
    return graph


def publish(
    url: str, scene: Scene, width: int, height: int, bitrate: int, seconds: float | None = None
) -> None:
    """Publish until `seconds` are over. Raises `FFmpegError` when the server closes."""
    pictures = _graph(
        scene.picture.format(rate=FRAME_RATE),
        f"scale={width}:{height}:flags=bilinear",
        "format=pix_fmts=yuv420p",
        "buffersink",
    )
    sounds = _graph(scene.sound, "aformat=sample_fmts=fltp", "abuffersink")
    system, clock = SystemClock(), Clock(width, height)
    with av.open(url, "w", format="flv") as container:
        video = container.add_stream(
            "libx264",
            rate=FRAME_RATE,
            options={
                "preset": "superfast",
                "tune": "zerolatency",
                "g": str(FRAME_RATE * 2),
                "sc_threshold": "0",
                "maxrate": str(bitrate),
                "bufsize": str(bitrate),
            },
        )
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.bit_rate = bitrate
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        audio.bit_rate = 128_000
        resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE, frame_size=1024)

        started_ms = system.monotonic_ms()
        sound_samples = 0
        for number in _numbers(seconds):
            due_ms = started_ms + number * 1000 // FRAME_RATE
            if (ahead_ms := due_ms - system.monotonic_ms()) > 0:
                time.sleep(ahead_ms / 1000)
            picture = pictures.vpull()
            picture.make_writable()
            picture.pict_type = PictureType.NONE  # the source marks every frame as intra
            clock.draw(picture, system.wall_ms())
            picture.pts, picture.time_base = number, Fraction(1, FRAME_RATE)
            container.mux(video.encode(picture))
            while sound_samples * FRAME_RATE < (number + 1) * SAMPLE_RATE:
                heard = sounds.pull()
                assert isinstance(heard, av.AudioFrame)
                for sound in resampler.resample(heard):
                    sound.pts, sound.time_base = sound_samples, Fraction(1, SAMPLE_RATE)
                    sound_samples += sound.samples
                    container.mux(audio.encode(sound))


def _numbers(seconds: float | None) -> Iterator[int]:
    number = 0
    while seconds is None or number < seconds * FRAME_RATE:
        yield number
        number += 1


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would stand in the way of a normal end
        pass
    os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(description="Publish a test picture and sound over RTMP.")
    parser.add_argument("url", help="where to publish, or - to read it from standard input")
    parser.add_argument("--scene", choices=sorted(SCENES), default="aurora")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--bitrate", type=int, default=2_500_000, help="bits per second")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    options = parser.parse_args()
    os.nice(5)
    url = options.url
    if url == "-":
        url = sys.stdin.readline().strip()
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        publish(
            url,
            SCENES[options.scene],
            options.width,
            options.height,
            options.bitrate,
            options.seconds,
        )
    except FFmpegError as error:
        sys.stderr.write(f"{error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
