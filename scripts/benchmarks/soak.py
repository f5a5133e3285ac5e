"""Three streams at once for as long as one likes, each rule of the playlists checked."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from benchmarks.report import Report
from tests.functional.site import Site
from tests.functional.soak import soak


def add_options(group: Any) -> None:
    group.add_argument("--soak-minutes", type=float, default=3.0, help="of media (%(default)s)")


def run(options: argparse.Namespace, folder: Path) -> Report:
    minutes = options.soak_minutes
    report = Report(
        "soak", f"three streams beside each other for {minutes:g} minutes", ("", "ours")
    )
    site = Site(folder / "storage")
    try:
        site.start()
        playbacks = asyncio.run(soak(site, folder, 60 * minutes))
    except AssertionError as broken:
        report.goals = [(f"no rule is broken: {broken}", False)]
        return report
    finally:
        site.stop()
    report.rows = [
        ("media played, minutes", f"{sum(one.media_s for one in playbacks) / 60:.1f}"),
        ("segments compared byte by byte", f"{sum(one.segments_compared for one in playbacks):,}"),
    ]
    report.goals = [("no rule is broken", True)]
    report.notes = [
        (
            "One stream with B-frames, one with a keyframe every 8 s, one whose encoder is lost "
            "twice; played as players do, and every playlist and segment judged."
        ),
    ]
    return report
