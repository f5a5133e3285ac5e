"""One busy chat: everybody sees every line, in order and soon, while a stream plays and some stop
reading.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import clip
from benchmarks.processes import Child, cores, module
from benchmarks.report import Report, progress

_CHANNEL = "bench"
_DELAY_P95_MS_MAX = 250
_GROWTH_MIB_MAX = 64
WRITERS_PER_RATE = 2
"""Writers for each line a second, so that nobody writes more often than a person may."""


def add_options(group: Any) -> None:
    group.add_argument("--sockets", type=int, default=2000, help="who read (%(default)s)")
    group.add_argument("--deaf", type=int, default=100, help="more who stop (%(default)s)")
    group.add_argument("--lines", type=float, default=20, help="a second (%(default)s)")
    group.add_argument("--chat-seconds", type=float, default=60, help="of it (%(default)s)")
    group.add_argument("--no-video", action="store_true", help="chat alone")


class Memory(threading.Thread):
    """The server's resident memory, each half second."""

    def __init__(self, server: Child) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._ended = threading.Event()
        self.before = server.rss_bytes()
        self.most = self.before

    def run(self) -> None:
        while not self._ended.wait(0.5):
            self.most = max(self.most, self._server.rss_bytes())

    def end(self) -> None:
        self._ended.set()
        self.join()


def run(options: argparse.Namespace, folder: Path) -> Report:
    server_core, client_core = cores()
    log = folder / "log"
    (folder / "storage").mkdir()
    with ExitStack() as stack:
        site_options = {
            "preset": "low",
            "storage": str(folder / "storage"),
            "channel": _CHANNEL,
            "tickets": int(options.lines * WRITERS_PER_RATE),
            "chat": {"connections_per_address_max": 20_000, "connections_max": 20_000},
        }
        site = module("site_server", site_options, cpu=server_core, log=log)
        server = stack.enter_context(site)
        ports = server.says(60)
        viewer = None
        if not options.no_video:
            viewer = _play(stack, ports, client_core, options.chat_seconds, folder, log)
        before = server.rss_bytes()
        clients_options = {
            "port": ports["http"],
            "channel": _CHANNEL,
            "clients": options.sockets,
            "deaf": options.deaf,
            "tickets": ports["tickets"],
            "rate": options.lines,
            "seconds": options.chat_seconds,
        }
        clients = module("chat_clients", clients_options, cpu=client_core, log=log)
        stack.enter_context(clients)
        joined_s = clients.says(150)["joined"]
        progress(f"chat: all are in after {joined_s:.1f} s")
        memory = Memory(server)
        memory.start()
        cpu, began = server.cpu_s(), time.monotonic()
        result = clients.says(options.chat_seconds + 60)
        load = (server.cpu_s() - cpu) / (time.monotonic() - began)
        memory.end()
        stalls = None if viewer is None else _stalls(viewer)
    return _report(options, result, joined_s, load, memory, before, stalls)


def _play(
    stack: ExitStack, ports: dict[str, Any], core: int, seconds: float, folder: Path, log: Path
) -> Child:
    """A live stream, and a reader that says at its end how often it stood still."""
    path = folder / "clip.flv"
    clip.encode(path, kbps=3000)
    sender = {
        "clip": str(path),
        "port": ports["rtmp"],
        "keys": [ports["key"]],
        "chunk": 4096,
        "seconds": seconds + 240,
    }
    stack.enter_context(module("rtmp_sender", sender, cpu=core, log=log)).says(20)
    viewer = module(
        "viewer", {"port": ports["http"], "channel": _CHANNEL, "report": True}, cpu=core, log=log
    )
    return stack.enter_context(viewer)


def _stalls(viewer: Child) -> dict[str, Any]:
    viewer.interrupt()
    said: dict[str, Any] = viewer.says(10)
    return said


def _report(
    options: argparse.Namespace,
    result: dict[str, Any],
    joined_s: float,
    load: float,
    memory: Memory,
    before: int,
    stalls: dict[str, Any] | None,
) -> Report:
    delays = result["delays_ms"]
    p95 = percentile_ms(delays, 0.95)
    mib = 1 << 20
    report = Report(
        "chat",
        f"one room of {options.sockets} people, {options.lines:g} lines a second for "
        f"{options.chat_seconds:g} s",
        ("", "ours"),
    )
    people = result["clients"]
    grown = (memory.most - memory.before) / mib
    report.rows = [
        ("lines written", f"{result['written']}"),
        ("delivery p50, ms", f"{percentile_ms(delays, 0.5)}"),
        ("delivery p95, ms", f"{p95}"),
        ("delivery p99, ms", f"{percentile_ms(delays, 0.99)}"),
        ("delivery, worst, ms", f"{delays[-1][0] if delays else '-'}"),
        ("all in after, s", f"{joined_s:.1f}"),
        ("server's core, %", f"{load * 100:.0f}"),
        ("clients' core, %", f"{result['cpu'] * 100:.0f}"),
        ("memory before anybody came, MiB", f"{before / mib:.0f}"),
        ("memory with all in, MiB", f"{memory.before / mib:.0f}"),
        ("memory at most, MiB", f"{memory.most / mib:.0f}"),
    ]
    report.goals = [
        (
            f"every line seen once and in order by all: {result['complete']} of {people}",
            result["complete"] == people and result["written"] > 0,
        ),
        (f"p95 of delivery at most {_DELAY_P95_MS_MAX} ms, is {p95}", p95 <= _DELAY_P95_MS_MAX),
        (
            f"those who stopped reading were cut: {result['deaf_dropped']} of {options.deaf}",
            result["deaf_dropped"] == options.deaf,
        ),
        (
            f"memory grew by {grown:.0f} MiB meanwhile, at most {_GROWTH_MIB_MAX}",
            grown <= _GROWTH_MIB_MAX,
        ),
    ]
    if stalls is not None:
        report.rows.append(("parts of video read meanwhile", f"{stalls['parts']}"))
        report.rows.append(("latest part, ms after the earliest", f"{stalls['late_ms']}"))
        report.goals.append(
            (f"no stall of the video, had {stalls['stalls']}", not stalls["stalls"])
        )
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        report.notes.append("Server and clients ran with real-time priority: others were at work.")
    if result["refused"]:
        report.notes.append(f"Lines refused: {result['refused']}.")
    report.notes.append(
        "The server on one core; clients, encoder and viewer share the other. Delivery runs from "
        "the call that sends a line to its receipt by each client, the batch of 100 ms and the "
        "commit included. Clients are Python on raw sockets, and their time counts into the figure."
    )
    return report


def percentile_ms(histogram: Sequence[Sequence[int]], share: float) -> int:
    """Of (ms, count) in order."""
    left = share * sum(count for _, count in histogram)
    for ms, count in histogram:
        left -= count
        if left <= 0:
            return ms
    return -1
