"""`python -m benchmarks.clock_publisher JSON`: an encoder whose picture is the time of day.

Each frame carries the wall clock, in milliseconds, at the moment it was drawn: along the top edge
40 black or white squares, most significant bit first, 32 bits of time and 8 of checksum, with the
same inverted below. x264 ultrafast with zerolatency, AAC, straight to RTMP with FFmpeg's writer.

Options: `url`, `size`, `fps`, `gop_s`, `seconds`. Says {"publishing"} with the first packet, and
{"late_ms"}, its worst lateness, at the end.
"""

from __future__ import annotations

import json
import math
import sys
import time
from array import array
from fractions import Fraction

import av

BITS = 40
_BLACK, _WHITE = b"\x10", b"\xeb"
_RATE = 48_000
_KBPS = 2500


def stamp_bits(ms: int) -> int:
    """32 bits of time and their checksum: the sum of the four bytes, inverted."""
    time_bits = ms & 0xFFFFFFFF
    checksum = ~sum(time_bits.to_bytes(4, "big")) & 0xFF
    return time_bits << 8 | checksum


def stamp_rows(ms: int, width: int) -> bytes:
    """The luma of the two rows of squares."""
    side = width // BITS
    bits = stamp_bits(ms)
    row = b"".join(
        (_WHITE if bits >> at & 1 else _BLACK) * side for at in range(BITS - 1, -1, -1)
    ).ljust(width, _BLACK)
    inverted = row.translate(bytes.maketrans(_BLACK + _WHITE, _WHITE + _BLACK))
    return row * side + inverted * side


class Picture:
    """Draws into the planes: a moving pattern, so that frames have a real size, and the stamp."""

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._pattern = bytes(
            64 + (x * 3 + y * 5 + (x * y >> 5)) % 128
            for y in range(height + 64)
            for x in range(width)
        )

    def draw(self, number: int, ms: int) -> av.VideoFrame:
        width, height = self._size
        frame = av.VideoFrame(width, height, "yuv420p")
        stamp = stamp_rows(ms, width)
        shift = number % 64 * width
        luma = stamp + self._pattern[shift + len(stamp) : shift + width * height]
        grey = bytes((128,)) * (width * height // 4)
        for plane, row, data in zip(
            frame.planes, (width, width // 2, width // 2), (luma, grey, grey), strict=True
        ):
            stride = plane.line_size
            if stride != row:
                data = b"".join(
                    data[at : at + row].ljust(stride, b"\0") for at in range(0, len(data), row)
                )
            plane.update(data)
        return frame


def tone(at: int) -> av.AudioFrame:
    """1,024 samples of a quiet sine from the sample `at`."""
    samples = array(
        "f", (0.05 * math.sin(2 * math.pi * 440 * (at + one) / _RATE) for one in range(1024))
    ).tobytes()
    frame = av.AudioFrame("fltp", "stereo", 1024)
    for plane in frame.planes:
        plane.update(samples)
    frame.sample_rate, frame.pts, frame.time_base = _RATE, at, Fraction(1, _RATE)
    return frame


def main() -> None:
    options = json.loads(sys.argv[1])
    width, height = map(int, options.get("size", "640x360").split("x"))
    fps = options.get("fps", 30)
    picture = Picture(width, height)
    # OBS sets TCP_NODELAY too.
    settings = {"flvflags": "no_duration_filesize", "tcp_nodelay": "1", "flush_packets": "1"}
    with av.open(options["url"], "w", format="flv", options=settings) as out:
        video = out.add_stream(
            "libx264",
            rate=fps,
            options={"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0"},
        )
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.bit_rate = _KBPS * 1000
        video.gop_size = round(options.get("gop_s", 2) * fps)
        audio = out.add_stream("aac", rate=_RATE, layout="stereo")
        audio.bit_rate = 128_000
        start, sound_at, late_s = time.monotonic() + 0.02, 0, 0.0
        for number in range(int(options["seconds"] * fps)):
            early_s = start + number / fps - time.monotonic()
            if early_s > 0:
                time.sleep(early_s)
            late_s = max(late_s, -early_s)
            # Sound that was heard by now; a microphone has no more to give.
            while sound_at + 1024 <= number * _RATE // fps:
                out.mux(audio.encode(tone(sound_at)))
                sound_at += 1024
            frame = picture.draw(number, time.time_ns() // 1_000_000)
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(video.encode(frame))
            if number == 0:
                print(json.dumps({"publishing": True}), flush=True)
    print(json.dumps({"late_ms": late_s * 1000}), flush=True)


if __name__ == "__main__":
    main()
