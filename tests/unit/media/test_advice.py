"""The table of advice: which facts lead to which sentence, and which sentence wins."""

from __future__ import annotations

from typing import Any

import pytest

from mediaserver.media.advice import Facts, judge

GOOD: dict[str, Any] = {
    "state": "live",
    "bitrate_bps": 6_200_000,
    "pace": 1.0,
    "dropped_pct": 0.0,
    "keyframe_interval_ms": 2_000,
    "viewers": 25,
    "reporting": 20,
    "stalling_pct": 0.0,
    "uplink_needed_bps": 5_000_000,
    "uplink_max_bps": 125_000_000,
    "all_viewers": 25,
}

TABLE: list[tuple[dict[str, Any], str, str | None]] = [
    ({}, "good", None),
    ({"state": "held"}, "good", None),
    ({"pace": None, "dropped_pct": None, "stalling_pct": None}, "good", None),
    ({"state": "starting"}, "idle", None),
    ({"state": "ended", "pace": 0.0}, "idle", None),
    (
        {"state": "reconnecting", "pace": 0.2},
        "bad",
        "Your encoder has dropped, and viewers wait for it: check its connection to this server.",
    ),
    (
        {"pace": 0.794},
        "bad",
        (
            "Your encoder falls behind: 7.9 s of picture came in 10 s. "
            "Lower its bitrate, or use a cable instead of Wi-Fi."
        ),
    ),
    ({"pace": 0.85}, "good", None),
    (
        {"uplink_needed_bps": 125_000_000},
        "bad",
        (
            "Your uplink is full: 25 viewers need 125.0 Mb/s of 125.0 Mb/s. "
            "Lower the bitrate to let more in."
        ),
    ),
    (
        {"uplink_needed_bps": 7_000_000, "uplink_max_bps": 7_000_000, "all_viewers": 1},
        "bad",
        (
            "Your uplink is full: 1 viewer needs 7.0 Mb/s of 7.0 Mb/s. "
            "Lower the bitrate to let more in."
        ),
    ),
    ({"uplink_needed_bps": 900_000_000, "uplink_max_bps": None}, "good", None),
    (
        {"dropped_pct": 4.2},
        "warn",
        "Your encoder drops 4 % of its frames: lower its output resolution or bitrate.",
    ),
    (
        {"dropped_pct": 12.0},
        "bad",
        "Your encoder drops 12 % of its frames: lower its output resolution or bitrate.",
    ),
    ({"dropped_pct": 0.9}, "good", None),
    (
        {"late_parts": 3},
        "warn",
        (
            "The picture comes in bursts: 3 times in half a minute it was late. "
            "Use a cable instead of Wi-Fi, or lower the bitrate."
        ),
    ),
    ({"late_parts": 2}, "good", None),
    (
        {"keyframe_interval_ms": 8_300},
        "warn",
        (
            "Keyframes come every 8.3 s, so viewers wait long to join: "
            "set 2 s in OBS under Settings, Output."
        ),
    ),
    (
        {"keyframe_interval_ms": 12_000},
        "bad",
        (
            "Keyframes come every 12.0 s, so viewers wait long to join: "
            "set 2 s in OBS under Settings, Output."
        ),
    ),
    ({"keyframe_interval_ms": 4_500}, "good", None),
    (
        {"stalling_pct": 12.0},
        "warn",
        (
            "12 % of viewers stall while the others don't: their links are too slow for 6.2 Mb/s. "
            "Lower the bitrate."
        ),
    ),
    ({"stalling_pct": 4.9}, "good", None),
    (
        {"stalling_pct": 70.0},
        "bad",
        (
            "70 % of viewers stall: this server's upload may be too slow for 25 viewers at "
            "6.2 Mb/s. Lower the bitrate."
        ),
    ),
    (
        {"stalling_pct": 100.0, "reporting": 2, "viewers": 2},
        "warn",
        "Your viewers stall: 6.2 Mb/s may be too much for them. Lower the bitrate.",
    ),
    (
        {"stalling_pct": 100.0, "reporting": 1, "viewers": 1},
        "warn",
        "Your only viewer stalls: their link may be too slow for 6.2 Mb/s. Lower the bitrate.",
    ),
    (
        {"unusual_codec": "HEVC"},
        "warn",
        "HEVC doesn't play in every browser: set H.264 in OBS under Settings, Output.",
    ),
    ({"trouble": "Viewers can't rewind."}, "warn", "Viewers can't rewind."),
    (
        {"has_sound": False},
        "good",
        "No sound comes from your encoder: check its audio tracks if there should be.",
    ),
]


@pytest.mark.parametrize(("changed", "verdict", "advice"), TABLE)
def test_advice(changed: dict[str, Any], verdict: str, advice: str | None) -> None:
    assert judge(Facts(**{**GOOD, **changed})) == (verdict, advice)


IN_ORDER: list[tuple[dict[str, Any], str]] = [
    ({"pace": 0.5}, "Your encoder falls behind"),
    ({"uplink_needed_bps": 125_000_000}, "Your uplink is full"),
    ({"dropped_pct": 6.0}, "Your encoder drops"),
    ({"late_parts": 9}, "The picture comes in bursts"),
    ({"keyframe_interval_ms": 9_000}, "Keyframes come every"),
    ({"stalling_pct": 20.0}, "20 % of viewers stall"),
    ({"unusual_codec": "AV1"}, "AV1 doesn't play"),
    ({"trouble": "Viewers can't rewind."}, "Viewers can't rewind"),
    ({"has_sound": False}, "No sound"),
]


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_the_most_important_comes_first(first: int) -> None:
    facts = dict(GOOD)
    for changed, _ in IN_ORDER[first:]:
        facts |= changed
    advice = judge(Facts(**facts))[1]
    assert advice is not None
    assert advice.startswith(IN_ORDER[first][1])
