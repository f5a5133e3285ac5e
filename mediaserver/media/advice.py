"""Measured facts of a stream → a verdict and one sentence of advice: the most important one.

Pure. Every sentence names what was measured and the one thing to do about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "warn", "bad", "idle"]

_KEYFRAMES_FAR_MS = 4_500
_KEYFRAMES_TOO_FAR_MS = 10_000
_BEHIND = 0.85
_DROPS_PCT = 1.0
_DROPS_BAD_PCT = 5.0
_STALLS_PCT = 5.0
_UPLINK_FULL = 0.95
_LATE_PARTS = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What was measured, over the last 10 to 30 s. None is what isn't known (yet)."""

    state: str
    bitrate_bps: int = 0
    pace: float | None = None
    """Seconds of media that came in a second."""

    dropped_pct: float | None = None
    late_parts: int = 0
    keyframe_interval_ms: int = 0
    unusual_codec: str | None = None
    """The name of a video codec that not every browser plays."""

    has_sound: bool = True
    viewers: int = 0
    reporting: int = 0
    stalling_pct: float | None = None
    """Of those reporting."""

    uplink_needed_bps: int = 0
    uplink_max_bps: int | None = None
    all_viewers: int = 0
    trouble: str | None = None
    """A sentence of the broadcast's own, such as that rewinding has stopped."""


Advice = tuple[Verdict, str]


def judge(facts: Facts) -> tuple[Verdict, str | None]:
    """The first rule that applies; "good" and nothing to say when none does."""
    if facts.state == "reconnecting":
        return "bad", (
            "Your encoder has dropped, and viewers wait for it: "
            "check its connection to this server."
        )
    if facts.state not in ("live", "held"):
        return "idle", None
    for rule in _RULES:
        advice = rule(facts)
        if advice is not None:
            return advice
    return "good", None


def _falls_behind(facts: Facts) -> Advice | None:
    if facts.pace is None or facts.pace >= _BEHIND:
        return None
    return "bad", (
        f"Your encoder falls behind: {facts.pace * 10:.1f} s of picture came in 10 s. "
        "Lower its bitrate, or use a cable instead of Wi-Fi."
    )


def _uplink_is_full(facts: Facts) -> Advice | None:
    most = facts.uplink_max_bps
    if not most or facts.uplink_needed_bps < most * _UPLINK_FULL:
        return None
    return "bad", (
        f"Your uplink is full: {_viewers(facts.all_viewers)} "
        f"{_mbps(facts.uplink_needed_bps)} of {_mbps(most)}. Lower the bitrate to let more in."
    )


def _most_stall(facts: Facts) -> Advice | None:
    if facts.stalling_pct is None or facts.stalling_pct <= 50 or facts.reporting < 3:
        return None
    return "bad", (
        f"{facts.stalling_pct:.0f} % of viewers stall: this server's upload may be too slow for "
        f"{facts.viewers} viewers at {_mbps(facts.bitrate_bps)}. Lower the bitrate."
    )


def _drops_frames(facts: Facts) -> Advice | None:
    if facts.dropped_pct is None or facts.dropped_pct < _DROPS_PCT:
        return None
    verdict: Verdict = "bad" if facts.dropped_pct >= _DROPS_BAD_PCT else "warn"
    return verdict, (
        f"Your encoder drops {facts.dropped_pct:.0f} % of its frames: "
        "lower its output resolution or bitrate."
    )


def _comes_in_bursts(facts: Facts) -> Advice | None:
    if facts.late_parts < _LATE_PARTS:
        return None
    return "warn", (
        f"The picture comes in bursts: {facts.late_parts} times in half a minute it was late. "
        "Use a cable instead of Wi-Fi, or lower the bitrate."
    )


def _keyframes_are_far_apart(facts: Facts) -> Advice | None:
    if facts.keyframe_interval_ms <= _KEYFRAMES_FAR_MS:
        return None
    verdict: Verdict = "bad" if facts.keyframe_interval_ms > _KEYFRAMES_TOO_FAR_MS else "warn"
    return verdict, (
        f"Keyframes come every {facts.keyframe_interval_ms / 1000:.1f} s, so viewers wait long to "
        "join: set 2 s in OBS under Settings, Output."
    )


def _some_stall(facts: Facts) -> Advice | None:
    if facts.stalling_pct is None or facts.stalling_pct < _STALLS_PCT:
        return None
    rate = _mbps(facts.bitrate_bps)
    if facts.reporting == 1:
        return "warn", (
            f"Your only viewer stalls: their link may be too slow for {rate}. Lower the bitrate."
        )
    if facts.stalling_pct > 50:
        return "warn", f"Your viewers stall: {rate} may be too much for them. Lower the bitrate."
    return "warn", (
        f"{facts.stalling_pct:.0f} % of viewers stall while the others don't: their links are too "
        f"slow for {rate}. Lower the bitrate."
    )


def _plays_not_everywhere(facts: Facts) -> Advice | None:
    if facts.unusual_codec is None:
        return None
    return "warn", (
        f"{facts.unusual_codec} doesn't play in every browser: set H.264 in OBS under Settings, "
        "Output."
    )


def _has_trouble(facts: Facts) -> Advice | None:
    return ("warn", facts.trouble) if facts.trouble else None


def _is_silent(facts: Facts) -> Advice | None:
    if facts.has_sound:
        return None
    return "good", "No sound comes from your encoder: check its audio tracks if there should be."


_RULES: tuple[Callable[[Facts], Advice | None], ...] = (
    _falls_behind,
    _uplink_is_full,
    _most_stall,
    _drops_frames,
    _comes_in_bursts,
    _keyframes_are_far_apart,
    _some_stall,
    _plays_not_everywhere,
    _has_trouble,
    _is_silent,
)
"""Most important first: what everybody suffers from, then what some do, then hints."""


def _mbps(bps: int) -> str:
    return f"{bps / 1_000_000:.1f} Mb/s"


def _viewers(count: int) -> str:
    return "1 viewer needs" if count == 1 else f"{count} viewers need"
