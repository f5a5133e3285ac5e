"""Minimal fMP4 reader: what an init segment declares and what fragments hold, sample by sample.

Called by the LL-HLS client and by tests. Strict where the engine's promise is strict: a part is
`moof` + `mdat` pairs and nothing else, and every sample lies inside its own `mdat`. It never
repairs: anything unexpected is `Malformed` with the byte position. (ISO/IEC 14496-12.)
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

BASE_DATA_OFFSET_PRESENT = 0x000001
SAMPLE_DESCRIPTION_PRESENT = 0x000002
DEFAULT_DURATION_PRESENT = 0x000008
DEFAULT_SIZE_PRESENT = 0x000010
DEFAULT_FLAGS_PRESENT = 0x000020

TRUN_DATA_OFFSET = 0x000001
TRUN_FIRST_FLAGS = 0x000004
TRUN_DURATION = 0x000100
TRUN_SIZE = 0x000200
TRUN_FLAGS = 0x000400
TRUN_CTS = 0x000800

SAMPLE_IS_NON_SYNC = 0x00010000


class Malformed(ValueError):
    """The bytes are not what an fMP4 reader may be given."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: `data[start:end]` is all of it, `data[body:end]` its content."""

    kind: str
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Track:
    """One track of an init segment. Defaults come from `trex`, `codec` is the sample entry."""

    track_id: int
    handler: Literal["vide", "soun"]
    timescale: int
    codec: str
    default_duration: int
    default_size: int
    default_flags: int
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate: int = 0


@dataclass(frozen=True, slots=True)
class Init:
    brand: str
    tracks: tuple[Track, ...]

    @property
    def video(self) -> Track | None:
        return next((track for track in self.tracks if track.handler == "vide"), None)

    @property
    def audio(self) -> Track | None:
        return next((track for track in self.tracks if track.handler == "soun"), None)


@dataclass(frozen=True, slots=True)
class Sample:
    """Times in ticks of the track's timescale; `offset` is where its bytes start in the part."""

    duration: int
    size: int
    cts: int
    sync: bool
    offset: int


@dataclass(frozen=True, slots=True)
class TrackFragment:
    """The samples of one track in one `moof`, starting at decode time `tfdt`."""

    track_id: int
    tfdt: int
    samples: tuple[Sample, ...]

    @property
    def duration(self) -> int:
        return sum(sample.duration for sample in self.samples)

    @property
    def end(self) -> int:
        return self.tfdt + self.duration


@dataclass(frozen=True, slots=True)
class Fragment:
    """One `moof` + `mdat` pair."""

    sequence: int
    tracks: tuple[TrackFragment, ...]
    mdat_bytes: int

    def track(self, track_id: int) -> TrackFragment | None:
        return next((track for track in self.tracks if track.track_id == track_id), None)


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that fill `data[start:end]` exactly."""
    end = len(data) if end is None else end
    while start < end:
        if end - start < 8:
            raise Malformed(f"{end - start} stray bytes at {start}")
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            if end - start < 16:
                raise Malformed(f"short 64-bit box header at {start}")
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        name = kind.decode("latin-1")
        if size < body - start or start + size > end:
            raise Malformed(f"box {name!r} at {start} says {size} bytes, {end - start} are there")
        yield Box(name, start, body, start + size)
        start += size


def _child(data: bytes, parent: Box, *path: str) -> Box:
    for kind in path:
        found = [box for box in boxes(data, parent.body, parent.end) if box.kind == kind]
        if len(found) != 1:
            raise Malformed(f"{parent.kind} at {parent.start} has {len(found)} {kind} boxes")
        parent = found[0]
    return parent


def _children(data: bytes, parent: Box, kind: str) -> list[Box]:
    return [box for box in boxes(data, parent.body, parent.end) if box.kind == kind]


def _u32(data: bytes, at: int) -> int:
    value: int = struct.unpack_from(">I", data, at)[0]
    return value


def _full(data: bytes, box: Box) -> tuple[int, int]:
    """Version and flags of a full box."""
    value = _u32(data, box.body)
    return value >> 24, value & 0xFFFFFF


def read_init(data: bytes) -> Init:
    """Read an init segment: `ftyp` then `moov`, without samples, with `mvex`."""
    try:
        return _read_init(data)
    except struct.error as error:
        raise Malformed(f"init is cut short: {error}") from error


def _read_init(data: bytes) -> Init:
    top = list(boxes(data))
    kinds = [box.kind for box in top]
    if kinds[:1] != ["ftyp"] or kinds.count("moov") != 1:
        raise Malformed(f"init holds {kinds}, expected ftyp and one moov")
    if "mdat" in kinds or "moof" in kinds:
        raise Malformed(f"init holds media: {kinds}")
    moov = top[kinds.index("moov")]
    defaults: dict[int, tuple[int, int, int]] = {}
    for trex in _children(data, _child(data, moov, "mvex"), "trex"):
        track_id, _, duration, size, flags = struct.unpack_from(">5I", data, trex.body + 4)
        defaults[track_id] = (duration, size, flags)
    tracks = tuple(_read_track(data, trak, defaults) for trak in _children(data, moov, "trak"))
    if not tracks:
        raise Malformed("init has no track")
    return Init(data[top[0].body : top[0].body + 4].decode("latin-1"), tracks)


def _read_track(data: bytes, trak: Box, defaults: dict[int, tuple[int, int, int]]) -> Track:
    tkhd = _child(data, trak, "tkhd")
    version, _ = _full(data, tkhd)
    track_id = _u32(data, tkhd.body + (20 if version else 12))
    mdhd = _child(data, trak, "mdia", "mdhd")
    version, _ = _full(data, mdhd)
    timescale = _u32(data, mdhd.body + (20 if version else 12))
    hdlr = _child(data, trak, "mdia", "hdlr")
    handler = data[hdlr.body + 8 : hdlr.body + 12].decode("latin-1")
    stsd = _child(data, trak, "mdia", "minf", "stbl", "stsd")
    if _u32(data, stsd.body + 4) != 1:
        raise Malformed(f"track {track_id} has {_u32(data, stsd.body + 4)} sample entries")
    entry = next(boxes(data, stsd.body + 8, stsd.end))
    if track_id not in defaults:
        raise Malformed(f"track {track_id} has no trex")
    if timescale == 0:
        raise Malformed(f"track {track_id} has timescale 0")
    duration, size, flags = defaults[track_id]
    if handler == "vide":
        width, height = struct.unpack_from(">2H", data, entry.body + 24)
        return Track(track_id, "vide", timescale, entry.kind, duration, size, flags, width, height)
    if handler == "soun":
        (channels,) = struct.unpack_from(">H", data, entry.body + 16)
        rate = _u32(data, entry.body + 24) >> 16
        return Track(
            track_id,
            "soun",
            timescale,
            entry.kind,
            duration,
            size,
            flags,
            channels=channels,
            sample_rate=rate,
        )
    raise Malformed(f"track {track_id} is a {handler!r} track")


def read_fragments(data: bytes, init: Init) -> tuple[Fragment, ...]:
    """Read a part or a segment: `moof` + `mdat` pairs and nothing else, at least one."""
    try:
        return _read_fragments(data, init)
    except struct.error as error:
        raise Malformed(f"fragment is cut short: {error}") from error


def _read_fragments(data: bytes, init: Init) -> tuple[Fragment, ...]:
    top = list(boxes(data))
    kinds = [box.kind for box in top]
    if not top or len(top) % 2 or kinds != ["moof", "mdat"] * (len(top) // 2):
        raise Malformed(f"part holds {kinds}, expected moof and mdat pairs only")
    return tuple(
        _read_fragment(data, moof, mdat, init)
        for moof, mdat in zip(top[::2], top[1::2], strict=True)
    )


def _read_fragment(data: bytes, moof: Box, mdat: Box, init: Init) -> Fragment:
    sequence = _u32(data, _child(data, moof, "mfhd").body + 4)
    tracks = tuple(_read_traf(data, moof, traf, init) for traf in _children(data, moof, "traf"))
    ids = [track.track_id for track in tracks]
    if not ids or len(set(ids)) != len(ids):
        raise Malformed(f"moof {sequence} has the tracks {ids}")
    spans = sorted((s.offset, s.offset + s.size) for track in tracks for s in track.samples)
    if not spans:
        raise Malformed(f"moof {sequence} has no sample")
    if spans[0][0] < mdat.body or spans[-1][1] > mdat.end:
        raise Malformed(f"moof {sequence} points outside its mdat")
    for (_, end), (start, _) in itertools.pairwise(spans):
        if start < end:
            raise Malformed(f"moof {sequence} has overlapping samples at {start}")
    if sum(end - start for start, end in spans) != mdat.end - mdat.body:
        raise Malformed(f"moof {sequence} leaves bytes of its mdat unused")
    return Fragment(sequence, tracks, mdat.end - mdat.body)


def _read_traf(data: bytes, moof: Box, traf: Box, init: Init) -> TrackFragment:
    tfhd = _child(data, traf, "tfhd")
    _, flags = _full(data, tfhd)
    at = tfhd.body + 4
    track_id = _u32(data, at)
    at += 4
    track = next((track for track in init.tracks if track.track_id == track_id), None)
    if track is None:
        raise Malformed(f"traf of track {track_id}, which the init does not have")
    if flags & BASE_DATA_OFFSET_PRESENT:
        raise Malformed(f"track {track_id} has a base data offset: a part must stand alone")
    if flags & SAMPLE_DESCRIPTION_PRESENT:
        at += 4
    duration, size, sample_flags = track.default_duration, track.default_size, track.default_flags
    if flags & DEFAULT_DURATION_PRESENT:
        duration, at = _u32(data, at), at + 4
    if flags & DEFAULT_SIZE_PRESENT:
        size, at = _u32(data, at), at + 4
    if flags & DEFAULT_FLAGS_PRESENT:
        sample_flags, at = _u32(data, at), at + 4

    tfdt = _child(data, traf, "tfdt")
    version, _ = _full(data, tfdt)
    (base,) = struct.unpack_from(">Q" if version else ">I", data, tfdt.body + 4)

    samples: list[Sample] = []
    offset = moof.start
    for trun in _children(data, traf, "trun"):
        offset = _read_trun(data, moof, trun, (duration, size, sample_flags), offset, samples)
    return TrackFragment(track_id, base, tuple(samples))


def _read_trun(
    data: bytes,
    moof: Box,
    trun: Box,
    defaults: tuple[int, int, int],
    offset: int,
    samples: list[Sample],
) -> int:
    """Append the samples of one run; returns the offset behind its last one."""
    version, flags = _full(data, trun)
    count = _u32(data, trun.body + 4)
    at = trun.body + 8
    if flags & TRUN_DATA_OFFSET:
        (relative,) = struct.unpack_from(">i", data, at)
        offset, at = moof.start + relative, at + 4
    first_flags: int | None = None
    if flags & TRUN_FIRST_FLAGS:
        first_flags, at = _u32(data, at), at + 4
    for index in range(count):
        duration, size, sample_flags = defaults
        cts = 0
        if flags & TRUN_DURATION:
            duration, at = _u32(data, at), at + 4
        if flags & TRUN_SIZE:
            size, at = _u32(data, at), at + 4
        if flags & TRUN_FLAGS:
            sample_flags, at = _u32(data, at), at + 4
        elif index == 0 and first_flags is not None:
            sample_flags = first_flags
        if flags & TRUN_CTS:
            (cts,) = struct.unpack_from(">i" if version else ">I", data, at)
            at += 4
        if at > trun.end:
            raise Malformed(f"trun at {trun.start} is too short for {count} samples")
        samples.append(Sample(duration, size, cts, not sample_flags & SAMPLE_IS_NON_SYNC, offset))
        offset += size
    if at != trun.end:
        raise Malformed(f"trun at {trun.start} has {trun.end - at} bytes too many")
    return offset
