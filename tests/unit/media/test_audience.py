"""Viewers' reports: what is summed up, for how long, and what a liar can do."""

from __future__ import annotations

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.media.audience import Audience, Playback, ViewerReport


class Hall:
    """An audience whose clock a test moves."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.audience = Audience(self.clock)

    def report(self, viewer: str, latency_ms: int | None = 2_000, stalls: int = 0) -> None:
        self.audience.report(viewer, ViewerReport("hls", latency_ms, stalls))

    def round(self, *viewers: str, stalls: int = 0) -> None:
        """Everybody's report of the next ten seconds."""
        self.clock.advance(10_000)
        for viewer in viewers:
            self.report(viewer, stalls=stalls)

    @property
    def now(self) -> Playback:
        return self.audience.playback()


def test_nobody() -> None:
    assert Hall().now == Playback()
    assert Hall().now.stalling_pct is None


def test_percentiles_of_latency() -> None:
    hall = Hall()
    for number in range(100):
        hall.report(f"viewer-{number}", 1_000 + number * 10)
    assert hall.now.reporting == 100
    assert hall.now.latency_p50_ms == 1_500
    assert hall.now.latency_p95_ms == 1_950


@pytest.mark.parametrize("latency_ms", [None, -5, 120_001, 10**12])
def test_an_impossible_latency_is_left_out(latency_ms: int | None) -> None:
    """A clock that is wrong, or none."""
    hall = Hall()
    hall.report("ada", 300)
    hall.report("bob", latency_ms)
    assert hall.now.reporting == 2
    assert (hall.now.latency_p50_ms, hall.now.latency_p95_ms) == (300, 300)


def test_who_rewinds_is_not_late() -> None:
    hall = Hall()
    hall.audience.report("ada", ViewerReport("dvr", 60_000))
    assert hall.now.reporting == 1
    assert hall.now.latency_p50_ms is None


def test_a_viewer_who_stops_reporting_has_left() -> None:
    hall = Hall()
    hall.report("ada")
    hall.clock.advance(20_000)
    hall.report("bob")
    hall.clock.advance(10_000)
    assert hall.now.reporting == 2
    hall.clock.advance(1)
    assert hall.now.reporting == 1


def test_stalls_per_hour_of_one_viewer() -> None:
    hall = Hall()
    for _ in range(30):
        hall.round("ada", "bob")
    assert hall.now.stalls_per_hour == 0
    hall.round("ada", stalls=1)
    hall.round("bob", stalls=0)
    # one stall in 10 minutes that two viewers watched, five each
    assert hall.now.stalls_per_hour == pytest.approx(6, rel=0.1)
    for _ in range(31):
        hall.round("ada", "bob")
    assert hall.now.stalls_per_hour == 0, "it was long ago"


def test_who_stalls_now() -> None:
    hall = Hall()
    hall.round("ada", "bob", "eve", "joe")
    hall.round("ada", stalls=1)
    assert hall.now.stalling_pct == 25
    for _ in range(5):
        hall.round("ada", "bob", "eve", "joe")
    assert hall.now.stalling_pct == 25
    hall.round("ada", "bob", "eve", "joe")
    assert hall.now.stalling_pct == 0


def test_one_liar_moves_their_own_share_only() -> None:
    hall = Hall()
    for number in range(9):
        hall.report(f"viewer-{number}")
    hall.report("liar", 119_999, stalls=10**9)
    now = hall.now
    assert now.latency_p50_ms == 2_000
    assert now.stalling_pct == 10
    assert now.stalls_per_hour == limits.REPORTED_STALLS_MAX * 36
    hall.report("liar", stalls=-5)
    assert hall.now.stalls_per_hour == limits.REPORTED_STALLS_MAX * 36


def test_more_viewers_than_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REPORTING_VIEWERS_MAX", 3)
    hall = Hall()
    for number in range(10):
        hall.report(f"viewer-{number}")
    assert hall.now.reporting == 3
    hall.report("viewer-0", 500)
    assert hall.now.reporting == 3
    assert hall.now.latency_p50_ms == 2_000
