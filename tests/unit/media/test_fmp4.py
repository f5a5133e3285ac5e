"""Init segments and parts, box by box, and decoded by PyAV."""

from __future__ import annotations

import contextlib
import io

import av
import pytest

from mediaserver.media.fmp4 import Muxer
from mediaserver.media.frames import Frame, Kind, Unsupported
from mediaserver.media.packager import PRESETS, Epoch, Packager, Part
from tests.captures.manifest import Capture
from tests.unit.media.boxes import boxes, find, fragment, tracks
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
    assert [name for name, _ in boxes(muxer.init)] == ["ftyp", "moov"]
    found = tracks(muxer.init)
    wanted = []
    if capture.video_codec is not None:
        wanted.append(("vide", 90_000, capture.video_codec))
    if capture.audio_codec is not None:
        wanted.append(("soun", 48_000, capture.audio_codec))
    assert [(one.handler, one.timescale, one.entry) for one in found.values()] == wanted
    assert not find(muxer.init, "edts"), "an edit list would move the time"
    # The codec's own record is there to the byte.
    if epoch.video is not None:
        # Of hvcC FFmpeg sets a flag for each of its arrays: parameter sets are only here.
        head = epoch.video.record[:22] if capture.video_codec == "hvc1" else epoch.video.record
        assert head in found[1].entry_body
        assert (muxer.width, muxer.height) != (None, None)
    if epoch.audio is not None and capture.audio_codec == "mp4a":
        assert epoch.audio.record in found[len(found)].entry_body
    muxer.close()


def as_in_mp4(data: bytes, capture: Capture) -> bytes:
    """AV1's temporal delimiters don't go into MP4 (AV1 in ISOBMFF §2.4)."""
    return data.removeprefix(b"\x12\x00") if capture.video_codec == "av01" else data


@CAPTURES
def test_parts_hold_their_samples_to_the_tick(capture: Capture) -> None:
    made = packaged(capture)
    muxer = Muxer(made.epochs[0])
    kinds = {"vide": Kind.VIDEO, "soun": Kind.AUDIO}
    numbers = {kinds[one.handler]: number for number, one in tracks(muxer.init).items()}
    ends: dict[int, int] = {}
    assert len(made.parts) >= 7
    for sequence, part in enumerate(made.parts, 1):
        read = fragment(muxer.part(part, sequence))
        assert read.sequence == sequence
        for kind, samples in ((Kind.VIDEO, part.video), (Kind.AUDIO, part.audio)):
            if not samples:
                assert numbers.get(kind) not in read.samples
                continue
            number = numbers[kind]
            assert read.tfdt[number] == samples[0].dts
            assert ends.setdefault(number, read.tfdt[number]) == read.tfdt[number]
            assert [
                (one.dts, one.duration, one.composition, one.keyframe, one.data)
                for one in read.samples[number]
            ] == [
                (one.dts, one.duration, one.composition, one.keyframe, as_in_mp4(one.data, capture))
                for one in samples
            ]
            ends[number] = samples[-1].dts + samples[-1].duration
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
    read = fragment(muxer.part(mute, 9))
    assert list(read.samples) == [2]
    assert len(read.samples[2]) == len(part.audio)
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
