"""Pictures to publish and emotes to send, drawn here: made-up channels need something to show."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 1280, 720
MONOSPACED = "DejaVuSansMono.ttf"
Colour = tuple[int, int, int]


def _sky(*stops: Colour) -> Image.Image:
    """Colours from the top to the bottom."""
    column = Image.new("RGB", (1, len(stops)))
    column.putdata(stops)
    return column.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def _glow(image: Image.Image, x: int, y: int, radius: int, colour: Colour, strength: int) -> None:
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=strength)
    image.paste(colour, mask=mask.filter(ImageFilter.GaussianBlur(radius * 0.6)))


def _hills(
    image: Image.Image, base: int, height: int, colour: Colour, chance: random.Random
) -> None:
    waves = [(chance.uniform(0.6, 5), chance.uniform(0, 6.3)) for _ in range(6)]
    points = [
        (x, base - height * sum(math.sin(x / 204 * fast + at) / (1 + fast) for fast, at in waves))
        for x in range(0, WIDTH + 8, 8)
    ]
    ImageDraw.Draw(image).polygon([*points, (WIDTH, HEIGHT), (0, HEIGHT)], fill=colour)


def harbour() -> Image.Image:
    """A painting: dusk, two boats, and the light on the water."""
    chance = random.Random(4)
    image = _sky((38, 42, 84), (112, 74, 120), (226, 128, 104), (250, 190, 122), (60, 66, 110))
    _glow(image, 860, 392, 130, (255, 226, 160), 230)
    _hills(image, 420, 60, (58, 48, 92), chance)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 440, WIDTH, HEIGHT), fill=(44, 54, 98))
    for _ in range(900):
        y = chance.randrange(442, HEIGHT)
        near = (y - 440) / 280
        x = chance.gauss(860, 60 + 240 * near) if chance.random() < 0.6 else chance.randrange(WIDTH)
        tone = chance.choice(((250, 190, 122), (226, 128, 104), (92, 88, 140), (32, 40, 78)))
        draw.line((x, y, x + 12 + 60 * near, y), fill=tone, width=1 + int(3 * near))
    for x, y, size, hull in ((330, 520, 1.0, (150, 48, 52)), (600, 474, 0.5, (40, 44, 72))):
        w, h = int(210 * size), int(44 * size)
        draw.polygon([(x, y), (x + w, y), (x + w - h, y + h), (x + h, y + h)], fill=hull)
        mast = x + int(w * 0.55)
        draw.line((mast, y, mast, y - 5 * h), fill=(30, 26, 44), width=max(2, int(6 * size)))
        draw.polygon(
            [(mast + 4, y - 5 * h), (mast + 4, y - h // 2), (x + w - 8, y - h // 2)],
            fill=(240, 222, 200),
        )
    return image.filter(ImageFilter.ModeFilter(5))


def mountains() -> Image.Image:
    """Ridge behind ridge in the morning mist."""
    chance = random.Random(9)
    image = _sky((118, 168, 204), (196, 216, 220), (244, 222, 196), (240, 200, 170))
    _glow(image, 380, 240, 90, (255, 246, 220), 240)
    for step in range(6):
        shade = 1 - step / 6
        _hills(
            image,
            330 + step * 62,
            95 - step * 8,
            (int(40 + 120 * shade), int(66 + 112 * shade), int(78 + 116 * shade)),
            chance,
        )
    return image


def city() -> Image.Image:
    """Windows at night, from a balcony."""
    chance = random.Random(2)
    image = _sky((8, 10, 28), (24, 22, 56), (64, 40, 84), (20, 18, 40))
    draw = ImageDraw.Draw(image)
    for row, dark in ((0, (20, 20, 44)), (1, (12, 12, 30))):
        x = -40
        while x < WIDTH:
            wide, top = (
                chance.randrange(70, 150),
                chance.randrange(170 + 140 * row, 420 + 100 * row),
            )
            draw.rectangle((x, top, x + wide, HEIGHT), fill=dark)
            for wx in range(x + 10, x + wide - 12, 20):
                for wy in range(top + 14, HEIGHT, 26):
                    if chance.random() < 0.34:
                        tone = chance.choice(((255, 210, 130), (255, 178, 92), (150, 200, 240)))
                        draw.rectangle((wx, wy, wx + 9, wy + 13), fill=tone)
            x += wide + chance.randrange(4, 26)
    _glow(image, 1050, 130, 46, (240, 240, 255), 220)
    return image


def workshop() -> Image.Image:
    """An editor with a program in it."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (22, 26, 34))
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(MONOSPACED, 25)
    draw.rectangle((0, 0, 250, HEIGHT), fill=(17, 20, 27))
    for place, name in enumerate(("lantern", "  boat.py", "  tide.py", "  moon.py", "  tests")):
        tone = (230, 234, 242) if place == 2 else (130, 138, 154)
        draw.text((26, 40 + place * 40), name, tone, font)
    text = (
        "def tide(at, harbour):",
        '    """Height of the water in centimetres."""',
        "    height = harbour.mean",
        "    for wave in harbour.waves:",
        "        angle = wave.speed * at + wave.phase",
        "        height += wave.size * cos(angle)",
        "    return round(height)",
        "",
        "def next_low(at, harbour):",
        "    while tide(at, harbour) > harbour.low:",
        "        at += MINUTE",
        "    return at",
    )
    tones = {"def": (198, 146, 234), "for": (198, 146, 234), "while": (198, 146, 234)}
    for place, line in enumerate(text):
        y, word = 40 + place * 48, line.split(" ")[0] or line.strip().split(" ")[0]
        draw.text((280, y), f"{place + 1:2}", (80, 88, 104), font)
        tone = (140, 198, 140) if '"""' in line else tones.get(word, (206, 212, 224))
        if word == "return":
            tone = (240, 180, 120)
        draw.text((340, y), line, tone, font)
    draw.rectangle(
        (340 + 15 * 14, 40 + 11 * 48, 340 + 15 * 14 + 12, 68 + 11 * 48), fill=(90, 200, 250)
    )
    return image


def garden() -> Image.Image:
    """A meadow, seen from low down."""
    chance = random.Random(7)
    image = _sky((120, 190, 226), (190, 224, 232), (214, 232, 180), (70, 130, 70), (40, 92, 52))
    for _ in range(6):
        _glow(image, chance.randrange(WIDTH), chance.randrange(40, 180), 70, (255, 255, 255), 150)
    draw = ImageDraw.Draw(image)
    for place in range(1400):
        y = 330 + place * 390 // 1400
        x, tall = chance.randrange(WIDTH), 20 + (y - 300) // 4
        tone = (chance.randrange(30, 90), chance.randrange(110, 180), chance.randrange(50, 90))
        draw.line((x, y, x + chance.randrange(-14, 14), y - tall), fill=tone, width=3)
        if chance.random() < 0.09:
            size = 4 + (y - 300) // 40
            petal = chance.choice(((236, 92, 98), (250, 214, 90), (244, 244, 248), (170, 120, 220)))
            draw.ellipse((x - size, y - tall - size, x + size, y - tall + size), fill=petal)
    return image


SCENES: dict[str, Callable[[], Image.Image]] = {
    "harbour": harbour,
    "mountains": mountains,
    "city": city,
    "workshop": workshop,
    "garden": garden,
}


def paint(scene: str, folder: Path, width: int, height: int) -> Path:
    """The picture as a file that is quick to read again and again."""
    path = folder / f"{scene}.bmp"
    SCENES[scene]().resize((width, height)).save(path)
    return path


def emote(kind: str) -> bytes:
    """PNG of 112 × 112: "sun", "wave", "leaf" or "heart"."""
    size = 112
    image = Image.new("RGBA", (size, size))
    draw = ImageDraw.Draw(image)
    if kind == "sun":
        for ray in range(12):
            angle = ray * math.pi / 6
            x, y = 56 + 52 * math.cos(angle), 56 + 52 * math.sin(angle)
            draw.line((56, 56, x, y), fill="#f6b73c", width=9)
        draw.ellipse((26, 26, 86, 86), fill="#ffd45e")
        draw.ellipse((42, 46, 50, 56), fill="#5b3a12")
        draw.ellipse((62, 46, 70, 56), fill="#5b3a12")
        draw.arc((40, 48, 72, 74), 20, 160, fill="#5b3a12", width=5)
    elif kind == "wave":
        draw.ellipse((6, 6, 106, 106), fill="#2f7fc4")
        for row in range(3):
            for part in range(3):
                x, y = 14 + part * 30, 32 + row * 20
                draw.arc((x, y, x + 30, y + 26), 180, 360, fill="#e8f4ff", width=7)
    elif kind == "leaf":
        draw.polygon([(56, 4), (98, 50), (56, 104), (14, 50)], fill="#4f9d57")
        draw.line((56, 12, 56, 110), fill="#2c6b3a", width=6)
        for y in (40, 58, 76):
            draw.line((56, y, 78, y - 16), fill="#2c6b3a", width=5)
            draw.line((56, y, 34, y - 16), fill="#2c6b3a", width=5)
    else:
        draw.ellipse((8, 12, 60, 64), fill="#e4505c")
        draw.ellipse((52, 12, 104, 64), fill="#e4505c")
        draw.polygon([(13, 51), (56, 40), (99, 51), (56, 104)], fill="#e4505c")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
