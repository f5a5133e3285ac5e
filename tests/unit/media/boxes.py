"""A reader of MP4 boxes, just enough to hold each sample of a part against what went in."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_CONTAINERS = {"moov", "trak", "mdia", "minf", "stbl", "mvex", "moof", "traf"}


def boxes(data: bytes) -> list[tuple[str, bytes]]:
    """The boxes that fill `data` exactly: name and body."""
    found, at = [], 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        assert 8 <= size <= len(data) - at
        found.append((name.decode(), data[at + 8 : at + size]))
        at += size
    return found


def find(data: bytes, name: str) -> list[bytes]:
    """All bodies of that name, however deep."""
    found = []
    for box, body in boxes(data):
        if box == name:
            found.append(body)
        if box in _CONTAINERS:
            found += find(body, name)
    return found


@dataclass(frozen=True)
class BoxSample:
    dts: int
    duration: int
    composition: int
    keyframe: bool
    data: bytes


@dataclass(frozen=True)
class BoxTrack:
    handler: str
    timescale: int
    entry: str
    """Name of the sample entry, such as avc1."""
    entry_body: bytes


def tracks(init: bytes) -> dict[int, BoxTrack]:
    """Tracks of an init segment by their number."""
    found = {}
    for trak in find(init, "trak"):
        (tkhd,), (mdhd,), (hdlr,), (stsd,) = (
            find(trak, name) for name in ("tkhd", "mdhd", "hdlr", "stsd")
        )
        number = struct.unpack_from(">I", tkhd, 20 if tkhd[0] else 12)[0]
        timescale = struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)[0]
        ((entry, body),) = boxes(stsd[8:])
        found[number] = BoxTrack(hdlr[8:12].decode(), timescale, entry, body)
    return found


@dataclass(frozen=True)
class Fragment:
    sequence: int
    samples: dict[int, list[BoxSample]]
    tfdt: dict[int, int]


def fragment(part: bytes) -> Fragment:
    """A part that is one moof and one mdat, and nothing else."""
    (moof_name, moof), (mdat_name, mdat) = boxes(part)
    assert (moof_name, mdat_name) == ("moof", "mdat")
    mdat_at = len(moof) + 16
    ((mfhd,),) = (find(moof, "mfhd"),)
    samples: dict[int, list[BoxSample]] = {}
    starts: dict[int, int] = {}
    read = 0
    for traf in find(moof, "traf"):
        number, start, of_track = _track_fragment(traf, part)
        assert number not in samples
        samples[number], starts[number] = of_track, start
        read += sum(len(sample.data) for sample in of_track)
    assert read == len(mdat) == len(part) - mdat_at
    return Fragment(struct.unpack_from(">I", mfhd, 4)[0], samples, starts)


def _track_fragment(traf: bytes, part: bytes) -> tuple[int, int, list[BoxSample]]:
    ((tfhd,), (tfdt,)) = find(traf, "tfhd"), find(traf, "tfdt")
    flags = int.from_bytes(tfhd[1:4], "big")
    assert flags & 0x020000, "default-base-is-moof"
    number = struct.unpack_from(">I", tfhd, 4)[0]
    fields = iter(struct.unpack(f">{(len(tfhd) - 8) // 4}I", tfhd[8:]))
    assert not flags & 0x01
    if flags & 0x02:
        next(fields)
    duration = next(fields) if flags & 0x08 else 0
    size = next(fields) if flags & 0x10 else 0
    default_flags = next(fields) if flags & 0x20 else 0
    start = dts = int.from_bytes(tfdt[4:], "big")
    found: list[BoxSample] = []
    for trun in find(traf, "trun"):
        for sample in _run(trun, dts, (duration, size, default_flags), part):
            found.append(sample)
            dts = sample.dts + sample.duration
    return number, start, found


def _run(trun: bytes, dts: int, defaults: tuple[int, int, int], part: bytes) -> Iterator[BoxSample]:
    flags = int.from_bytes(trun[1:4], "big")
    count, at = struct.unpack_from(">Ii", trun, 4)
    assert flags & 0x01, "data offset"
    position = 12
    first_flags = None
    if flags & 0x04:
        first_flags = struct.unpack_from(">I", trun, position)[0]
        position += 4
    for number in range(count):
        values = list(defaults)
        for field, bit in enumerate((0x100, 0x200, 0x400)):
            if flags & bit:
                values[field] = struct.unpack_from(">I", trun, position)[0]
                position += 4
        composition = 0
        if flags & 0x800:
            composition = struct.unpack_from(">i", trun, position)[0]
            position += 4
        duration, size, sample_flags = values
        if number == 0 and first_flags is not None:
            sample_flags = first_flags
        keyframe = not sample_flags & 0x10000
        yield BoxSample(dts, duration, composition, keyframe, part[at : at + size])
        dts += duration
        at += size
    assert position == len(trun)
