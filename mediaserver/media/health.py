"""How each live stream is doing, measured every two seconds, with half an hour of memory.

Facts come from three places: what the encoder sends (frame_meter.py), what was sent to viewers,
and what viewers report of their playback (audience.py). advice.py makes a verdict of them.
Everything is kept in memory and bounded; each measurement is also published as an event.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.events import Events
from mediaserver.media.advice import Facts, Verdict, judge
from mediaserver.media.audience import Audience, Playback, ViewerReport
from mediaserver.media.broadcast import Broadcast, BroadcastState
from mediaserver.media.broadcasts import Broadcasts

_RATE_SAMPLES = 5
"""Rates are means over 10 s."""
_TROUBLE_SAMPLES = 15
"""Lost frames and late parts are looked for in 30 s."""

_ON_AIR = (BroadcastState.LIVE, BroadcastState.HELD)
_NAMES = {"hvc1": "HEVC", "hev1": "HEVC", "av01": "AV1"}


@dataclass(frozen=True, slots=True)
class Health:
    """One measurement. Counts (`dropped_frames`, `late_parts`) are over the last 30 s, rates over
    10 s; `uplink_bps` is what all streams of the server send, as they share it. None is not known.
    """

    at_ms: int
    state: str
    bitrate_bps: int = 0
    fps: float = 0.0
    keyframe_interval_ms: int = 0
    video_codec: str | None = None
    audio_codec: str | None = None
    width: int | None = None
    height: int | None = None
    dropped_frames: int = 0
    dropped_pct: float = 0.0
    late_parts: int = 0
    viewers: int = 0
    viewers_instant: int = 0
    viewers_hls: int = 0
    latency_p50_ms: int | None = None
    latency_p95_ms: int | None = None
    stalls_per_hour: float | None = None
    viewers_stalling_pct: float | None = None
    uplink_bps: int = 0
    uplink_max_bps: int | None = None
    verdict: Verdict = "idle"
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class BroadcastMeasured:
    """A live stream was measured. Published every two seconds for each."""

    channel_id: str
    channel: str
    health: Health


@dataclass(frozen=True, slots=True)
class _Totals:
    """Counters of a broadcast at one moment."""

    at_ms: int
    on_air: bool
    frames: int
    missing: int
    media_ms: int
    late_parts: int
    bytes_sent: int


@dataclass(slots=True)
class _Log:
    """What is remembered of one channel: its newest broadcast, and points also of earlier ones."""

    broadcast_id: str
    audience: Audience
    totals: deque[_Totals]
    fine: deque[Health] = field(default_factory=deque)
    coarse: deque[Health] = field(default_factory=deque)

    def keep(self, health: Health) -> None:
        """The last minutes are kept point by point, what is older thinned out."""
        self.fine.append(health)
        while health.at_ms - self.fine[0].at_ms > limits.HEALTH_FINE_S * 1000:
            point = self.fine.popleft()
            last_ms = self.coarse[-1].at_ms if self.coarse else 0
            if point.at_ms - last_ms >= limits.HEALTH_COARSE_STEP_S * 1000:
                self.coarse.append(point)
        self.forget(health.at_ms)

    def forget(self, now_ms: int) -> None:
        for points in (self.coarse, self.fine):
            while points and now_ms - points[0].at_ms > limits.HEALTH_HISTORY_S * 1000:
                points.popleft()


class HealthWatch:
    """Measures every broadcast. `run` must be running."""

    def __init__(self, broadcasts: Broadcasts, clock: Clock, events: Events) -> None:
        self._broadcasts = broadcasts
        self._clock = clock
        self._events = events

        self._logs: dict[str, _Log] = {}

    def report(self, channel: str, viewer: str, report: ViewerReport) -> None:
        """A player's word. That of a channel without a stream is of no use."""
        log = self._logs.get(channel)
        if log is not None:
            log.audience.report(viewer, report)

    def current(self, channel: str) -> Health | None:
        """The newest measurement; None when the channel has no stream."""
        log = self._logs.get(channel)
        if log is None or not log.fine or self._broadcasts.status(channel) is None:
            return None
        return log.fine[-1]

    def history(self, channel: str) -> list[Health]:
        """Half an hour, oldest first: every ten seconds, the last two minutes every two."""
        log = self._logs.get(channel)
        return [*log.coarse, *log.fine] if log is not None else []

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await asyncio.sleep(limits.HEALTH_INTERVAL_S)
            self.measure()

    def measure(self) -> None:
        """One measurement of everything."""
        current = self._broadcasts.current()
        for broadcast in current:
            self._log(broadcast).totals.append(self._totals(broadcast))
        uplink_bps = sum(
            _rate_bps(self._log(broadcast).totals, _RATE_SAMPLES) for broadcast in current
        )
        for broadcast in current:
            log = self._log(broadcast)
            health = self._health(broadcast, log, uplink_bps)
            log.keep(health)
            grant = broadcast.grant
            self._events.publish(BroadcastMeasured(grant.channel_id, grant.channel, health))
        self._forget({broadcast.grant.channel for broadcast in current})

    def _log(self, broadcast: Broadcast) -> _Log:
        channel = broadcast.grant.channel
        log = self._logs.get(channel)
        if log is None or log.broadcast_id != broadcast.id:
            totals: deque[_Totals] = deque(maxlen=_TROUBLE_SAMPLES + 1)
            audience = Audience(self._clock)
            before = self._logs.pop(channel, None)
            log = self._logs[channel] = _Log(broadcast.id, audience, totals)
            if before is not None:
                log.fine, log.coarse = before.fine, before.coarse
        return log

    def _forget(self, present: set[str]) -> None:
        now_ms = self._clock.wall_ms()
        for channel in [one for one in self._logs if one not in present]:
            log = self._logs[channel]
            log.forget(now_ms)
            if not log.fine and not log.coarse:
                del self._logs[channel]
        for channel in list(self._logs)[: -limits.HEALTH_CHANNELS_MAX]:
            if channel not in present:
                del self._logs[channel]

    def _totals(self, broadcast: Broadcast) -> _Totals:
        meter = broadcast.meter
        return _Totals(
            at_ms=self._clock.monotonic_ms(),
            on_air=broadcast.state in _ON_AIR,
            frames=meter.frames,
            missing=meter.missing,
            media_ms=meter.media_ms,
            late_parts=broadcast.late_parts,
            bytes_sent=broadcast.stream.bytes_sent + broadcast.instant.bytes_sent,
        )

    def _health(self, broadcast: Broadcast, log: _Log, uplink_bps: int) -> Health:
        status = broadcast.status(is_full=False)
        admission = self._broadcasts.admission
        playback = log.audience.playback()
        dropped, sent = _dropped(log.totals)
        health = Health(
            at_ms=self._clock.wall_ms(),
            state=str(status.state),
            bitrate_bps=status.bitrate_bps,
            fps=_fps(log.totals),
            keyframe_interval_ms=broadcast.keyframe_interval_ms,
            video_codec=status.video_codec,
            audio_codec=status.audio_codec,
            width=status.width,
            height=status.height,
            dropped_frames=dropped,
            dropped_pct=round(100 * dropped / (dropped + sent), 1) if dropped else 0.0,
            late_parts=log.totals[-1].late_parts - log.totals[0].late_parts,
            viewers=status.viewers,
            viewers_instant=status.viewers_instant,
            viewers_hls=max(0, status.viewers - status.viewers_instant),
            latency_p50_ms=playback.latency_p50_ms,
            latency_p95_ms=playback.latency_p95_ms,
            stalls_per_hour=_rounded(playback.stalls_per_hour),
            viewers_stalling_pct=_rounded(playback.stalling_pct),
            uplink_bps=uplink_bps,
            uplink_max_bps=admission.uplink_max_bps or None,
        )
        verdict, advice = judge(self._facts(broadcast, log, health, playback))
        return replace(health, verdict=verdict, advice=advice)

    def _facts(self, broadcast: Broadcast, log: _Log, health: Health, playback: Playback) -> Facts:
        recording = broadcast.stream.recording
        codec = _NAMES.get((health.video_codec or "").partition(".")[0])
        return Facts(
            state=health.state,
            bitrate_bps=health.bitrate_bps,
            pace=_pace(log.totals),
            dropped_pct=health.dropped_pct,
            late_parts=health.late_parts,
            keyframe_interval_ms=health.keyframe_interval_ms if health.video_codec else 0,
            unusual_codec=codec,
            has_sound=health.audio_codec is not None,
            viewers=health.viewers,
            reporting=playback.reporting,
            stalling_pct=playback.stalling_pct,
            uplink_needed_bps=self._broadcasts.admission.uplink_needed_bps,
            uplink_max_bps=health.uplink_max_bps,
            all_viewers=self._broadcasts.viewers,
            trouble=recording.warning if recording is not None else None,
        )


def _span(totals: deque[_Totals], samples: int) -> tuple[_Totals, _Totals]:
    """The newest counters, and those of `samples` measurements before, or the oldest."""
    return totals[max(0, len(totals) - 1 - samples)], totals[-1]


def _rate_bps(totals: deque[_Totals], samples: int) -> int:
    before, now = _span(totals, samples)
    return (now.bytes_sent - before.bytes_sent) * 8000 // max(1, now.at_ms - before.at_ms)


def _fps(totals: deque[_Totals]) -> float:
    before, now = _span(totals, _RATE_SAMPLES)
    media_ms = now.media_ms - before.media_ms
    return round((now.frames - before.frames) * 1000 / media_ms, 1) if media_ms >= 500 else 0.0


def _dropped(totals: deque[_Totals]) -> tuple[int, int]:
    """Frames that are missing, and those that came."""
    before, now = _span(totals, _TROUBLE_SAMPLES)
    return now.missing - before.missing, now.frames - before.frames


def _pace(totals: deque[_Totals]) -> float | None:
    """Seconds of media in a second; None unless the stream was on air for the whole time."""
    recent = list(totals)[-_RATE_SAMPLES - 1 :]
    if len(recent) <= _RATE_SAMPLES or not all(one.on_air for one in recent):
        return None
    elapsed_ms = recent[-1].at_ms - recent[0].at_ms
    return (recent[-1].media_ms - recent[0].media_ms) / elapsed_ms if elapsed_ms else None


def _rounded(value: float | None) -> float | None:
    return round(value, 1) if value is not None else None
