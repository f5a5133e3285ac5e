"""Strict reader of media playlists: text → what it declares, plus every breach of form on the way.

Called by the checker and the client. It keeps decimals exactly as printed and never repairs: an
oddity is a `Violation` with the number of the rule in the LL-HLS checklist (0 where it has none).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

OURS = 0
"""Rule number of what the checklist does not number: box structure, timestamps, the house rules."""

MULTIVARIANT_TAGS = frozenset(
    {
        "EXT-X-MEDIA",
        "EXT-X-STREAM-INF",
        "EXT-X-I-FRAME-STREAM-INF",
        "EXT-X-SESSION-DATA",
        "EXT-X-SESSION-KEY",
        "EXT-X-CONTENT-STEERING",
    }
)
SINGLE_TAGS = frozenset(
    {
        "EXTM3U",
        "EXT-X-VERSION",
        "EXT-X-INDEPENDENT-SEGMENTS",
        "EXT-X-START",
        "EXT-X-TARGETDURATION",
        "EXT-X-MEDIA-SEQUENCE",
        "EXT-X-DISCONTINUITY-SEQUENCE",
        "EXT-X-ENDLIST",
        "EXT-X-PLAYLIST-TYPE",
        "EXT-X-I-FRAMES-ONLY",
        "EXT-X-PART-INF",
        "EXT-X-SERVER-CONTROL",
        "EXT-X-SKIP",
    }
)
SEGMENT_TAGS = frozenset(
    {
        "EXTINF",
        "EXT-X-BYTERANGE",
        "EXT-X-DISCONTINUITY",
        "EXT-X-KEY",
        "EXT-X-MAP",
        "EXT-X-PROGRAM-DATE-TIME",
        "EXT-X-GAP",
        "EXT-X-BITRATE",
        "EXT-X-PART",
    }
)
OTHER_MEDIA_TAGS = frozenset(
    {"EXT-X-PRELOAD-HINT", "EXT-X-RENDITION-REPORT", "EXT-X-DATERANGE", "EXT-X-DEFINE"}
)
KNOWN_TAGS = MULTIVARIANT_TAGS | SINGLE_TAGS | SEGMENT_TAGS | OTHER_MEDIA_TAGS

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(,|$)')
_DATE_TIME = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,}(Z|[+-]\d\d:?\d\d)$"
)  # zone and milliseconds
_DECIMAL = re.compile(r"^\d+(\.\d+)?$")


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach. `rule` is the item of the checklist, `OURS` for what it does not number."""

    rule: int
    message: str

    def __str__(self) -> str:
        return f"[{self.rule or 'ours'}] {self.message}"


@dataclass(frozen=True, slots=True)
class Part:
    uri: str
    duration: Decimal
    independent: bool
    gap: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment; the open one at the end of a live playlist has parts but no `uri`/`duration`."""

    msn: int
    uri: str | None
    duration: Decimal | None
    parts: tuple[Part, ...]
    program_date_time: datetime | None
    map_uri: str | None
    discontinuity: bool
    discontinuity_number: int
    gap: bool

    @property
    def parts_duration(self) -> Decimal:
        return sum((part.duration for part in self.parts), Decimal(0))


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    version: int | None
    target_duration: int | None
    media_sequence: int
    discontinuity_sequence: int
    part_target: Decimal | None
    server_control: dict[str, str] | None
    independent_segments: bool
    playlist_type: str | None
    segments: tuple[Segment, ...]
    part_hints: tuple[str, ...]
    map_hints: tuple[str, ...]
    ended: bool
    has_skip: bool
    tags: frozenset[str]

    @property
    def full(self) -> tuple[Segment, ...]:
        return tuple(segment for segment in self.segments if segment.uri is not None)

    @property
    def open(self) -> Segment | None:
        last = self.segments[-1] if self.segments else None
        return last if last is not None and last.uri is None else None

    @property
    def next_msn(self) -> int:
        """Number of the segment that is not complete yet."""
        return self.media_sequence + len(self.full)

    @property
    def position(self) -> tuple[int, int]:
        """(msn, part index) of what comes next: what a blocking reload asks for."""
        return self.next_msn, len(self.open.parts) if self.open else 0

    @property
    def duration(self) -> Decimal:
        """Sum of the full segments."""
        return sum((s.duration for s in self.full if s.duration is not None), Decimal(0))

    @property
    def duration_with_parts(self) -> Decimal:
        return self.duration + (self.open.parts_duration if self.open else Decimal(0))


def half_unit(value: Decimal) -> Decimal:
    """Half a unit of the last printed digit: the rounding error that a printed value may have."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return Decimal(5).scaleb(min(exponent, 0) - 1)


def attributes(text: str) -> dict[str, str]:
    """Attribute list → name to value, quotes removed. ValueError when it is not well-formed."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if match is None:
            raise ValueError(f"attribute list breaks at {text[at:]!r}")
        name, value, separator = match.groups()
        if name in found:
            raise ValueError(f"attribute {name} stands twice")
        found[name] = value[1:-1] if value.startswith('"') else value
        at = match.end()
        if separator and at == len(text):
            raise ValueError("attribute list ends with a comma")
    return found


@dataclass(slots=True)
class _Pending:
    """Tags read since the last segment's URI."""

    duration: Decimal | None = None
    parts: list[Part] = field(default_factory=list)
    program_date_time: datetime | None = None
    discontinuity: bool = False
    gap: bool = False

    @property
    def empty(self) -> bool:
        return (
            self.duration is None
            and not self.parts
            and self.program_date_time is None
            and not self.discontinuity
            and not self.gap
        )


class _Reader:
    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.tags: list[str] = []
        self.version: int | None = None
        self.target_duration: int | None = None
        self.media_sequence: int | None = None
        self.discontinuity_sequence: int | None = None
        self.part_target: Decimal | None = None
        self.server_control: dict[str, str] | None = None
        self.playlist_type: str | None = None
        self.map_uri: str | None = None
        self.discontinuities = 0
        self.segments: list[Segment] = []
        self.pending = _Pending()
        self.part_hints: list[str] = []
        self.map_hints: list[str] = []

    def bad(self, rule: int, message: str) -> None:
        self.violations.append(Violation(rule, message))

    def integer(self, rule: int, tag: str, text: str) -> int | None:
        if not re.fullmatch(r"\d{1,19}", text):
            self.bad(rule, f"{tag} is {text!r}, not an integer")
            return None
        return int(text)

    def decimal(self, rule: int, tag: str, text: str | None) -> Decimal | None:
        try:
            if text is None or not _DECIMAL.match(text):
                raise InvalidOperation
            return Decimal(text)
        except InvalidOperation:
            self.bad(rule, f"{tag} is {text!r}, not a decimal number")
            return None

    def pairs(self, rule: int, tag: str, text: str) -> dict[str, str]:
        try:
            return attributes(text)
        except ValueError as error:
            self.bad(rule, f"{tag}: {error}")
            return {}

    @property
    def msn(self) -> int:
        return (self.media_sequence or 0) + len(self.segments)

    def read(self, text: str) -> MediaPlaylist:
        if text.startswith("\ufeff"):
            self.bad(1, "a byte order mark stands before #EXTM3U")
        lines = text.splitlines()
        if not lines or lines[0] != "#EXTM3U":
            self.bad(1, f"first line is {lines[0] if lines else ''!r}, not #EXTM3U")
        if text and not text.endswith("\n"):
            self.bad(1, "the last line has no line end: a cut-off answer looks like this")
        for line in lines:
            if line.startswith("#EXT"):
                tag, _, value = line[1:].partition(":")
                self.tags.append(tag)
                self.tag(tag, value)
            elif line and not line.startswith("#"):
                self.uri(line)
        for tag in SINGLE_TAGS:
            if self.tags.count(tag) > 1:
                self.bad(2, f"{tag} stands {self.tags.count(tag)} times")
        for tag in sorted(set(self.tags) & MULTIVARIANT_TAGS):
            self.bad(2, f"{tag} belongs into a multivariant playlist")
        for tag in sorted(set(self.tags) - KNOWN_TAGS):
            self.bad(2, f"{tag} is not a tag of HLS")
        if self.target_duration is None:
            self.bad(3, "EXT-X-TARGETDURATION is missing")
        if self.pending.duration is not None:
            self.bad(6, "the last EXTINF has no URI line")
        if self.pending.parts:
            self.close(None)
        return MediaPlaylist(
            self.version,
            self.target_duration,
            self.media_sequence or 0,
            self.discontinuity_sequence or 0,
            self.part_target,
            self.server_control,
            "EXT-X-INDEPENDENT-SEGMENTS" in self.tags,
            self.playlist_type,
            tuple(self.segments),
            tuple(self.part_hints),
            tuple(self.map_hints),
            "EXT-X-ENDLIST" in self.tags,
            "EXT-X-SKIP" in self.tags,
            frozenset(self.tags),
        )

    def tag(self, tag: str, value: str) -> None:
        pending = self.pending
        if tag in {"EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE"} and (
            self.segments or not pending.empty
        ):
            self.bad(5, f"{tag} comes after the first segment")
        if tag in {"EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-DISCONTINUITY"} and pending.parts:
            self.bad(22, f"{tag} of segment {self.msn} comes after its first part")
        if tag == "EXT-X-VERSION":
            self.version = self.integer(1, tag, value)
        elif tag == "EXT-X-TARGETDURATION":
            self.target_duration = self.integer(3, tag, value)
        elif tag == "EXT-X-MEDIA-SEQUENCE":
            self.media_sequence = self.integer(4, tag, value)
        elif tag == "EXT-X-DISCONTINUITY-SEQUENCE":
            self.discontinuity_sequence = self.integer(5, tag, value)
        elif tag == "EXT-X-PLAYLIST-TYPE":
            self.playlist_type = value
        elif tag == "EXT-X-PART-INF":
            self.part_target = self.decimal(
                15, "PART-TARGET", self.pairs(15, tag, value).get("PART-TARGET")
            )
        elif tag == "EXT-X-SERVER-CONTROL":
            self.server_control = self.pairs(28, tag, value)
        elif tag == "EXT-X-MAP":
            self.map_uri = self.pairs(13, tag, value).get("URI")
            if not self.map_uri:
                self.bad(13, "EXT-X-MAP has no URI")
        elif tag == "EXT-X-DISCONTINUITY":
            if pending.discontinuity:
                self.bad(6, f"segment {self.msn} has two EXT-X-DISCONTINUITY")
            pending.discontinuity = True
        elif tag == "EXT-X-PROGRAM-DATE-TIME":
            self.program_date_time(value)
        elif tag == "EXT-X-GAP":
            pending.gap = True
        elif tag == "EXTINF":
            pending.duration = self.decimal(3, tag, value.partition(",")[0])
            if "," not in value:
                self.bad(3, "EXTINF has no comma behind the duration")
        elif tag == "EXT-X-PART":
            self.part(value)
        elif tag == "EXT-X-PRELOAD-HINT":
            self.hint(value)

    def program_date_time(self, value: str) -> None:
        if not _DATE_TIME.match(value):
            self.bad(14, f"PROGRAM-DATE-TIME {value!r} lacks milliseconds or a zone")
        try:
            stamp = datetime.fromisoformat(value)
        except ValueError:
            self.bad(14, f"PROGRAM-DATE-TIME {value!r} is no date")
            return
        self.pending.program_date_time = stamp if stamp.tzinfo is not None else None

    def part(self, value: str) -> None:
        if self.pending.duration is not None:
            self.bad(22, f"a part of segment {self.msn} comes after its EXTINF")
        pairs = self.pairs(16, "EXT-X-PART", value)
        duration = self.decimal(16, "part DURATION", pairs.get("DURATION"))
        uri = pairs.get("URI")
        if not uri:
            self.bad(16, f"a part of segment {self.msn} has no URI")
        if self.map_uri is None:
            self.bad(13, f"part {uri} comes before any EXT-X-MAP")
        for name in ("INDEPENDENT", "GAP"):
            if pairs.get(name, "YES") != "YES":
                self.bad(18 if name == "INDEPENDENT" else 27, f"{name}={pairs[name]} on {uri}")
        if uri and duration is not None:
            self.pending.parts.append(
                Part(uri, duration, pairs.get("INDEPENDENT") == "YES", pairs.get("GAP") == "YES")
            )

    def hint(self, value: str) -> None:
        pairs = self.pairs(26, "EXT-X-PRELOAD-HINT", value)
        kind, uri = pairs.get("TYPE"), pairs.get("URI")
        if kind not in {"PART", "MAP"} or not uri:
            self.bad(26, f"EXT-X-PRELOAD-HINT needs TYPE and URI: {value!r}")
            return
        hints = self.part_hints if kind == "PART" else self.map_hints
        hints.append(uri)
        if len(hints) > 1:
            self.bad(26, f"there are {len(hints)} hints of TYPE={kind}")

    def uri(self, line: str) -> None:
        if self.pending.duration is None:
            self.bad(2, f"URI line {line!r} without EXTINF")
            return
        if self.map_uri is None:
            self.bad(13, f"segment {line} comes before any EXT-X-MAP")
        self.close(line)

    def close(self, uri: str | None) -> None:
        pending = self.pending
        if pending.discontinuity:
            self.discontinuities += 1
        self.segments.append(
            Segment(
                self.msn,
                uri,
                pending.duration if uri is not None else None,
                tuple(pending.parts),
                pending.program_date_time,
                self.map_uri,
                pending.discontinuity,
                (self.discontinuity_sequence or 0) + self.discontinuities,
                pending.gap,
            )
        )
        self.pending = _Pending()


def read_media_playlist(text: str) -> tuple[MediaPlaylist, list[Violation]]:
    """Read one snapshot; the second value lists what is wrong with its form."""
    reader = _Reader()
    playlist = reader.read(text)
    return playlist, reader.violations


def seconds(delta: timedelta) -> Decimal:
    """A time difference as an exact number of seconds."""
    return Decimal(delta // timedelta(microseconds=1)) / 1_000_000
