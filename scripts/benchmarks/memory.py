"""Resident memory of one stream over a long time, in real time, beside nginx-rtmp's."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean, median, pstdev
from typing import Any

from benchmarks import clip, nginx
from benchmarks.processes import memory_folder, module
from benchmarks.report import Report, progress

_SAMPLE_S = 10
_FILL_S = 120
"""The window and what is retired behind it fill in this time; growth counts after it."""
_NOISE_MIN_MIB = 1.0


def add_options(group: Any) -> None:
    group.add_argument("--minutes", type=float, default=30, help="of streaming (%(default)s)")


def run(options: argparse.Namespace, folder: Path) -> Report:
    seconds = options.minutes * 60
    if seconds < _FILL_S + 6 * _SAMPLE_S:
        raise RuntimeError(f"at least {(_FILL_S + 6 * _SAMPLE_S) / 60:.0f} minutes are needed")
    path = folder / "clip.flv"
    clip.encode(path)
    log = folder / "log"
    samples: dict[str, list[tuple[float, float]]] = {"ours": [], "nginx-rtmp": []}
    with ExitStack() as stack:
        ours = stack.enter_context(module("engine_server", {"preset": "low"}, log=log))
        ports = ours.says(15)
        root = stack.enter_context(memory_folder())
        rival = nginx.start(folder / "nginx", root, fragment_s=2)
        stack.enter_context(rival.child)
        for port in (ports["rtmp"], rival.rtmp_port):
            sender_options = {
                "clip": str(path),
                "port": port,
                "keys": ["memory"],
                "chunk": 4096,
                "seconds": seconds + 60,
            }
            stack.enter_context(module("rtmp_sender", sender_options, log=log)).says(20)
        viewer_options = {"port": ports["http"], "channel": "memory"}
        viewer = stack.enter_context(module("viewer", viewer_options, log=log))
        began = time.monotonic()
        while (at := time.monotonic() - began) < seconds:
            for name, child in (("ours", ours), ("nginx-rtmp", rival.child)):
                samples[name].append((at, child.rss_bytes() / (1 << 20)))
            if len(samples["ours"]) % 6 == 1:
                progress(f"memory: minute {at / 60:.0f}, {samples['ours'][-1][1]:.0f} MiB")
            if not viewer.is_running:
                raise RuntimeError("the viewer ended: " + log.read_text()[-2000:])
            time.sleep(max(0.0, began + len(samples["ours"]) * _SAMPLE_S - time.monotonic()))

    report = Report(
        "memory",
        f"resident memory of one 6 Mb/s stream over {options.minutes:g} minutes, MiB",
        ("", "start", "after 2 min", "median", "end", "slope per hour", "noise"),
    )
    for name, series in samples.items():
        filled = [(at, mib) for at, mib in series if at >= _FILL_S]
        slope, noise = trend(filled)
        values = [mib for _, mib in filled]
        report.rows.append(
            (
                name,
                f"{series[0][1]:.1f}",
                f"{values[0]:.1f}",
                f"{median(values):.1f}",
                f"{values[-1]:.1f}",
                f"{slope * 3600:+.2f}",
                f"{noise:.2f}",
            )
        )
        if name == "ours":
            rise = slope * (filled[-1][0] - filled[0][0])
            allowed = max(_NOISE_MIN_MIB, 2 * noise)
            report.goals.append(
                (
                    f"flat: the fitted rise of {rise:+.2f} MiB is within the noise, {allowed:.2f}",
                    rise <= allowed,
                )
            )
    report.notes += [
        (
            "In real time, sampled each 10 s; slope by least squares after the first 2 minutes, in "
            "which the window fills; noise is the deviation from that line. One viewer follows our "
            "stream by blocking reloads all the while and reads every part."
        ),
        "nginx-rtmp keeps its window in files, which don't count as its memory.",
    ]
    return report


def trend(series: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope of the least-squares line, and the standard deviation from it."""
    middle_x = fmean(x for x, _ in series)
    middle_y = fmean(y for _, y in series)
    spread = sum((x - middle_x) ** 2 for x, _ in series)
    slope = sum((x - middle_x) * (y - middle_y) for x, y in series) / spread if spread else 0.0
    return slope, pstdev(y - middle_y - slope * (x - middle_x) for x, y in series)
