"""Init segments and parts, box by box, and decoded by PyAV."""

from __future__ import annotations

import contextlib
import io
from itertools import accumulate

import av
import pytest

from mediaserver.media.fmp4 import Muxer
from mediaserver.media.frames import Frame, Kind, Unsupported
from mediaserver.media.packager import Packager
from mediaserver.media.parts import PRESETS, Epoch, Part
from tests.captures.manifest import Capture
from tests.hls.boxes import Fragment, Init, boxes, read_fragments, read_init
from tests.unit.media.captured import PLAYABLE, tags
from tests.unit.media.streams import VIDEO, Packaged, make_video, package

CAPTURES = pytest.mark.parametrize("capture", PLAYABLE, ids=lambda capture: capture.name)


def packaged(capture: Capture) -> Packaged:
    packager, made = Packager(PRESETS["low"]), Packaged()
    for tag in tags(capture.name):
        if isinstance(tag, Frame):
            made.add(packager.push(tag, tag.timestamp_ms))
        else:
            made.add(packager.configure(tag))
    return made


@CAPTURES
def test_init_segment(capture: Capture) -> None:
    (epoch,) = packaged(capture).epochs
    muxer = Muxer(epoch)
    assert [box.kind for box in boxes(muxer.init)] == ["ftyp", "moov"]
    found = read_init(muxer.init).tracks
    wanted = []
    if capture.video_codec is not None:
        wanted.append(("vide", 90_000, capture.video_codec))
    if capture.audio_codec is not None:
        wanted.append(("soun", 48_000, capture.audio_codec))
    assert [(one.handler, one.timescale, one.codec) for one in found] == wanted
    assert b"edts" not in muxer.init, "an edit list would move the time"
    # The codec's own record is there to the byte.
    if epoch.video is not None:
        # Of hvcC FFmpeg sets a flag for each of its arrays: parameter sets are only here.
        head = epoch.video.record[:22] if capture.video_codec == "hvc1" else epoch.video.record
        assert head in muxer.init
        assert (muxer.width, muxer.height) != (None, None)
    if epoch.audio is not None and capture.audio_codec == "mp4a":
        assert epoch.audio.record in muxer.init
    muxer.close()


def as_in_mp4(data: bytes, capture: Capture) -> bytes:
    """AV1's temporal delimiters don't go into MP4 (AV1 in ISOBMFF §2.4)."""
    return data.removeprefix(b"\x12\x00") if capture.video_codec == "av01" else data


def fragment(part: bytes, init: Init) -> Fragment:
    """A part is one moof and one mdat, and nothing else."""
    (only,) = read_fragments(part, init)
    return only


@CAPTURES
def test_parts_hold_their_samples_to_the_tick(capture: Capture) -> None:
    made = packaged(capture)
    muxer = Muxer(made.epochs[0])
    init = read_init(muxer.init)
    ends: dict[int, int] = {}
    assert len(made.parts) >= 7
    for sequence, part in enumerate(made.parts, 1):
        data = muxer.part(part, sequence)
        read = fragment(data, init)
        assert read.sequence == sequence
        for track, samples in ((init.video, part.video), (init.audio, part.audio)):
            found = read.track(track.track_id) if track is not None else None
            if track is None or found is None:
                assert not samples
                continue
            assert ends.setdefault(track.track_id, found.tfdt) == found.tfdt
            assert [
                (one.duration, one.cts, one.sync, data[one.offset : one.offset + one.size])
                for one in found.samples
            ] == [
                (one.duration, one.composition, one.keyframe, as_in_mp4(one.data, capture))
                for one in samples
            ]
            times = accumulate((one.duration for one in found.samples), initial=found.tfdt)
            *starts, ends[track.track_id] = times
            assert starts == [one.dts for one in samples]
    muxer.close()


@CAPTURES
def test_init_and_parts_decode(capture: Capture) -> None:
    made = packaged(capture)
    muxer = Muxer(made.epochs[0])
    data = muxer.init + b"".join(muxer.part(part, n) for n, part in enumerate(made.parts, 1))
    muxer.close()
    for kind in Kind:
        expected = sum(len(part.video if kind is Kind.VIDEO else part.audio) for part in made.parts)
        if not expected:
            continue
        with av.open(io.BytesIO(data), "r") as container:
            streams = container.streams.video if kind is Kind.VIDEO else container.streams.audio
            stream = streams[0]
            stream.thread_type = "NONE"
            stream.codec_context.options = {"err_detect": "explode"}
            frames = list(container.decode(stream))
        # An Opus decoder skips its first samples, which may be a whole frame.
        assert expected - 1 <= len(frames) <= expected


@CAPTURES
def test_each_segment_decodes_alone(capture: Capture) -> None:
    made = packaged(capture)
    muxer = Muxer(made.epochs[0])
    segment = made.segments[1]
    data = muxer.init + b"".join(muxer.part(part, 1) for part in segment)
    muxer.close()
    with av.open(io.BytesIO(data), "r") as container:
        frames = list(container.decode(container.streams[0]))
    samples = sum(len(part.video or part.audio) for part in segment)
    assert len(frames) >= samples - 1


def test_a_part_of_sound_alone() -> None:
    made = packaged(PLAYABLE[0])
    muxer = Muxer(made.epochs[0])
    part = made.parts[3]
    mute = Part(**{name: getattr(part, name) for name in Part.__slots__} | {"video": ()})
    (track,) = fragment(muxer.part(mute, 9), read_init(muxer.init)).tracks
    assert track.track_id == 2
    assert len(track.samples) == len(part.audio)
    muxer.close()


def test_the_same_part_makes_the_same_bytes() -> None:
    made = packaged(PLAYABLE[1])
    one, other = Muxer(made.epochs[0]), Muxer(made.epochs[0])
    assert one.init == other.init
    assert one.part(made.parts[2], 3) == other.part(made.parts[2], 3)


@pytest.mark.parametrize("codec", ["avc1", "hvc1", "av01", "mp4a", "Opus"])
def test_damaged_records_are_taken_or_unsupported(codec: str) -> None:
    capture = next(one for one in PLAYABLE if codec in (one.video_codec, one.audio_codec))
    epoch = packaged(capture).epochs[0]
    for damage in (
        lambda record: record[:4],
        lambda record: record[:2] + bytes(len(record) - 2),
        lambda record: record + b"\xff" * 5,
        lambda record: b"\xff" * len(record),
        lambda record: bytes(len(record)),
        lambda record: b"",
    ):
        changes: dict[str, object] = {}
        for name in ("video", "audio"):
            config = getattr(epoch, name)
            if config is not None and config.codec == codec:
                values = {slot: getattr(config, slot) for slot in config.__slots__}
                changes[name] = type(config)(**values | {"record": damage(config.record)})
        values = {slot: getattr(epoch, slot) for slot in Epoch.__slots__}
        damaged = Epoch(**values | changes)
        with contextlib.suppress(Unsupported):
            Muxer(damaged).part(packaged(capture).parts[0], 1)


def test_a_made_up_stream_is_unsupported() -> None:
    epoch = package(make_video(9), video=VIDEO, audio=None).epochs[0]
    with pytest.raises(Unsupported, match=r"^The stream's first frames can't be read\.$"):
        Muxer(epoch)
