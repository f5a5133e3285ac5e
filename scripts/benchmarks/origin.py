"""Playlists and parts a second on one core, beside nginx with the same bytes as files, and how
long 1,000 blocked viewers take to hear of a new part."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import nginx
from benchmarks.processes import cores, memory_folder, module
from benchmarks.report import Report, percentile, progress, ratio

_PART_BYTES = 375_000
_CONNECTIONS = 64
_WAKE_MAX_MS = 100


def add_options(group: Any) -> None:
    group.add_argument("--load-s", type=int, default=6, help="seconds a load (%(default)s)")
    group.add_argument("--load-runs", type=int, default=3, help="loads of each (%(default)s)")
    group.add_argument("--viewers", type=int, default=1000, help="that wait (%(default)s)")
    group.add_argument("--rounds", type=int, default=30, help="parts published (%(default)s)")


def run(options: argparse.Namespace, folder: Path) -> Report:
    if shutil.which("wrk") is None:
        raise RuntimeError("install wrk for the load")
    server_core, client_core = cores()
    log = folder / "log"
    with memory_folder() as root:
        ours_options = {"part_bytes": _PART_BYTES, "folder": str(root)}
        with module("origin_server", ours_options, cpu=server_core, log=log) as ours:
            ready = ours.says(15)
            rival = nginx.start(folder / "nginx", root, cpu=server_core)
            with rival.child:
                servers = {"ours": ours, "nginx": rival.child}
                bases = {
                    "ours": f"http://127.0.0.1:{ready['http']}{ready['base']}",
                    "nginx": f"http://127.0.0.1:{rival.http_port}",
                }
                rates: dict[tuple[str, str], list[float]] = {}
                kinds = {
                    "playlists per CPU second": ("media.m3u8", ""),
                    "playlists per CPU second, gzip": ("media.m3u8", "gzip"),
                    "parts per CPU second": (ready["part"], ""),
                }
                for number in range(options.load_runs):
                    progress(f"origin: load {number + 1} of {options.load_runs}")
                    for kind, (name, encoding) in kinds.items():
                        for side, base in bases.items():
                            before_s = servers[side].cpu_s()
                            rate = _load(f"{base}/{name}", encoding, options.load_s, client_core)
                            rate *= options.load_s / (servers[side].cpu_s() - before_s)
                            rates.setdefault((side, kind), []).append(rate)
            playlist_bytes = (root / "media.m3u8").stat().st_size
            progress(f"origin: {options.viewers} blocked viewers")
            viewers_options = {
                "port": ready["http"],
                "base": ready["base"],
                "viewers": options.viewers,
                "rounds": options.rounds,
            }
            with module("waiting_viewers", viewers_options, cpu=client_core, log=log) as viewers:
                rounds = viewers.says(60 + 5 * options.rounds)["rounds"]

    report = Report(
        "origin",
        "delivery from one core",
        ("", "ours", "nginx, static files", "ours / nginx"),
    )
    for kind in kinds:
        mine, theirs = median(rates["ours", kind]), median(rates["nginx", kind])
        report.rows.append((kind, f"{mine:,.0f}", f"{theirs:,.0f}", ratio(mine, theirs)))
    mine, theirs = (
        median(rates[side, "parts per CPU second"]) * _PART_BYTES / 1e9 for side in bases
    )
    report.rows.append(
        ("parts, GB per CPU second", f"{mine:.2f}", f"{theirs:.2f}", ratio(mine, theirs))
    )
    in_rounds_ms = [[1000 * seconds for seconds in one] for one in rounds]
    p95 = median(percentile(one, 0.95) for one in in_rounds_ms)
    everyone_ms = [ms for one in in_rounds_ms for ms in one]
    for text, value in (
        ("p50 of a part", median(percentile(one, 0.5) for one in in_rounds_ms)),
        ("p95 of a part", p95),
        ("last viewer of a part", median(max(one) for one in in_rounds_ms)),
        ("p95 over all parts", percentile(everyone_ms, 0.95)),
    ):
        report.rows.append(
            (f"wake-up of {options.viewers:,}: {text}, ms", f"{value:.0f}", "-", "-")
        )
    report.goals.append(
        (
            (
                f"{options.viewers:,} blocked viewers: p95 of a part at most {_WAKE_MAX_MS} ms, "
                f"is {p95:.0f}"
            ),
            p95 <= _WAKE_MAX_MS,
        )
    )
    report.notes += [
        (
            f"Server on core {server_core}, client on core {client_core}; wrk with {_CONNECTIONS} "
            f"connections for {options.load_s} s, median of {options.load_runs}, sides in turn. A "
            "CPU second is one of the server process, user and system: what one core gives when "
            "nothing else wants it. "
            f"Playlist of {playlist_bytes:,} bytes, part of {_PART_BYTES:,} (0.5 s at 6 Mb/s). "
            "nginx sends files from memory (tmpfs) and knows no blocking reload."
        ),
        (
            f"Wake-up: medians of {options.rounds} parts; from the call of publish() to each "
            "viewer's complete answer at the client, which is Python on raw sockets and counts "
            "into the figure."
        ),
    ]
    return report


def _load(url: str, encoding: str, seconds: int, core: int) -> float:
    """Requests a second. Raises `RuntimeError` when not every answer is a 200."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s"]
    if encoding:
        command += ["-H", f"Accept-Encoding: {encoding}"]
    made = subprocess.run(
        [*command, url], check=True, capture_output=True, text=True, timeout=seconds + 30
    )
    rate = re.search(r"Requests/sec:\s*([\d.]+)", made.stdout)
    if rate is None or "Non-2xx" in made.stdout:
        raise RuntimeError(made.stdout)
    return float(rate.group(1))
