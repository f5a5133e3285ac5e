"""A window of the live stream → m3u8 text. Pure: no clock, no waiting, no names made up.

Source: draft-pantos-hls-rfc8216bis; numbered rules here, in origin.py and in the tests are those of
docs/playlist-rules.md. Every attribute that must not change in a playlist's life comes from
`Timing`, which is frozen.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mediaserver.media.parts import Timing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One version of a playlist, ready to send to everybody."""

    plain: bytes
    gzipped: bytes

    @classmethod
    def of(cls, text: str) -> Rendered:
        plain = text.encode()
        return cls(plain, gzip.compress(plain, 5, mtime=0))


@dataclass(frozen=True, slots=True)
class ListedPart:
    """Durations in microseconds, exact to half of one."""

    uri: str
    duration_us: int
    independent: bool


@dataclass(frozen=True, slots=True)
class ListedSegment:
    """`uri` is None while the segment grows. `discontinuity` says that it begins a new epoch."""

    uri: str | None
    init_uri: str
    discontinuity: bool
    wall_ms: int
    duration_us: int
    parts: Sequence[ListedPart]


@dataclass(frozen=True, slots=True)
class Window:
    """What one version of a media playlist shows. `next_part_uri` is None when parts are not
    listed or the stream is over."""

    timing: Timing
    lists_parts: bool
    skip_until_us: int | None
    media_sequence: int
    discontinuity_sequence: int
    segments: Sequence[ListedSegment]
    next_part_uri: str | None
    ended: bool


@dataclass(frozen=True, slots=True)
class Variant:
    """The one rendition of a multivariant playlist. Bits per second."""

    uri: str
    codecs: str
    peak_bitrate: int
    average_bitrate: int
    width: int | None
    height: int | None
    frame_rate: float | None
    independent_segments: bool


def media_playlist(window: Window, *, skip: bool = False) -> str:
    """The media playlist; with `skip` a delta update, where the window allows one."""
    timing = window.timing
    skipped = _skipped_segments(window) if skip else 0
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{9 if skipped else 6}",
        f"#EXT-X-TARGETDURATION:{timing.target_duration_s}",
        _server_control(window),
    ]
    if window.lists_parts:
        lines.append(f"#EXT-X-PART-INF:PART-TARGET={timing.part_target_ms / 1000:.3f}")
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{window.media_sequence}")
    lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{window.discontinuity_sequence}")
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")

    parts_from = _first_segment_with_parts(window)
    init_uri = window.segments[skipped - 1].init_uri if skipped else None
    for number, segment in enumerate(window.segments[skipped:], skipped):
        if segment.discontinuity:
            lines.append("#EXT-X-DISCONTINUITY")
        if segment.init_uri != init_uri:
            init_uri = segment.init_uri
            lines.append(f'#EXT-X-MAP:URI="{init_uri}"')
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_date_time(segment.wall_ms)}")
        if number >= parts_from:
            lines += [_part(part) for part in segment.parts]
        if segment.uri is not None:
            lines.append(f"#EXTINF:{_seconds(segment.duration_us)},")
            lines.append(segment.uri)
    if window.ended:
        lines.append("#EXT-X-ENDLIST")
    elif window.next_part_uri is not None:
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{window.next_part_uri}"')
    return "\n".join(lines) + "\n"


def multivariant_playlist(variant: Variant) -> str:
    """The playlist that names codecs and size, with its one variant."""
    attributes = [
        f"BANDWIDTH={variant.peak_bitrate}",
        f"AVERAGE-BANDWIDTH={variant.average_bitrate}",
        f'CODECS="{variant.codecs}"',
    ]
    if variant.width and variant.height:
        attributes.append(f"RESOLUTION={variant.width}x{variant.height}")
    if variant.frame_rate:
        attributes.append(f"FRAME-RATE={variant.frame_rate:.3f}")
    lines = ["#EXTM3U", "#EXT-X-VERSION:6"]
    if variant.independent_segments:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    lines.append(f"#EXT-X-STREAM-INF:{','.join(attributes)}")
    lines.append(variant.uri)
    return "\n".join(lines) + "\n"


def _server_control(window: Window) -> str:
    timing = window.timing
    attributes = []
    if window.lists_parts:
        # Rule 28: three parts, the distance that players keep.
        hold_back_ms = 3 * timing.part_target_ms
        attributes += ["CAN-BLOCK-RELOAD=YES", f"PART-HOLD-BACK={hold_back_ms / 1000:.3f}"]
    if window.skip_until_us is not None:
        attributes.append(f"CAN-SKIP-UNTIL={window.skip_until_us / 1e6:.3f}")
    attributes.append(f"HOLD-BACK={3 * timing.target_duration_s:.3f}")
    return f"#EXT-X-SERVER-CONTROL:{','.join(attributes)}"


def _skipped_segments(window: Window) -> int:
    """How many segments lie before the skip boundary, counted from the end (§4.4.5.2)."""
    if window.skip_until_us is None or window.ended:
        return 0
    newer_us = 0
    for newer, segment in enumerate(reversed(window.segments)):
        if newer_us >= window.skip_until_us:
            return len(window.segments) - newer
        newer_us += segment.duration_us
    return 0


def _first_segment_with_parts(window: Window) -> int:
    """Rule 23: parts are listed up to three target durations from the end."""
    if not window.lists_parts:
        return len(window.segments)
    newer_us = 0
    for newer, segment in enumerate(reversed(window.segments)):
        newer_us += segment.duration_us
        if newer_us > 3 * window.timing.target_duration_s * 1_000_000:
            return len(window.segments) - newer
    return 0


def _part(part: ListedPart) -> str:
    independent = ",INDEPENDENT=YES" if part.independent else ""
    return f'#EXT-X-PART:DURATION={_seconds(part.duration_us)},URI="{part.uri}"{independent}'


def _seconds(duration_us: int) -> str:
    return f"{duration_us // 1_000_000}.{duration_us % 1_000_000:06d}"


@functools.lru_cache(maxsize=16_384)  # the same segments are listed again and again
def _date_time(wall_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=wall_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{wall_ms % 1000:03d}Z"
