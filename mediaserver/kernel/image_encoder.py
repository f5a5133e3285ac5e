"""The child process of kernel/images.py: one picture on standard input → WebP on standard output.

Takes limits on itself before it reads a byte. Its arguments: the kind of the picture, then the
largest width, height, bytes and number of frames of the answer.
"""

from __future__ import annotations

import io
import struct
import sys
from typing import TYPE_CHECKING

from mediaserver.kernel import limits

if TYPE_CHECKING:  # the site itself never loads Pillow
    from PIL import Image

ANSWER = struct.Struct(">HHH")
"""Width, height and number of frames, in front of the WebP."""

UNREADABLE = 3
"""Exit status: it is no picture that can be decoded within the limits."""

_QUALITIES = (85, 70, 50, 30)
_FRAME_MS_MIN = 20
_FRAME_MS_DEFAULT = 100
"""What browsers play for frames of less than 20 ms."""


def main() -> int:
    if sys.platform != "win32":
        import resource

        memory, cpu = limits.IMAGE_MEMORY_BYTES_MAX, limits.IMAGE_CPU_S_MAX
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    kind, *bounds = sys.argv[1:]
    width_max, height_max, bytes_max, frames_max = map(int, bounds)
    data = sys.stdin.buffer.read()
    try:
        answer = encode(data, kind, (width_max, height_max), bytes_max, frames_max)
    except Exception:
        return UNREADABLE  # decoders raise whatever they like
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


def encode(data: bytes, kind: str, box: tuple[int, int], bytes_max: int, frames_max: int) -> bytes:
    """The picture as WebP within `box` and `bytes_max`. Raises whatever decoders raise."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = limits.IMAGE_PIXELS_MAX
    with Image.open(io.BytesIO(data), formats=(kind,)) as source:
        frames = _frames(source, box, frames_max)
    for share in (1, 2, 4):  # all frames first, then every second and every fourth one
        kept = _thinned(frames, share)
        for quality in _QUALITIES:
            webp = _webp(kept, quality)
            if len(webp) <= bytes_max:
                with Image.open(io.BytesIO(webp)) as made:  # equal frames have become one
                    return ANSWER.pack(*made.size, getattr(made, "n_frames", 1)) + webp
        if len(kept) == 1:
            break
    raise ValueError("the picture can't be made small enough")


Frames = list[tuple["Image.Image", int]]
"""Pictures of one size, and for how many milliseconds each is shown."""


def _frames(source: Image.Image, box: tuple[int, int], frames_max: int) -> Frames:
    from PIL import ImageOps

    if frames_max == 1:
        still = ImageOps.exif_transpose(source).convert("RGBA")
        still.thumbnail(box)
        return [(still, 0)]
    frames: Frames = []
    for place in range(limits.IMAGE_FRAMES_READ_MAX):
        try:
            source.seek(place)
        except EOFError:
            break
        frame = source.convert("RGBA")
        frame.thumbnail(box)
        duration_ms = int(source.info.get("duration") or 0)
        frames.append((frame, duration_ms if duration_ms >= _FRAME_MS_MIN else _FRAME_MS_DEFAULT))
    return _thinned(frames, -(-len(frames) // frames_max))


def _thinned(frames: Frames, share: int) -> Frames:
    """Every `share`-th frame, each shown for as long as those that it stands for."""
    return [
        (frames[start][0], sum(duration for _, duration in frames[start : start + share]))
        for start in range(0, len(frames), share)
    ]


def _webp(frames: Frames, quality: int) -> bytes:
    out = io.BytesIO()
    first, *others = (image for image, _ in frames)
    if others:
        first.save(
            out,
            "WEBP",
            save_all=True,
            append_images=others,
            duration=[duration for _, duration in frames],
            loop=0,
            quality=quality,
            method=2,
        )
    else:
        first.save(out, "WEBP", quality=quality, method=6)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
