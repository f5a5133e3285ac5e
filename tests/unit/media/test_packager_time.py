"""Frames → parts when time is not as it should be: sound that drifts or is missing, pictures that
stand, clocks that go round or jump.

`streams.Packaged` checks the invariants of every part as it comes; the tests say the rest.
"""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from mediaserver.media.frames import AudioConfig, Kind
from mediaserver.media.packager import Packager
from mediaserver.media.parts import PRESETS, Epoch
from tests.unit.media.streams import (
    AUDIO,
    AUDIO_5_1,
    AUDIO_44100,
    HE_AAC,
    OPUS,
    SILENCE,
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
    moved,
    package,
    sound,
    without,
)

HOUR_MS = 3_600_000


# Time of sound ------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [AUDIO, AUDIO_44100])
def test_sound_keeps_its_length_to_the_sample(config: AudioConfig) -> None:
    """Ten minutes of equal frames: RTMP's rounded milliseconds never move a sample."""
    frames = make_audio(600, config, data=b"same")
    packaged = package(frames, video=None, audio=config)
    samples = [sample for part in packaged.parts for sample in part.audio]
    assert packaged.silences() == 0
    assert len(frames) - len(samples) < 25  # those of the part that isn't full yet
    assert samples[-1].dts + samples[-1].duration == base(config.sample_rate) + len(samples) * 1024


def test_milliseconds_that_jitter_cause_no_drift() -> None:
    offsets = itertools.cycle([0, 40, -35, 7, -50, 20])
    audio = [
        dataclasses.replace(frame, timestamp_ms=max(0, frame.timestamp_ms + next(offsets)))
        for frame in make_audio(120)
    ]
    packaged = package(mixed(make_video(120), audio))
    assert packaged.silences() == 0
    samples = [sample for part in packaged.parts for sample in part.audio]
    assert [sample.dts for sample in samples] == [
        base(48_000) + number * 1024 for number in range(len(samples))
    ]
    assert len(samples) > 5600


def test_a_gap_in_the_sound_is_filled_with_silence() -> None:
    frames = without(mixed(make_video(13), make_audio(13)), Kind.AUDIO, 5_000, 5_400)
    packaged = package(frames)
    gap = [frame for frame in make_audio(13) if 5_000 <= frame.timestamp_ms < 5_400]
    assert packaged.silences() == len(gap) == 19
    # What follows is where it was.
    audio = make_audio(13)
    samples = [sample for part in packaged.parts for sample in part.audio]
    for number, sample in enumerate(samples):
        assert sample.data in (audio[number].data, *SILENCE)
    assert {tuple(durations(segment)) for segment in packaged.segments} == {(45000,) * 4}


def test_a_gap_of_a_few_frames_is_no_gap_yet() -> None:
    """Below the drift that is allowed sound simply goes on."""
    frames = without(mixed(make_video(13), make_audio(13)), Kind.AUDIO, 5_000, 5_080)
    assert package(frames).silences() == 0


def test_a_gap_that_no_silence_fits_stays_a_hole() -> None:
    audio = without(make_audio(13, HE_AAC), Kind.AUDIO, 5_000, 6_000)
    packaged = package(mixed(make_video(13), audio), audio=HE_AAC)
    assert packaged.silences() == 0
    sent = [frame.data for frame in audio]
    assert packaged.data(Kind.AUDIO) == sent[: len(packaged.data(Kind.AUDIO))]
    assert {tuple(durations(segment)) for segment in packaged.segments} == {(45000,) * 4}
    samples = [sample for part in packaged.parts for sample in part.audio]
    after = next(sample for sample in samples if sample.dts >= base(24_000) + 24_000 * 5.9)
    assert abs(after.dts - base(24_000) - 24_000 * 6) < 1024


@pytest.mark.parametrize("preset", ["lan", "low", "normal"])
@pytest.mark.parametrize("config", [HE_AAC, AUDIO_5_1])
@pytest.mark.parametrize("pause_ms", [1_000, 1_800, 2_950])
def test_a_common_pause_that_no_silence_fits_is_taken_out(
    pause_ms: int, config: AudioConfig, preset: str
) -> None:
    frames = mixed(make_video(13), make_audio(13, config))
    for kind in Kind:
        frames = without(frames, kind, 5_000, 5_000 + pause_ms)
    packaged = package(frames, audio=config, preset=preset)
    assert len(packaged.epochs) == 1
    assert (
        packaged.data(Kind.AUDIO)
        == [frame.data for frame in frames if frame.kind is Kind.AUDIO][: len(sound(packaged))]
    )
    # Both tracks close up: the sound stays with its picture.
    pictures = [sample for part in packaged.parts for sample in part.video]
    assert max(sample.duration for sample in pictures) < 90_000 // 10
    sounds = [sample for part in packaged.parts for sample in part.audio]
    for a, b in itertools.pairwise(sounds):
        assert b.dts - a.dts <= config.frame_samples + config.sample_rate // 10
    assert end_of(packaged) <= base(90_000) + (13_000 - pause_ms + 200) * 90


def test_a_gap_of_sound_alone_that_no_silence_fits_is_taken_out() -> None:
    audio = without(make_audio(20, HE_AAC), Kind.AUDIO, 5_000, 6_000)
    packaged = package(audio, video=None, audio=HE_AAC)
    assert packaged.data(Kind.AUDIO) == [frame.data for frame in audio[: len(sound(packaged))]]
    assert end_of(packaged) == base(24_000) + len(sound(packaged)) * 1024
    assert {len(segment) for segment in packaged.segments} == {3}


def test_sound_that_stops_is_replaced_by_silence_and_may_come_back() -> None:
    frames = without(mixed(make_video(30), make_audio(30)), Kind.AUDIO, 10_000, 20_000)
    packaged = package(frames)
    assert len(packaged.epochs) == 1
    assert end_of(packaged) >= base(90_000) + 29 * 90_000
    assert packaged.silences() == pytest.approx(10_000 / 21.333, abs=6)
    assert packaged.data(Kind.AUDIO)[-1] > b"a1300"


def test_late_sound_is_waited_for_at_most_one_part() -> None:
    """Sound that is always 400 ms late comes through; each part waits for it."""
    video, audio = make_video(20), make_audio(20)
    late = [(frame.timestamp_ms + 400, frame) for frame in audio]
    order = sorted([(frame.timestamp_ms, frame) for frame in video] + late, key=lambda one: one[0])
    packaged = package([frame for _, frame in order])
    assert packaged.silences() == 0
    assert packaged.data(Kind.AUDIO)[0] == b"a0"


def test_sound_later_than_a_part_is_given_up() -> None:
    video, audio = make_video(20), make_audio(20)
    late = [(frame.timestamp_ms + 800, frame) for frame in audio if frame.timestamp_ms > 8_000]
    early = [(frame.timestamp_ms, frame) for frame in audio if frame.timestamp_ms <= 8_000]
    order = sorted([(f.timestamp_ms, f) for f in video] + early + late, key=lambda one: one[0])
    packaged = package([frame for _, frame in order])
    assert len(packaged.epochs) == 1
    assert packaged.silences() > 100
    assert end_of(packaged) >= base(90_000) + 18 * 90_000


@pytest.mark.parametrize("late_ms", [30, 60, 95, 150, 600])
def test_sound_that_begins_later_keeps_its_place(late_ms: int) -> None:
    """The wait is silence; the sound moves by half a frame at most."""
    audio = make_audio(13, start_ms=late_ms)
    packaged = package(mixed(make_video(13), audio))
    samples = [sample for part in packaged.parts for sample in part.audio]
    assert samples[0].dts == base(48_000)
    first = next(sample for sample in samples if sample.data == b"a0")
    assert abs(first.dts - base(48_000) - late_ms * 48) <= 512


@pytest.mark.parametrize("early_ms", [10, 30, 500, 1900])
def test_sound_before_the_first_picture_is_left_out(early_ms: int) -> None:
    audio = make_audio(13)
    packaged = package(mixed(make_video(11, start_ms=early_ms), audio))
    samples = [sample for part in packaged.parts for sample in part.audio]
    assert samples[0].dts == base(48_000)
    number = int(samples[0].data[1:])
    assert abs(audio[number].timestamp_ms - early_ms) <= 11


def test_sound_sent_twice_comes_once() -> None:
    video, audio = make_video(13), make_audio(13)
    again = [frame for frame in audio if 5_000 <= frame.timestamp_ms < 6_000]
    order = [(frame.timestamp_ms, frame) for frame in [*video, *audio]]
    order += [(frame.timestamp_ms + 1_100, frame) for frame in again]
    packaged = package([frame for _, frame in sorted(order, key=lambda one: one[0])])
    assert packaged.silences() == 0
    assert packaged.data(Kind.AUDIO) == [frame.data for frame in audio][: len(sound(packaged))]


# Gaps in the picture ------------------------------------------------------------------------------


def test_a_picture_that_stands_longer_than_a_part_leaves_parts_of_sound() -> None:
    frames = without(mixed(make_video(13), make_audio(13)), Kind.VIDEO, 5_000, 6_800)
    packaged = package(frames)
    assert len(packaged.epochs) == 1
    assert sum(not part.video for part in packaged.parts) == 2
    held = next(s for part in packaged.parts for s in part.video if s.data == b"v149")
    assert held.duration == (6_800 - 4_967) * 90
    assert packaged.silences() == 0


@pytest.mark.parametrize("config", [AUDIO, HE_AAC, OPUS])
@pytest.mark.parametrize("rest_ms", [1, 5, 11, 17])
def test_the_short_rest_of_a_long_picture_has_sound(rest_ms: int, config: AudioConfig) -> None:
    """The keyframe that ends the picture ends the segment, a moment after the last whole part."""
    begin_ms, stands_ms = 4_967, 2 * 517 + rest_ms
    video = [
        dataclasses.replace(frame, keyframe=frame.keyframe or frame.timestamp_ms == 6_033)
        for frame in without(make_video(13), Kind.VIDEO, 5_000, 6_010)
    ]
    video = [
        dataclasses.replace(frame, timestamp_ms=begin_ms + stands_ms)
        if frame.timestamp_ms == 6_033
        else frame
        for frame in video
    ]
    packaged = package(mixed(video, make_audio(13, config)), audio=config)
    (rest,) = [part for part in packaged.parts if part.duration == rest_ms * 90]
    assert not rest.video
    assert len(rest.audio) == 1


def test_a_pause_without_sound_is_taken_out() -> None:
    frames = without(make_video(13), Kind.VIDEO, 5_000, 6_800)
    packaged = package(frames, audio=None)
    assert len(packaged.epochs) == 1
    samples = [sample for part in packaged.parts for sample in part.video]
    held = next(sample for sample in samples if sample.data == b"v149")
    assert held.duration == 3000
    assert max(sample.duration for sample in samples) == 3060


@pytest.mark.parametrize("pause_at_ms", [5_000, 5_400, 5_800, 6_000, 6_300])
def test_a_long_picture_never_lengthens_a_segment_over_its_target(pause_at_ms: int) -> None:
    video = [
        dataclasses.replace(frame, keyframe=frame.keyframe and frame.timestamp_ms < 5_000)
        for frame in make_video(20)
    ]
    begin_ms = 4_000 + pause_at_ms
    frames = without(mixed(video, make_audio(20)), Kind.VIDEO, begin_ms, begin_ms + 2_900)
    packaged = package(frames)
    assert len(packaged.epochs) == 1
    assert packaged.timing.target_duration_s == 6
    assert sum(not part.video for part in packaged.parts) >= 4


# Clocks that go round -----------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [24, 31, 32])
@pytest.mark.parametrize("tracks", ["both", "video", "audio"])
def test_clocks_that_go_round(bits: int, tracks: str) -> None:
    """A stream that starts 5 s before its clock goes round makes the parts of one from 0."""
    video = make_video(13, b_frames=True) if tracks != "audio" else []
    audio = make_audio(13) if tracks != "video" else []
    frames = mixed(video, audio)
    expected = package(frames, video=VIDEO if video else None, audio=AUDIO if audio else None)
    start_ms = (1 << bits) - 5_000
    wrap = (1 << 32) - 1 if bits == 24 else (1 << bits) - 1
    shifted = [
        dataclasses.replace(frame, timestamp_ms=(frame.timestamp_ms + start_ms) & wrap)
        for frame in frames
    ]
    packager, found = Packager(PRESETS["low"]), Packaged()
    if video:
        found.add(packager.configure(VIDEO))
    if audio:
        found.add(packager.configure(AUDIO))
    for frame, original in zip(shifted, frames, strict=True):
        found.add(packager.push(frame, WALL_MS + original.timestamp_ms))
    assert len(found.epochs) == 1
    assert [one for one in found.outputs if not isinstance(one, Epoch)] == [
        one for one in expected.outputs if not isinstance(one, Epoch)
    ]
    assert found.segments


@pytest.mark.parametrize("back_ms", [1, 20, 300])
def test_a_31_bit_clock_that_goes_round_may_step_back_a_little(back_ms: int) -> None:
    """Tracks are sent a little out of step, and on both sides of the wrap."""
    video, audio = make_video(13), make_audio(13)
    order = [(frame.timestamp_ms, frame) for frame in video]
    order += [(frame.timestamp_ms + back_ms, frame) for frame in audio]
    frames = [frame for _, frame in sorted(order, key=lambda one: one[0])]
    start_ms = (1 << 31) - 5_000
    found = package(
        [
            dataclasses.replace(one, timestamp_ms=(one.timestamp_ms + start_ms) & 0x7FFFFFFF)
            for one in frames
        ]
    )
    assert len(found.epochs) == 1
    assert found.silences() == 0
    assert end_of(found) >= base(90_000) + 12 * 90_000


# Clocks that jump ---------------------------------------------------------------------------------


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS])
@pytest.mark.parametrize("tracks", ["video", "audio", "both"])
@pytest.mark.parametrize("first", [Kind.VIDEO, Kind.AUDIO])
@pytest.mark.parametrize("overlap_ms", [0, 50, 400, 1500])
def test_a_jump_begins_one_new_epoch(
    jump_ms: int, tracks: str, first: Kind, overlap_ms: int
) -> None:
    """One track jumps `overlap_ms` before the other, so that old and new times alternate."""
    start_ms = 2 * HOUR_MS
    video = make_video(30, start_ms=start_ms) if tracks != "audio" else []
    audio = make_audio(30, start_ms=start_ms) if tracks != "video" else []
    frames = []
    for frame in mixed(video, audio):
        at = frame.timestamp_ms - start_ms
        if at >= 10_000 + (0 if frame.kind is first else overlap_ms):
            frame = moved([frame], jump_ms)[0]
        frames.append((at, frame))
    packager, found = Packager(PRESETS["low"]), Packaged()
    if video:
        found.add(packager.configure(VIDEO))
    if audio:
        found.add(packager.configure(AUDIO))
    for at, frame in frames:
        found.add(packager.push(frame, WALL_MS + at))

    assert len(found.epochs) == 2
    for epoch in found.epochs:
        assert (epoch.video is not None, epoch.audio is not None) == (bool(video), bool(audio))
    after = [part for part in found.parts if part.epoch == 1]
    # Back within a group of pictures, or within the wait for the second track.
    assert after[0].wall_ms - WALL_MS <= 14_100 + overlap_ms
    assert after[-1].wall_ms - WALL_MS >= 28_500
    sent = [frame.data for _, frame in frames if frame.kind is Kind.AUDIO]
    assert is_subsequence(found.data(Kind.AUDIO), sent)
    if video and audio:
        silent = sum(s.data in SILENCE for part in after[2:] for s in part.audio)
        assert silent == 0 or overlap_ms > 100


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS])
def test_when_only_the_sound_jumps_the_picture_goes_on(jump_ms: int) -> None:
    start_ms = 2 * HOUR_MS
    video, audio = make_video(30, start_ms=start_ms), make_audio(30, start_ms=start_ms)
    order = [(frame.timestamp_ms, frame) for frame in video]
    order += [
        (frame.timestamp_ms, moved([frame], jump_ms)[0] if number > 500 else frame)
        for number, frame in enumerate(audio)
    ]
    packager, found = Packager(PRESETS["low"]), Packaged()
    found.add(packager.configure(VIDEO))
    found.add(packager.configure(AUDIO))
    for at, frame in sorted(order, key=lambda one: one[0]):
        found.add(packager.push(frame, WALL_MS + at - start_ms))
    assert len(found.epochs) == 1
    assert end_of(found) >= base(90_000) + 28 * 90_000
    assert found.silences() > 700


@pytest.mark.parametrize("step_ms", [2_900, -900])
def test_a_small_step_is_believed(step_ms: int) -> None:
    frames = mixed(make_video(20, start_ms=10_000), make_audio(20, start_ms=10_000))
    stepped = [
        moved([frame], step_ms)[0] if frame.timestamp_ms >= 18_000 else frame for frame in frames
    ]
    found = package(stepped)
    assert len(found.epochs) == 1
    assert end_of(found) >= base(90_000) + 18 * 90_000
