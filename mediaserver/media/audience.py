"""What the viewers of one stream say of their own playback, summed up.

Each player reports every ten seconds (over Socket.IO, or by CMCD with its requests). Reports are
hearsay: every value is bounded, and no single viewer can move more than their own share.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock

Way = Literal["instant", "hls", "dvr"]

_FIRST_REPORT_MS = 10_000
"""What a viewer's first report stands for."""


@dataclass(frozen=True, slots=True)
class ViewerReport:
    """One player's last ten seconds. `latency_ms` is from the encoder to the screen, `stalls` and
    `dropped_frames` count since the report before; None is what a player doesn't know."""

    way: Way
    latency_ms: int | None = None
    stalls: int = 0
    bandwidth_bps: int | None = None
    dropped_frames: int | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Playback:
    """All viewers who reported lately. Latencies are of those at the live moment; None without
    any. `stalls_per_hour` is for one viewer."""

    reporting: int = 0
    latency_p50_ms: int | None = None
    latency_p95_ms: int | None = None
    stalls_per_hour: float | None = None
    stalling: int = 0

    @property
    def stalling_pct(self) -> float | None:
        return 100 * self.stalling / self.reporting if self.reporting else None


@dataclass(slots=True)
class _Heard:
    report: ViewerReport
    at_ms: int
    stalled_at_ms: int | None


@dataclass(slots=True)
class _Span:
    """Ten seconds of everybody's watching."""

    until_ms: int
    watched_ms: int = 0
    stalls: int = 0


class Audience:
    """The reports of one stream's viewers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

        self._heard: dict[str, _Heard] = {}
        self._spans: deque[_Span] = deque()

    def report(self, viewer: str, report: ViewerReport) -> None:
        """`viewer` is any stable key of theirs. Beyond the bound, newcomers are not asked."""
        now_ms = self._clock.monotonic_ms()
        before = self._heard.pop(viewer, None)
        if before is None and len(self._heard) >= limits.REPORTING_VIEWERS_MAX:
            return
        stalls = min(max(0, report.stalls), limits.REPORTED_STALLS_MAX)
        stalled_at_ms = now_ms if stalls else before.stalled_at_ms if before else None
        self._heard[viewer] = _Heard(report, now_ms, stalled_at_ms)  # in order of last report
        span = self._span(now_ms)
        span.stalls += stalls
        span.watched_ms += now_ms - before.at_ms if before else _FIRST_REPORT_MS

    def _span(self, now_ms: int) -> _Span:
        while self._spans and self._spans[0].until_ms + limits.STALLS_WINDOW_S * 1000 <= now_ms:
            self._spans.popleft()
        if not self._spans or self._spans[-1].until_ms <= now_ms:
            self._spans.append(_Span(now_ms + _FIRST_REPORT_MS))
        return self._spans[-1]

    def playback(self) -> Playback:
        """How it goes right now."""
        now_ms = self._clock.monotonic_ms()
        oldest_ms = now_ms - int(limits.REPORT_KEEP_S * 1000)
        while self._heard and (first := next(iter(self._heard.items())))[1].at_ms < oldest_ms:
            del self._heard[first[0]]
        if not self._heard:
            return Playback()
        delays = sorted(
            heard.report.latency_ms
            for heard in self._heard.values()
            if heard.report.way != "dvr"
            and heard.report.latency_ms is not None
            and 0 <= heard.report.latency_ms <= limits.REPORTED_LATENCY_MS_MAX
        )
        self._span(now_ms)
        watched_ms = sum(span.watched_ms for span in self._spans)
        stalls = sum(span.stalls for span in self._spans)
        recent_ms = now_ms - int(limits.STALLED_LATELY_S * 1000)
        return Playback(
            reporting=len(self._heard),
            latency_p50_ms=delays[len(delays) // 2] if delays else None,
            latency_p95_ms=delays[len(delays) * 95 // 100] if delays else None,
            stalls_per_hour=stalls * 3_600_000 / watched_ms if watched_ms else None,
            stalling=sum(
                heard.stalled_at_ms is not None and heard.stalled_at_ms > recent_ms
                for heard in self._heard.values()
            ),
        )
