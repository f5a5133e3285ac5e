"""The multivariant playlist: its form and what it says of the media (rules 1, 2, 47)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from tests.hls.boxes import Init
from tests.hls.playlist import MULTIVARIANT_TAGS, Violation, attributes

_CODEC_OF_ENTRY = {
    "avc1": r"avc1\.[0-9a-fA-F]{6}",
    "avc3": r"avc3\.[0-9a-fA-F]{6}",
    "hvc1": r"hvc1\.[A-C]?\d+\.[0-9A-F]+\.[LH]\d+(\.[0-9A-F]+)*",
    "hev1": r"hev1\.[A-C]?\d+\.[0-9A-F]+\.[LH]\d+(\.[0-9A-F]+)*",
    "av01": r"av01\.[0-2]\.\d\d[MH]\.\d\d(\.\d.*)?",
    "mp4a": r"mp4a\.40\.\d+",
    "Opus": r"opus|Opus",
    "fLaC": r"fLaC",
}


@dataclass(frozen=True, slots=True)
class Variant:
    uri: str
    bandwidth: int | None
    codecs: tuple[str, ...]
    resolution: tuple[int, int] | None
    frame_rate: Decimal | None


@dataclass(frozen=True, slots=True)
class Multivariant:
    variants: tuple[Variant, ...]
    independent_segments: bool


def read_multivariant(text: str, *, long_gop: bool = False) -> tuple[Multivariant, list[Violation]]:
    """Read it; the second value lists the breaches. With `long_gop` segments may be dependent."""
    found: list[Violation] = []
    lines = text.splitlines()
    tags = [line[1:].partition(":")[0] for line in lines if line.startswith("#EXT")]
    if not lines or lines[0] != "#EXTM3U":
        found.append(Violation(1, "multivariant: first line is not #EXTM3U"))
    allowed = MULTIVARIANT_TAGS | {
        "EXTM3U",
        "EXT-X-VERSION",
        "EXT-X-INDEPENDENT-SEGMENTS",
        "EXT-X-START",
        "EXT-X-DEFINE",
    }
    found.extend(
        Violation(2, f"multivariant: {tag} does not belong here")
        for tag in sorted(set(tags) - allowed)
    )
    found.extend(
        Violation(2, f"multivariant: {tag} stands {tags.count(tag)} times")
        for tag in ("EXTM3U", "EXT-X-VERSION", "EXT-X-INDEPENDENT-SEGMENTS")
        if tags.count(tag) > 1
    )
    independent = "EXT-X-INDEPENDENT-SEGMENTS" in tags
    if not independent and not long_gop:
        found.append(Violation(47, "EXT-X-INDEPENDENT-SEGMENTS is missing"))
    variants: list[Variant] = []
    stream: str | None = None
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            if stream is not None:
                found.append(Violation(47, "EXT-X-STREAM-INF without a URI"))
            stream = line.partition(":")[2]
        elif line and not line.startswith("#"):
            if stream is None:
                found.append(Violation(47, f"URI {line!r} without EXT-X-STREAM-INF"))
                continue
            variants.append(_variant(line, stream, found))
            stream = None
    if stream is not None:
        found.append(Violation(47, "the last EXT-X-STREAM-INF has no URI"))
    if not variants:
        found.append(Violation(47, "there is no variant"))
    return Multivariant(tuple(variants), independent), found


def _variant(uri: str, text: str, found: list[Violation]) -> Variant:
    try:
        pairs = attributes(text)
    except ValueError as error:
        found.append(Violation(47, f"EXT-X-STREAM-INF: {error}"))
        pairs = {}
    bandwidth = int(pairs["BANDWIDTH"]) if pairs.get("BANDWIDTH", "").isdigit() else None
    if not bandwidth:
        found.append(Violation(47, f"BANDWIDTH of {uri} is {pairs.get('BANDWIDTH')!r}"))
    codecs = tuple(part.strip() for part in pairs.get("CODECS", "").split(",") if part.strip())
    if not codecs:
        found.append(Violation(47, f"CODECS of {uri} is missing"))
    resolution = None
    if match := re.fullmatch(r"(\d+)x(\d+)", pairs.get("RESOLUTION", "")):
        resolution = int(match[1]), int(match[2])
    frame_rate = None
    if "FRAME-RATE" in pairs:
        try:
            frame_rate = Decimal(pairs["FRAME-RATE"])
        except InvalidOperation:
            found.append(Violation(47, f"FRAME-RATE of {uri} is {pairs['FRAME-RATE']!r}"))
    return Variant(uri, bandwidth, codecs, resolution, frame_rate)


def compare(variant: Variant, init: Init, *, measured_frame_rate: float | None) -> list[Violation]:
    """What the variant says against what its init segment and samples show."""
    found: list[Violation] = []
    unmatched = list(variant.codecs)
    for track in init.tracks:
        pattern = _CODEC_OF_ENTRY.get(track.codec)
        codec = next((c for c in unmatched if pattern and re.fullmatch(pattern, c)), None)
        if codec is None:
            found.append(
                Violation(47, f"CODECS {','.join(variant.codecs)} lacks the {track.codec} track")
            )
        else:
            unmatched.remove(codec)
    if unmatched:
        found.append(Violation(47, f"CODECS names {','.join(unmatched)}, no such track is there"))
    video = init.video
    if video is None:
        if variant.resolution is not None or variant.frame_rate is not None:
            found.append(Violation(47, "RESOLUTION or FRAME-RATE without a video track"))
        return found
    if variant.resolution != (video.width, video.height):
        found.append(
            Violation(
                47, f"RESOLUTION is {variant.resolution}, video is {video.width}x{video.height}"
            )
        )
    if variant.frame_rate is None:
        found.append(Violation(47, "FRAME-RATE is missing"))
    elif measured_frame_rate is not None:
        declared = float(variant.frame_rate)
        if abs(declared - measured_frame_rate) > 0.1 * measured_frame_rate:
            found.append(
                Violation(47, f"FRAME-RATE is {declared}, measured {measured_frame_rate:.3f}")
            )
    return found
