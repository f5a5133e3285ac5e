"""The cap on viewers and the budget of the uplink: who is let in, who stays."""

from __future__ import annotations

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MediaConfig
from mediaserver.media.admission import Admission, Full
from mediaserver.media.live_stream import LiveStream
from mediaserver.media.origin import Origin
from mediaserver.media.parts import PRESETS, Epoch, Part, Timing
from tests.unit.media.streams import AUDIO, VIDEO, WALL_MS


class Site:
    """Two streams of given bitrates, and who is let in."""

    def __init__(self, *bitrates_bps: int, viewers_max: int = 0, uplink_max_kbps: int = 0) -> None:
        self.clock = FakeClock()
        origin = Origin()
        self.streams = []
        for number, bitrate_bps in enumerate(bitrates_bps):
            stream = LiveStream(f"session-{number}", PRESETS["low"], 40, self.clock)
            origin.add(f"channel-{number}", stream)
            stream.begin_epoch(
                Epoch(0, VIDEO, AUDIO, 90_000, Timing(517, 6), 30.0, ()), b"init", (1280, 720)
            )
            part = Part(0, 1, 0, 0, 45_000, WALL_MS, True, (), ())
            stream.append(part, bytes(bitrate_bps // 16))
            self.streams.append(stream)
        config = MediaConfig(viewers_max=viewers_max, uplink_max_kbps=uplink_max_kbps)
        self.admission = Admission(config, origin)

    def come(self, viewer: str, number: int = 0) -> bool:
        try:
            self.admission.admit(self.streams[number], viewer)
        except Full:
            return False
        self.streams[number].seen(viewer)
        return True


def test_without_limits_everybody_comes_in() -> None:
    site = Site(8_000_000)
    assert all(site.come(f"viewer-{number}") for number in range(1000))
    assert not site.admission.refuses(site.streams[0])
    assert site.admission.uplink_needed_bps == 8_000_000_000


def test_the_cap_counts_over_all_streams_and_who_is_inside_stays() -> None:
    site = Site(1_000_000, 1_000_000, viewers_max=2)
    assert site.come("ada")
    assert not site.admission.refuses(site.streams[0])
    assert site.come("bob", 1)
    assert site.admission.refuses(site.streams[0])
    assert not site.come("eve")
    assert not site.come("eve", 1)
    assert site.come("ada")
    assert site.come("bob", 1)


def test_a_place_is_free_some_seconds_after_its_viewer_left() -> None:
    site = Site(1_000_000, viewers_max=1)
    assert site.come("ada")
    site.clock.advance(int(limits.VIEWER_TIMEOUT_S * 1000))
    assert not site.come("bob")
    site.clock.advance(1)
    assert site.come("bob")
    assert not site.come("ada")


def test_a_viewer_may_change_streams() -> None:
    site = Site(1_000_000, 3_000_000, viewers_max=1, uplink_max_kbps=3_000)
    assert site.come("ada", 0)
    assert site.come("ada", 1), "it leaves the other one's place"
    assert not site.come("bob", 0)


def test_the_uplink_takes_what_fits() -> None:
    site = Site(6_000_000, 1_000_000, uplink_max_kbps=13_000)
    assert site.come("ada")
    assert site.come("bob")
    assert site.admission.uplink_needed_bps == 12_000_000
    assert site.admission.refuses(site.streams[0])
    assert not site.come("eve")
    assert not site.admission.refuses(site.streams[1])
    assert site.come("eve", 1)
    assert not site.come("joe", 1)
    assert site.come("ada")


def test_a_preview_always_fits_and_takes_no_place() -> None:
    site = Site(1_000_000, viewers_max=1)
    for _ in range(10):
        site.admission.admit(site.streams[0], None)
    assert site.come("ada")
    site.admission.admit(site.streams[0], None)


def test_a_bitrate_that_rises_sends_nobody_away() -> None:
    site = Site(1_000_000, uplink_max_kbps=2_000)
    assert site.come("ada")
    assert site.come("bob")
    site.streams[0].append(Part(0, 1, 1, 45_000, 45_000, WALL_MS, False, (), ()), bytes(10**6))
    assert site.admission.uplink_needed_bps > 2_000_000
    assert site.come("ada")
    assert site.come("bob")


@pytest.mark.parametrize("limits_of", [{"viewers_max": 1}, {"uplink_max_kbps": 1_000}])
def test_the_refusal_is_for_people_and_programs(limits_of: dict[str, int]) -> None:
    site = Site(1_000_000, **limits_of)
    assert site.come("ada")
    with pytest.raises(Full, match=r"Try again in a moment\.$") as caught:
        site.admission.admit(site.streams[0], "bob")
    assert caught.value.code == "full"


@pytest.mark.parametrize("limit", ["viewers_max", "uplink_max_kbps"])
def test_limits_are_not_negative(limit: str) -> None:
    with pytest.raises(ValueError, match=limit):
        MediaConfig(**{limit: -1})
