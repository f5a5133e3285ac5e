"""Instant playback from the encoder's clock to the screen, on the meter of `latency`: near and far,
with a network that isn't steady."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks import latency
from benchmarks.latency import Case, Figures
from benchmarks.report import Report, percentile, progress

_CASES = (
    Case("low", 0, way="instant"),
    Case("low", 100, way="instant", jitter_ms=30),
    Case("low", 200, way="instant", jitter_ms=30),
)
_LATENCY_MAX_MS = 450
_JOIN_MAX_MS = 500


def add_options(group: Any) -> None:
    group.add_argument("--instant-s", type=int, default=120, help="seconds measured (%(default)s)")
    group.add_argument("--instant-case", default="", help="only the rows with this in their name")


def run(options: argparse.Namespace, folder: Path) -> Report:
    page = folder / "page"
    shutil.copytree(Path(__file__).parent / "page", page)
    report = Report(
        "instant",
        "milliseconds from the encoder's clock to the screen with instant playback, in Chromium",
        ("", "p50", "p95", "stalls", "longest still", "join p50", "join worst", "first frame p50"),
    )
    watch = argparse.Namespace(**{**vars(options), "player": "site", "watch_s": options.instant_s})
    with sync_playwright() as playwright:
        for case in (case for case in _CASES if options.instant_case in case.text):
            progress(f"instant: {case.text}")
            _add(report, case, latency.measure(playwright, case, page, folder, watch))
    report.notes += [
        (
            "The meter, the encoder and the page are those of `latency`; the page plays instantly. "
            "Nothing is subtracted."
        ),
        (
            f"Every shown frame of {options.instant_s} s counts, from {options.settle_s} s after "
            "the first one on; stalls and the longest still count from the first frame on."
        ),
        (
            "Join: from the player's asking (it opens its WebSocket) to the first decoded frame. "
            f"First frame: from navigation start, with an empty cache. {options.loads} loads."
        ),
        (
            "RTT and its jitter are added by a proxy: every piece takes half the round trip and up "
            "to the jitter more or less, evenly spread, in each direction, and what follows a late "
            "piece waits for it. No loss, no limit on the rate."
        ),
    ]
    return report


def _add(report: Report, case: Case, figures: Figures) -> None:
    p50, p95 = (percentile(figures.latencies_ms, share) for share in (0.5, 0.95))
    join = median(figures.joins_ms)
    report.rows.append(
        (
            case.text,
            f"{p50:.0f}",
            f"{p95:.0f}",
            str(figures.stalls),
            f"{figures.gap_ms:.0f}",
            f"{join:.0f}",
            f"{max(figures.joins_ms):.0f}",
            f"{median(figures.firsts_ms):.0f}",
        )
    )
    allowed = _LATENCY_MAX_MS + case.rtt_ms
    report.goals += [
        (f"{case.text}: p95 at most {allowed} ms, is {p95:.0f}", p95 <= allowed),
        (f"{case.text}: no stall, had {figures.stalls}", figures.stalls == 0),
        (
            f"{case.text}: instant all along, was {', '.join(sorted(figures.ways))}",
            figures.ways == {"instant"},
        ),
    ]
    if case.rtt_ms == 0:
        report.goals.append(
            (f"{case.text}: join at most {_JOIN_MAX_MS} ms, is {join:.0f}", join <= _JOIN_MAX_MS)
        )
    for at_ms, took_ms, spare_s in figures.waits:
        took = "to the end" if took_ms is None else f"for {took_ms} ms"
        report.notes.append(
            f"{case.text}: `waiting` {took}, {at_ms / 1000:.1f} s after the first frame, with "
            f"{spare_s:.2f} s in the buffer."
        )
