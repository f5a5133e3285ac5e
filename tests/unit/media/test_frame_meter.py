"""What is counted of an encoder's frames."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from mediaserver.media.frame_meter import FrameMeter
from mediaserver.media.frames import Frame, Kind


def video(*times_ms: int) -> list[Frame]:
    return [Frame(Kind.VIDEO, ms & 0xFFFFFFFF, 0, False, b"") for ms in times_ms]


def audio(*times_ms: int) -> list[Frame]:
    return [Frame(Kind.AUDIO, ms, 0, True, b"") for ms in times_ms]


def metered(frames: Iterable[Frame], frame_rate: float | None = 30.0) -> FrameMeter:
    meter = FrameMeter()
    for frame in frames:
        meter.add(frame, frame_rate)
    return meter


def steady(seconds: int, fps: int = 30, start_ms: int = 0) -> list[int]:
    return [start_ms + round(number * 1000 / fps) for number in range(seconds * fps + 1)]


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60, 120])
def test_a_steady_stream_misses_nothing(fps: int) -> None:
    meter = metered(video(*steady(10, fps)), fps)
    assert (meter.frames, meter.missing, meter.media_ms) == (10 * fps + 1, 0, 10_000)


def test_lost_frames() -> None:
    times = [ms for number, ms in enumerate(steady(10)) if number % 10 != 5]
    meter = metered(video(*times))
    assert (meter.frames, meter.missing) == (271, 30)
    assert meter.media_ms == 10_000
    assert metered(video(0, 33, 67, 200, 233)).missing == 3


def test_half_of_the_frames_is_a_third_after_all() -> None:
    """Sixty were promised, thirty come."""
    assert metered(video(*steady(1, 30)), 60).missing == 30


def test_a_pause_is_no_loss() -> None:
    meter = metered(video(0, 33, 67, 2_000, 2_033))
    assert meter.missing == 0
    assert meter.media_ms == 2_033


def test_a_jump_and_a_step_back_are_no_time() -> None:
    meter = metered(video(0, 33, 60_000, 60_033, 10, 43))
    assert (meter.missing, meter.media_ms) == (0, 99)


def test_timestamps_wrap() -> None:
    meter = metered(video(*steady(2, start_ms=(1 << 32) - 1000)))
    assert (meter.missing, meter.media_ms) == (0, 2_000)


def test_before_the_rate_is_known_nothing_is_missing() -> None:
    assert metered(video(0, 500, 900), None).missing == 0


def test_an_encoder_that_begins_anew() -> None:
    meter = metered(video(0, 33))
    meter.forget_time()
    for frame in video(500, 533):
        meter.add(frame, 30.0)
    assert (meter.missing, meter.media_ms) == (0, 66)


def test_the_picture_leads_and_sound_alone_counts_too() -> None:
    assert metered([*audio(0, 21, 43), *video(0, 33)]).media_ms == 33
    meter = metered(audio(0, 21, 43))
    assert (meter.frames, meter.media_ms) == (0, 43)
