"""Frames → parts: exact cuts of steady streams, what breaks in real ones, and any sequence at all.

`streams.Packaged` checks the invariants of every part as it comes; the tests say the rest.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.kernel import limits
from mediaserver.media.frames import AudioConfig, Frame, Kind, Unsupported
from mediaserver.media.packager import Packager
from mediaserver.media.parts import PRESETS, SegmentEnd, Timing
from tests.unit.media.streams import (
    AUDIO,
    AUDIO_5_1,
    AUDIO_44100,
    HE_AAC,
    OPUS,
    VIDEO,
    WALL_MS,
    Packaged,
    base,
    durations,
    end_of,
    is_subsequence,
    make_audio,
    make_video,
    mixed,
    package,
    push_all,
    without,
)

NTSC = Fraction(30_000, 1001)


# Steady streams -----------------------------------------------------------------------------------


@pytest.mark.parametrize("b_frames", [False, True])
@pytest.mark.parametrize(
    ("fps", "gop", "timing", "segment"),
    [
        (30, 60, Timing(517, 6), [45000] * 4),
        (60, 120, Timing(509, 6), [45000] * 4),
        (25, 50, Timing(541, 6), [46800, 46800, 46800, 39600]),
        (24, 48, Timing(521, 6), [45000] * 4),
        (NTSC, 60, Timing(518, 6), [45000, 45090, 45090, 45000]),
    ],
)
def test_parts_of_steady_streams(
    fps: Fraction, gop: int, timing: Timing, segment: list[int], b_frames: bool
) -> None:
    frames = mixed(make_video(13, fps, gop=gop, b_frames=b_frames), make_audio(13))
    packaged = package(frames)
    assert len(packaged.epochs) == 1
    assert packaged.timing == timing
    assert [durations(one) for one in packaged.segments] in (
        [segment] * 6,
        # 29.97 frames a second don't end on whole milliseconds
        [[45000, 45090, 45090, 45000]] * 3 + [[45090, 45000, 45000, 45090]] * 3,
    )
    assert packaged.epochs[0].frame_rate == pytest.approx(float(fps), abs=0.001)
    for one in packaged.segments:
        assert [part.independent for part in one] == [True] + [False] * (len(one) - 1)
    assert packaged.silences() == 0

    # The first picture is shown where the epoch begins, however much earlier it is decoded.
    first = packaged.parts[0].video[0]
    assert first.dts + first.composition == base(90_000)
    assert packaged.parts[0].start == first.dts
    # Every frame is there, in order, at its time.
    video = [frame for frame in frames if frame.kind is Kind.VIDEO]
    samples = [sample for part in packaged.parts for sample in part.video]
    assert [sample.data for sample in samples] == [frame.data for frame in video[: len(samples)]]
    for sample, frame in zip(samples, video, strict=False):
        assert sample.dts - first.dts == (frame.timestamp_ms - video[0].timestamp_ms) * 90
        assert sample.composition == frame.composition_ms * 90
        assert sample.keyframe == frame.keyframe
    shift = video[0].composition_ms  # sound before the first picture is shown is left out
    begun = [f for f in frames if f.kind is Kind.AUDIO and f.timestamp_ms >= shift - 10]
    assert is_subsequence(packaged.data(Kind.AUDIO), [frame.data for frame in begun])
    assert packaged.data(Kind.AUDIO)[0] == begun[0].data


@pytest.mark.parametrize(
    ("preset", "timing", "per_segment"),
    [
        ("lan", Timing(217, 6), 10),
        ("low", Timing(517, 6), 4),
        ("normal", Timing(1017, 2), 2),
    ],
)
def test_presets(preset: str, timing: Timing, per_segment: int) -> None:
    packaged = package(mixed(make_video(9), make_audio(9)), preset=preset)
    assert packaged.timing == timing
    assert {len(segment) for segment in packaged.segments} == {per_segment}


@pytest.mark.parametrize("fps", [1, 2, 3, 5, 7, 10, 12, 15, 20, 23.976, 25, 29.97, 48, 50, 90, 120])
@pytest.mark.parametrize("preset", ["lan", "low", "normal"])
def test_parts_fill_the_target_to_85_percent(fps: float, preset: str) -> None:
    """Rule 17: every part but the last of a segment."""
    rate = Fraction(fps).limit_denominator(1001)
    packaged = package(mixed(make_video(20, rate, gop=max(1, round(2 * fps))), make_audio(20)),
                       preset=preset)  # fmt: skip
    assert len(packaged.segments) > 3
    for segment in packaged.segments:
        for part in segment[:-1]:
            assert part.duration / 90 >= 0.85 * packaged.timing.part_target_ms


def test_audio_of_a_part_covers_its_video() -> None:
    packaged = package(mixed(make_video(13), make_audio(13)))
    for part in packaged.parts:
        video_end = Fraction(part.start + part.duration, 90_000)
        last = part.audio[-1]
        # The next frame of sound begins at or after the end of the picture.
        assert Fraction(last.dts, 48_000) < video_end <= Fraction(last.dts + 1024, 48_000)
    assert sum(len(part.audio) for part in packaged.segments[0]) == 94  # 2 s, begun frames count


def test_wall_time_follows_media_time() -> None:
    packaged = package(mixed(make_video(13), make_audio(13)))
    assert [part.wall_ms - WALL_MS for part in packaged.parts] == [
        500 * number for number in range(len(packaged.parts))
    ]


def test_the_same_frames_make_the_same_parts() -> None:
    frames = mixed(make_video(9, b_frames=True), make_audio(9))
    assert package(frames).outputs == package(frames).outputs


# Segments -----------------------------------------------------------------------------------------


def test_a_segment_begins_at_the_first_keyframe_after_its_least_length() -> None:
    packaged = package(mixed(make_video(13, gop=15), make_audio(13)))
    assert {packaged.extinf(number) for number in range(len(packaged.segments))} == {1.5}
    packaged = package(mixed(make_video(13, gop=30), make_audio(13)))
    assert {packaged.extinf(number) for number in range(len(packaged.segments))} == {2.0}


def test_group_of_pictures_of_8_s() -> None:
    packaged = package(mixed(make_video(40, gop=240), make_audio(40)))
    assert packaged.timing.target_duration_s == 10
    assert {packaged.extinf(number) for number in range(len(packaged.segments))} == {8.0}
    assert [part.independent for part in packaged.segments[1]] == [True] + [False] * 15


def test_a_group_longer_than_the_wait_for_it_gets_the_longer_target() -> None:
    packaged = package(mixed(make_video(24, gop=120, fps=20), make_audio(24)))
    # Longer than the wait for the second keyframe, so its length isn't known in time.
    assert packaged.timing.target_duration_s == 10
    packaged = package(mixed(make_video(24, gop=76, fps=20), make_audio(24)))
    assert packaged.timing.target_duration_s == 6


@pytest.mark.parametrize("preset", ["low", "normal"])
@pytest.mark.parametrize("gop", [330, 540, 599])
def test_segments_are_cut_without_a_keyframe_when_the_group_grows(gop: int, preset: str) -> None:
    video = make_video(10) + [
        dataclasses.replace(frame, keyframe=frame.keyframe and (number - 300) % gop == 0)
        for number, frame in enumerate(make_video(60, gop=1, first=300), 300)
    ]
    packaged = package(mixed(video, make_audio(70)), preset=preset)
    target = packaged.timing.target_duration_s
    assert target == (6 if preset == "low" else 2)
    assert len(packaged.epochs) == 1
    for number, segment in enumerate(packaged.segments):
        assert round(packaged.extinf(number)) <= target
        assert segment[0].independent or packaged.extinf(number - 1) > target - 1
    assert not all(segment[0].independent for segment in packaged.segments)
    assert packaged.data(Kind.VIDEO) == [frame.data for frame in video[: len(packaged.data(Kind.VIDEO))]]  # fmt: skip  # noqa: E501


def test_unsteady_frames_never_lengthen_a_segment_over_its_target() -> None:
    """Just below the limit a long frame comes: the segment ends before it."""
    video = make_video(6, gop=60)[:-1]
    at = 6_000
    for number, step in enumerate([33] * 180 + [33] * 11 + [480] + [33] * 30):
        video.append(Frame(Kind.VIDEO, at, 0, number == 0, b"w%d" % number))
        at += step
    packaged = package(mixed(video, make_audio(17)))
    assert len(packaged.epochs) == 1
    assert max(packaged.extinf(number) for number in range(len(packaged.segments))) < 6.5


# Sound alone, picture alone -----------------------------------------------------------------------


def test_audio_only() -> None:
    packaged = package(make_audio(20), video=None)
    # 23 frames of 1024 samples: 490.7 ms; the target leaves room for half a frame more
    assert packaged.timing == Timing(502, 6)
    assert packaged.epochs[0].timescale == 48_000
    assert packaged.epochs[0].frame_rate is None
    assert set(durations(packaged.parts)) == {23 * 1024}
    assert {len(segment) for segment in packaged.segments} == {4}
    assert packaged.parts[0].start == base(48_000)
    assert packaged.data(Kind.AUDIO) == [b"a%d" % n for n in range(len(packaged.parts) * 23)]


def test_audio_only_waits_for_a_picture_first() -> None:
    packaged = package(make_audio(1.9), video=None)
    assert packaged.outputs == []


def test_video_only() -> None:
    packaged = package(make_video(13), audio=None)
    assert packaged.epochs[0].audio is None
    assert set(durations(packaged.parts)) == {45000}
    assert {len(segment) for segment in packaged.segments} == {4}
    assert all(not part.audio for part in packaged.parts)


def test_configured_audio_that_never_comes_is_done_without() -> None:
    packaged = package(make_video(13))
    assert packaged.epochs[0].audio is None
    assert len(packaged.segments) == 6


@pytest.mark.parametrize(
    ("config", "frame_samples", "timing"),
    [(AUDIO_44100, 1024, Timing(523, 6)), (OPUS, 960, Timing(511, 6)), (HE_AAC, 1024, None)],
)
def test_other_audio_alone(config: AudioConfig, frame_samples: int, timing: Timing | None) -> None:
    packaged = package(make_audio(20, config), video=None, audio=config)
    assert timing is None or packaged.timing == timing
    assert packaged.epochs[0].timescale == config.sample_rate
    assert packaged.silences() == 0
    (length,) = set(durations(packaged.parts))
    assert length % frame_samples == 0
    assert len(packaged.segments) > 8


@pytest.mark.parametrize("config", [AUDIO_44100, OPUS, HE_AAC])
def test_other_audio_with_video(config: AudioConfig) -> None:
    packaged = package(mixed(make_video(20), make_audio(20, config)), audio=config)
    assert {tuple(durations(segment)) for segment in packaged.segments} == {(45000,) * 4}
    assert packaged.silences() == 0
    sent = [frame.data for frame in make_audio(20, config)]
    assert packaged.data(Kind.AUDIO) == sent[: len(packaged.data(Kind.AUDIO))]


# Tracks and configurations ------------------------------------------------------------------------


def test_repeated_configurations_change_nothing() -> None:
    packager, found = Packager(PRESETS["low"]), Packaged()
    for number, frame in enumerate(mixed(make_video(13), make_audio(13))):
        if number % 50 == 0:
            found.add(packager.configure(VIDEO))
            found.add(packager.configure(AUDIO))
        push_all(packager, found, [frame], 0)
    assert len(found.epochs) == 1


@pytest.mark.parametrize("kind", [Kind.VIDEO, Kind.AUDIO])
def test_a_changed_configuration_begins_a_new_epoch(kind: Kind) -> None:
    packager, found = Packager(PRESETS["low"]), Packaged()
    found.add(packager.configure(VIDEO))
    found.add(packager.configure(AUDIO))
    frames = mixed(make_video(20), make_audio(20))
    push_all(packager, found, [frame for frame in frames if frame.timestamp_ms < 10_000], 0)
    changed = dataclasses.replace(VIDEO if kind is Kind.VIDEO else AUDIO, record=b"other")
    outputs = packager.configure(changed)
    assert outputs == [SegmentEnd(5)]
    found.add(outputs)
    push_all(packager, found, [frame for frame in frames if frame.timestamp_ms >= 10_000], 0)
    assert len(found.epochs) == 2
    assert found.epochs[1].video == (changed if kind is Kind.VIDEO else VIDEO)
    assert found.epochs[1].audio == (changed if kind is Kind.AUDIO else AUDIO)
    # Begun anew at a keyframe; what was unfinished before is dropped.
    first = next(part for part in found.parts if part.epoch == 1)
    assert (first.msn, first.index, first.independent) == (6, 0, True)
    assert first.video[0].data == b"v300"


def test_interrupt_and_resume() -> None:
    packager, found = Packager(PRESETS["low"]), Packaged()
    frames = mixed(make_video(9.7), make_audio(9.7))
    for _ in range(3):
        found.add(packager.configure(VIDEO))
        found.add(packager.configure(AUDIO))
        push_all(packager, found, frames, 0)
        assert found.open_parts
        found.add(packager.interrupt())
        assert not found.open_parts
        assert packager.interrupt() == []
    assert [epoch.number for epoch in found.epochs] == [0, 1, 2]
    assert found.epochs[2].frame_rate == pytest.approx(30, abs=0.01)
    assert [len(segment) for segment in found.segments[:5]] == [4, 4, 4, 4, 3]
    # The same frames, the same parts: only their numbers differ.
    starts = [
        [(part.start, part.duration) for part in found.parts if part.epoch == number]
        for number in range(3)
    ]
    assert starts[0] == starts[1] == starts[2]


def test_frames_of_a_gone_publisher_need_a_configuration_again() -> None:
    packager = Packager(PRESETS["low"])
    packager.configure(VIDEO)
    packager.interrupt()
    assert package(make_video(5), video=None, audio=None).outputs == []
    assert all(packager.push(frame, WALL_MS) == [] for frame in make_video(5))


def test_a_pause_keeps_the_tracks() -> None:
    """The same connection goes on after a stall: it doesn't send its configurations again."""
    packager, found = Packager(PRESETS["low"]), Packaged()
    found.add(packager.configure(VIDEO))
    found.add(packager.configure(AUDIO))
    frames = mixed(make_video(40), make_audio(40))
    push_all(packager, found, [frame for frame in frames if frame.timestamp_ms < 9_700], 0)
    outputs = packager.pause()
    assert outputs == [SegmentEnd(5)]
    found.add(outputs)
    assert packager.pause() == []
    push_all(packager, found, [frame for frame in frames if frame.timestamp_ms >= 19_000], 0)
    assert len(found.epochs) == 2
    assert next(part for part in found.parts if part.epoch == 1).video[0].data == b"v600"


def test_audio_that_comes_late_joins_at_a_keyframe() -> None:
    frames = without(mixed(make_video(20), make_audio(20)), Kind.AUDIO, 0, 7_100)
    found = package(frames)
    assert [epoch.audio is not None for epoch in found.epochs] == [False, True]
    first = next(part for part in found.parts if part.epoch == 1)
    assert first.video[0].data == b"v240"
    assert found.extinf(3) == 2.0


def test_video_that_comes_late_joins_at_a_keyframe() -> None:
    frames = without(mixed(make_video(20), make_audio(20)), Kind.VIDEO, 0, 7_100)
    found = package(frames)
    assert [epoch.video is not None for epoch in found.epochs] == [False, True]
    assert next(part for part in found.parts if part.epoch == 1).video[0].data == b"v240"


def test_the_stream_begins_at_its_first_keyframe() -> None:
    frames = [frame for frame in mixed(make_video(20), make_audio(20)) if frame.timestamp_ms > 500]
    found = package(frames)
    assert found.parts[0].video[0].data == b"v60"
    assert found.parts[0].audio[0].data == b"a94"


def test_template_frames_are_first_frames() -> None:
    (epoch,) = package(mixed(make_video(9), make_audio(9))).epochs
    assert [frame.data for frame in epoch.template_frames] == [b"v0", b"a0"]


# Refusals -----------------------------------------------------------------------------------------


def test_no_keyframe_for_long_is_refused() -> None:
    packager, found = Packager(PRESETS["low"]), Packaged()
    found.add(packager.configure(VIDEO))
    found.add(packager.configure(AUDIO))
    frames = mixed(make_video(60, gop=10_000), make_audio(60))
    with pytest.raises(Unsupported) as caught:
        push_all(packager, found, frames)
    assert str(caught.value) == (
        "No keyframe for 20 s, so nobody can join. Set the keyframe interval to 2 s."
    )
    assert end_of(found) >= base(90_000) + 19 * 90_000


def test_video_that_never_has_a_keyframe_is_refused() -> None:
    frames = [dataclasses.replace(frame, keyframe=False) for frame in make_video(60)]
    with pytest.raises(Unsupported, match=r"^No keyframe for 20 s"):
        package(mixed(frames, make_audio(60)))


def test_frames_that_wait_are_bounded() -> None:
    burst = [Frame(Kind.VIDEO, number // 10, 0, number == 0, b"x") for number in range(5_000)]
    with pytest.raises(Unsupported, match=r"^The stream doesn't begin"):
        package(burst)
    big = [Frame(Kind.VIDEO, number, 0, number == 0, bytes(limits.MIB)) for number in range(30)]
    with pytest.raises(Unsupported, match=r"^The stream doesn't begin"):
        package(big)


@pytest.mark.parametrize(
    ("limit", "value"), [("PENDING_FRAMES_MAX", 200), ("PENDING_BYTES_MAX", 999)]
)
def test_a_clock_that_stands_still_is_refused(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its part never ends: the frames of one part are bounded, however small they are."""
    monkeypatch.setattr(limits, limit, value)
    frames = mixed(make_video(13), make_audio(13))
    assert len(package(frames).parts) == 25  # what waits in a steady stream is far below
    still = [dataclasses.replace(frame, timestamp_ms=4_000) for frame in make_video(9, first=120)]
    with pytest.raises(Unsupported, match="clock stands still"):
        package([*mixed(make_video(4), make_audio(4)), *still])


def test_the_keyframe_interval_is_measured() -> None:
    packager = Packager(PRESETS["low"])
    packager.configure(VIDEO)
    for frame in make_video(13, gop=150):
        packager.push(frame, WALL_MS)
    assert packager.keyframe_interval_ms == 5_000


# Any sequence -------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "none",
                "none",
                "drop",
                "twice",
                "jump",
                "jitter",
                "config",
                "pause",
                "interrupt",
                "key",
                "swap",
                "long",
            ]
        ),
        st.integers(0, 30),
        st.integers(-4_000, 4_000),
    ),
    max_size=40,
)


@settings(max_examples=80)
@given(
    events=EVENTS,
    fps=st.sampled_from([5, 24, 25, 30, NTSC, 60]),
    gop=st.sampled_from([10, 30, 60, 200]),
    audio=st.sampled_from([AUDIO, AUDIO_44100, AUDIO_5_1, HE_AAC, OPUS, None]),
    has_video=st.booleans(),
    preset=st.sampled_from(["lan", "low", "normal"]),
    start_ms=st.sampled_from([0, (1 << 24) - 5_000, (1 << 31) - 5_000, (1 << 32) - 5_000]),
    seconds=st.sampled_from([6, 15]),
)
def test_no_sequence_of_frames_breaks_the_parts(
    events: list[tuple[str, int, int]],
    fps: Fraction,
    gop: int,
    audio: AudioConfig | None,
    has_video: bool,
    preset: str,
    start_ms: int,
    seconds: int,
) -> None:
    """`Packaged` judges each output; here it is also held that no frame comes out twice."""
    video_frames = make_video(seconds, fps, gop=gop, b_frames=gop == 60) if has_video else []
    frames = mixed(video_frames, make_audio(seconds, audio) if audio else [])
    packager, found = Packager(PRESETS[preset]), Packaged()
    sent: dict[Kind, list[bytes]] = {Kind.VIDEO: [], Kind.AUDIO: []}

    def configure(record: bytes) -> None:
        if has_video:
            found.add(packager.configure(dataclasses.replace(VIDEO, record=record)))
        if audio is not None:
            found.add(packager.configure(dataclasses.replace(audio, record=record)))

    def push(frame: Frame, offset_ms: int) -> None:
        name = frame.data + b"#%d" % len(sent[frame.kind])
        sent[frame.kind].append(name)
        stamp = (frame.timestamp_ms + start_ms + offset_ms) & 0xFFFFFFFF
        found.add(
            packager.push(
                dataclasses.replace(frame, timestamp_ms=stamp, data=name),
                WALL_MS + frame.timestamp_ms,
            )
        )

    plan = {
        (number + 1) * len(frames) // (len(events) + 1): one for number, one in enumerate(events)
    }
    offset_ms, dropped, jitter = 0, 0, 0
    configure(b"0")
    try:
        for number, frame in enumerate(frames):
            kind, count, ms = plan.get(number, ("none", 0, 0))
            match kind:
                case "drop":
                    dropped = count
                case "jump":
                    offset_ms += ms * 100
                case "long":
                    offset_ms += abs(ms) % 3_000
                case "jitter":
                    jitter = ms // 20
                case "config":
                    configure(b"%d" % count)
                case "pause":
                    found.add(packager.pause())
                case "interrupt":
                    found.add(packager.interrupt())
                    configure(b"0")
                case "key":
                    frame = dataclasses.replace(frame, keyframe=True)
                case "twice":
                    push(frame, offset_ms)
                case "swap":
                    push(frame, offset_ms - abs(ms) // 4)
            if dropped:
                dropped -= 1
                continue
            push(frame, offset_ms + (jitter if number % 2 else 0))
    except Unsupported:
        pass
    found.add(packager.interrupt())
    assert not found.open_parts
    for track, names in sent.items():
        assert is_subsequence(found.data(track), names)
