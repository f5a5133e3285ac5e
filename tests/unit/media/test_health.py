"""Measurements of a live stream: from its frames, its viewers and their reports to one verdict."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from mediaserver.kernel import limits
from mediaserver.media.audience import ViewerReport
from mediaserver.media.broadcast import BroadcastState
from mediaserver.media.events import BroadcastEnded
from mediaserver.media.health import BroadcastMeasured, Health, HealthWatch
from tests.unit.media.broadcasting import OTHER, Message, Site, between, later, media_of

CLIP = media_of(between(0, 8_000))


class Watched:
    """A site whose health is measured every two seconds of its clock."""

    def __init__(self, **media: int) -> None:
        self.site = Site(**media)
        self.watch = HealthWatch(self.site.broadcasts, self.site.clock, self.site.events)
        self.measured: list[BroadcastMeasured] = []
        self.site.events.subscribe(BroadcastMeasured, self.measured.append)
        self.broadcast, self.publisher = self.site.open()
        self.sent_ms = 0
        self._measured_ms = self.site.clock.monotonic_ms()

    def play(self, seconds: int, *, without: range | None = None, at_once: bool = False) -> None:
        """The eight seconds of the clip again and again, measured as time goes by. `without`
        leaves out frames of each clip's picture by their number."""
        until_ms = self.sent_ms + seconds * 1000
        if self.sent_ms == 0:
            self._send(between(0, 1))
        while self.sent_ms < until_ms:
            clip = later(CLIP, self.sent_ms)
            left = min(8_000, until_ms - self.sent_ms)
            pictures = 0
            sent: list[Message] = []
            for message in clip:
                if message[0] == 9:
                    pictures += 1
                    if without is not None and pictures in without:
                        continue
                if message[2] < self.sent_ms + left:
                    sent.append(message)
            self._send(sent)
            self.sent_ms += 8_000

    def _send(self, sent: list[Message]) -> None:
        for message in sent:
            self.site.send(self.broadcast, [message])
            self.wait_until(message[2])

    def wait_until(self, media_ms: int) -> None:
        """Let time go by up to a moment of the stream, with measurements."""
        clock = self.site.clock
        if clock.monotonic_ms() < media_ms:
            clock.advance(media_ms - clock.monotonic_ms())
        self.site.broadcasts.check()
        while clock.monotonic_ms() - self._measured_ms >= 2_000:
            self._measured_ms += 2_000
            self.watch.measure()

    @property
    def health(self) -> Health:
        health = self.watch.current("film")
        assert health is not None
        return health


def playing(seconds: int = 40, *, without: range | None = None) -> Watched:
    watched = Watched()
    watched.play(seconds, without=without)
    assert watched.site.state() is BroadcastState.LIVE
    return watched


def test_a_good_stream() -> None:
    watched = playing()
    health = watched.health
    assert health.state == "live"
    assert (health.width, health.height) == (320, 180)
    assert (health.video_codec, health.audio_codec) == ("avc1.64000D", "mp4a.40.2")
    assert health.fps == pytest.approx(30, abs=0.2)
    assert health.keyframe_interval_ms == 2_000
    assert health.bitrate_bps > 10_000
    assert (health.dropped_frames, health.dropped_pct, health.late_parts) == (0, 0.0, 0)
    assert (health.viewers, health.uplink_bps, health.uplink_max_bps) == (0, 0, None)
    assert health.latency_p50_ms is None
    assert health.stalls_per_hour is None
    assert health.viewers_stalling_pct is None
    assert (health.verdict, health.advice) == ("good", None)
    last = watched.measured[-1]
    assert last == BroadcastMeasured("chn_1", "film", health)
    assert len(watched.measured) == len(watched.watch.history("film"))


def test_lost_frames_are_told() -> None:
    health = playing(without=range(100, 110)).health
    assert health.dropped_pct == pytest.approx(100 * 10 / 240, abs=0.6)
    assert health.verdict == "warn"
    assert health.advice is not None
    assert health.advice.startswith("Your encoder drops 4 % of its frames")
    assert health.fps == pytest.approx(29, abs=1)


def test_viewers_and_what_they_say() -> None:
    watched = playing()
    for number in range(10):
        viewer = f"viewer-{number}"
        watched.broadcast.stream.seen(viewer)
        report = ViewerReport("hls", 1_500 + number, stalls=1 if number < 2 else 0)
        watched.watch.report("film", viewer, report)
    watched.broadcast.stream.bytes_sent += 2_500_000
    watched.play(8)
    health = watched.health
    assert (health.viewers, health.viewers_hls) == (10, 10)
    assert (health.latency_p50_ms, health.latency_p95_ms) == (1_505, 1_509)
    assert health.viewers_stalling_pct == 20
    assert health.stalls_per_hour == 72
    assert health.uplink_bps == pytest.approx(2_000_000, rel=0.01)
    assert health.verdict == "warn"
    assert health.advice is not None
    assert health.advice.startswith("20 % of viewers stall while the others don't")


def test_a_report_for_a_channel_without_a_stream_is_lost() -> None:
    watched = Watched()
    watched.watch.report("nobody", "ada", ViewerReport("hls", 100))
    assert watched.watch.current("nobody") is None
    assert watched.watch.history("nobody") == []


def test_a_full_uplink_is_told() -> None:
    watched = Watched(uplink_max_kbps=100)
    watched.play(24)
    bitrate_bps = watched.broadcast.stream.bitrate_bps
    for number in range(100_000 // bitrate_bps + 1):
        watched.broadcast.stream.seen(f"viewer-{number}")
    watched.play(8)
    health = watched.health
    assert health.uplink_max_bps == 100_000
    assert health.verdict == "bad"
    assert health.advice is not None
    assert health.advice.startswith("Your uplink is full: ")


def test_an_encoder_that_cannot_keep_up() -> None:
    """Its timestamps crawl: eight seconds of picture take twelve."""
    watched = playing(16)
    for number in range(5):
        for message in later(CLIP, 16_000 + number * 8_000):
            watched.site.send(watched.broadcast, [message])
            behind_ms = (message[2] - 16_000) // 2
            watched.wait_until(message[2] + behind_ms)
    assert watched.health.verdict == "bad"
    assert watched.health.advice is not None
    assert watched.health.advice.startswith("Your encoder falls behind: 6.7 s of picture")


def test_a_dropped_encoder_and_its_return() -> None:
    watched = playing()
    watched.broadcast.detach(watched.publisher)
    watched.wait_until(watched.site.clock.monotonic_ms() + 4_000)
    assert (watched.health.state, watched.health.verdict) == ("reconnecting", "bad")
    watched.site.open()
    watched.sent_ms = watched.site.clock.monotonic_ms()
    watched._send(later(between(0, 1), watched.sent_ms))
    watched.play(16)
    assert watched.health.state == "live"
    assert watched.health.dropped_frames == 0
    assert watched.health.verdict == "good"


def test_after_the_end_history_stays_for_half_an_hour() -> None:
    watched = playing(16)
    watched.site.broadcasts.stop("film", "Enough.")
    assert isinstance(watched.site.reported[-1], BroadcastEnded)
    now_ms = watched.site.clock.monotonic_ms()
    watched.wait_until(now_ms + 10_000)
    assert (watched.health.state, watched.health.verdict) == ("ended", "idle")
    for _ in range(40):
        watched.wait_until(watched.site.clock.monotonic_ms() + 2_000)
    assert watched.watch.current("film") is None
    count = len(watched.measured)
    assert watched.watch.history("film")
    watched.wait_until(watched.site.clock.monotonic_ms() + limits.HEALTH_HISTORY_S * 1000)
    assert watched.watch.history("film") == []
    assert len(watched.measured) == count


def test_history_is_thinned_out_and_bounded() -> None:
    watched = playing(16)
    last = watched.health
    for seconds in range(2, 4_000, 2):
        log = watched.watch._logs["film"]
        log.keep(replace(last, at_ms=last.at_ms + seconds * 1000))
    points = watched.watch.history("film")
    steps = [after.at_ms - before.at_ms for before, after in itertools.pairwise(points)]
    assert set(steps[:-61]) == {10_000}
    assert set(steps[-59:]) == {2_000}
    assert points[-1].at_ms - points[0].at_ms <= limits.HEALTH_HISTORY_S * 1000
    assert 225 <= len(points) <= 235


def test_channels_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEALTH_CHANNELS_MAX", 1)
    watched = playing(16)
    watched.site.broadcasts.stop("film", "Enough.")
    watched.wait_until(watched.site.clock.monotonic_ms() + 70_000)
    assert watched.watch.history("film")
    other, _ = watched.site.open(OTHER)
    watched.wait_until(watched.site.clock.monotonic_ms() + 2_000)
    assert watched.watch.history("film") == []
    assert watched.watch.history(other.grant.channel)


async def test_it_runs_until_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEALTH_INTERVAL_S", 0.001)
    watched = Watched()
    task = asyncio.create_task(watched.watch.run())
    async with asyncio.timeout(5):
        while not watched.measured:
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert watched.measured[0].health.verdict == "idle"
