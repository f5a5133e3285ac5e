"""The child process of media/thumbnails.py: MP4 on standard input → JPEG on standard output.

Takes limits on itself before it reads a byte. Imports as little as it can.
"""

from __future__ import annotations

import io
import resource
import sys
from fractions import Fraction
from typing import BinaryIO

import av
from av.error import FFmpegError

from mediaserver.kernel import limits
from mediaserver.media.thumbnails import LENGTH

_WIDTH = 640
_QUALITY = 4  # mjpeg's scale: 2 is best, 31 worst


def main() -> None:
    memory, cpu = limits.THUMBNAIL_MEMORY_BYTES_MAX, limits.THUMBNAIL_CPU_S_MAX
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until their end."""
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        try:
            answer = jpeg(requests.read(length))
        except (FFmpegError, LookupError, MemoryError, ValueError):
            answer = b""
        answers.write(LENGTH.pack(len(answer)) + answer)
        answers.flush()


def jpeg(mp4: bytes) -> bytes:
    """The first picture of an MP4 as a JPEG, `_WIDTH` pixels wide. Empty when there is none."""
    # The init segment says what the stream is: no need to decode for that before the real decoding.
    with av.open(io.BytesIO(mp4), "r", options={"probesize": "32"}) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        frame = next(container.decode(stream), None)
    if frame is None or not frame.width or not frame.height:
        return b""
    height = max(2, round(frame.height * _WIDTH / frame.width / 2) * 2)
    scaled = frame.reformat(width=_WIDTH, height=min(height, 1280), format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = scaled.width, scaled.height, "yuvj420p"
    encoder.time_base = Fraction(1)
    encoder.qmin = encoder.qmax = _QUALITY
    scaled.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(scaled), *encoder.encode(None)])


if __name__ == "__main__":
    main()
