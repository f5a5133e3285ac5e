"""The demo's emotes, drawn here: nothing is copied from anybody."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 224
_FRAMES = 12
_FRAME_MS = 80


def draw_emotes() -> dict[str, bytes]:
    """Code → PNG or GIF. Loads Pillow, so only a demo calls it, in a thread."""
    return {"glow": _glow(), "heart": _still(_heart()), "star": _still(_star())}


def _still(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _glow() -> bytes:
    """A disc that breathes."""
    frames = [_disc(0.5 - math.cos(2 * math.pi * place / _FRAMES) / 2) for place in range(_FRAMES)]
    out = io.BytesIO()
    frames[0].save(
        out,
        "PNG",
        save_all=True,
        append_images=frames[1:],
        duration=_FRAME_MS,
        loop=0,
        disposal=1,
        blend=0,
    )
    return out.getvalue()


def _disc(breath: float) -> Image.Image:
    from PIL import Image, ImageDraw

    image = Image.new("RGBA", (_SIDE, _SIDE))
    draw = ImageDraw.Draw(image)
    for ring in range(6, 0, -1):
        radius = _SIDE * (0.2 + 0.05 * ring * breath)
        box = (*[_SIDE / 2 - radius] * 2, *[_SIDE / 2 + radius] * 2)
        draw.ellipse(box, fill=(94, 234, 212, 255 // ring))
    return image


def _heart() -> Image.Image:
    from PIL import Image, ImageDraw

    image = Image.new("RGBA", (_SIDE, _SIDE))
    points = []
    for place in range(120):
        angle = 2 * math.pi * place / 120
        x = 16 * math.sin(angle) ** 3
        y = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle)
        y -= math.cos(4 * angle)
        points.append((_SIDE / 2 + x * _SIDE / 36, _SIDE / 2 - y * _SIDE / 36))
    ImageDraw.Draw(image).polygon(points, fill=(251, 113, 133, 255))
    return image


def _star() -> Image.Image:
    from PIL import Image, ImageDraw

    image = Image.new("RGBA", (_SIDE, _SIDE))
    points = []
    for place in range(10):
        radius = _SIDE * (0.48 if place % 2 == 0 else 0.2)
        angle = math.pi * place / 5 - math.pi / 2
        points.append((_SIDE / 2 + radius * math.cos(angle), _SIDE / 2 + radius * math.sin(angle)))
    ImageDraw.Draw(image).polygon(points, fill=(250, 204, 21, 255))
    return image
