"""CPU of one 6 Mb/s stream: our whole ingest and packaging, nginx-rtmp writing HLS, and stock
pyrtmp parsing alone."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import clip, nginx
from benchmarks.processes import Child, memory_folder, module
from benchmarks.report import Report, progress, ratio

_CHUNKS = (4096, 128)
_WARM_S = 8.0
"""Publishers are accepted, the first group of pictures is in, the first thumbnail is made."""


def add_options(group: Any) -> None:
    group.add_argument("--streams", type=int, default=6, help="streams at once (%(default)s)")
    group.add_argument("--ingest-s", type=int, default=20, help="seconds a run (%(default)s)")
    group.add_argument("--ingest-runs", type=int, default=3, help="runs of each (%(default)s)")


def run(options: argparse.Namespace, folder: Path) -> Report:
    progress("ingest: encoding the stream")
    path = folder / "clip.flv"
    clip.encode(path)
    bytes_per_s = sum(len(tag.body) for tag in clip.read(path)[1]) * 1000 / clip.LOOP_MS
    figures: dict[tuple[str, int], list[float]] = {}
    for number in range(options.ingest_runs):
        for chunk in _CHUNKS:
            progress(f"ingest: run {number + 1} of {options.ingest_runs}, chunks of {chunk}")
            for side in ("ours", "nginx"):
                server, family = _serve(side, path, chunk, options, folder)
                figures.setdefault((side, chunk), []).append(server)
                figures.setdefault((f"{side}+", chunk), []).append(family)
            for parser, seconds in (("stock", 4 if chunk == 128 else 8), ("parser", 8)):
                cpu_s = _parse(parser, path, chunk, seconds)
                figures.setdefault((parser, chunk), []).append(cpu_s)

    report = Report(
        "ingest",
        f"CPU seconds per minute of a {bytes_per_s * 8e-6:.1f} Mb/s 720p30 stream with AAC",
        ("", *(f"{chunk}-byte chunks" for chunk in _CHUNKS)),
    )
    mid = {key: median(values) for key, values in figures.items()}

    def row(text: str, side: str) -> None:
        report.rows.append((text, *(f"{mid[side, chunk]:.2f}" for chunk in _CHUNKS)))

    row("ours: ingest, packaging, playlists", "ours")
    row("ours, with the thumbnail process", "ours+")
    row("ours: parsing to frames alone", "parser")
    row("pyrtmp 0.3.1: parsing to messages alone", "stock")
    row("nginx-rtmp: ingest, HLS as TS files in memory", "nginx")
    for rival, name in (("stock", "stock pyrtmp"), ("nginx", "nginx-rtmp")):
        report.rows.append(
            (
                f"ours / {name}",
                *(ratio(mid["ours", chunk], mid[rival, chunk]) for chunk in _CHUNKS),
            )
        )
    for chunk in _CHUNKS:
        share = mid["ours", chunk] / mid["stock", chunk]
        report.goals.append(
            (
                f"{chunk}-byte chunks: at most 0.10 of stock pyrtmp's parsing, is {share:.2f}",
                share <= 0.1,
            )
        )
    minutes = options.streams * options.ingest_s / 60
    report.notes += [
        (
            f"Servers: {options.streams} streams at real pace for {options.ingest_s} s "
            f"({minutes:.1f} stream minutes) after {_WARM_S:.0f} s of warming up; user and system "
            f"time of the server process; median of {options.ingest_runs} runs, sides in turn."
        ),
        (
            "Parsers: an excerpt of the same bytes from memory, without a socket, and scaled. "
            "pyrtmp's messages keep their FLV tags unparsed; our figure includes the tags."
        ),
        "nginx-rtmp writes 2 s TS fragments; the folder is in memory (tmpfs) where there is one.",
    ]
    return report


def _serve(
    side: str, path: Path, chunk: int, options: argparse.Namespace, folder: Path
) -> tuple[float, float]:
    """CPU seconds per stream minute: of the server, and with its child processes."""
    log = folder / f"{side}.log"
    if side == "ours":
        with module("engine_server", {"preset": "low"}, log=log) as server:
            return _measure(server, server.says(15)["rtmp"], path, chunk, options, log)
    with memory_folder() as root:
        rival = nginx.start(folder / "nginx", root, fragment_s=2)
        with rival.child as server:
            return _measure(server, rival.rtmp_port, path, chunk, options, log)


def _measure(
    server: Child, port: int, path: Path, chunk: int, options: argparse.Namespace, log: Path
) -> tuple[float, float]:
    sender_options = {
        "clip": str(path),
        "port": port,
        "keys": [f"s{number}" for number in range(options.streams)],
        "chunk": chunk,
        "seconds": _WARM_S + options.ingest_s + 5,
    }
    with module("rtmp_sender", sender_options, log=log) as sender:
        sender.says(20)
        time.sleep(_WARM_S)
        began, cpu_s, family_s = time.monotonic(), server.cpu_s(), server.family_cpu_s()
        time.sleep(options.ingest_s)
        took = time.monotonic() - began
        cpu_s, family_s = server.cpu_s() - cpu_s, server.family_cpu_s() - family_s
        if not sender.is_running:
            raise RuntimeError("the sender ended early: " + log.read_text()[-2000:])
    minutes = options.streams * took / 60
    return cpu_s / minutes, family_s / minutes


def _parse(parser: str, path: Path, chunk: int, seconds: float) -> float:
    name = "stock" if parser == "stock" else "ours"
    options = {"parser": name, "clip": str(path), "chunk": chunk, "seconds": seconds}
    with module("parsers", options) as child:
        return float(child.says(120)["cpu_s"]) * 60 / seconds
