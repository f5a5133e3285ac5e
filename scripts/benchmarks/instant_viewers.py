"""Many viewers of one stream with instant playback, from one core, some of whom stop reading, and
all of whom are in its chat.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import clip
from benchmarks.chat import WRITERS_PER_RATE, percentile_ms
from benchmarks.processes import Child, cores, module
from benchmarks.report import Report, progress

_CHANNEL = "bench"
_KBPS = 3000
_GROWTH_MIB_MAX = 64
_DELAY_P95_MS_MAX = 100
_CHAT_P95_MS_MAX = 250
_JOINING_S = 5
_MIB = 1024 * 1024


def add_options(group: Any) -> None:
    group.add_argument("--instant-viewers", type=int, default=300, help="who read (%(default)s)")
    group.add_argument("--instant-deaf", type=int, default=10, help="more who stop (%(default)s)")
    group.add_argument("--instant-watch-s", type=int, default=60, help="seconds (%(default)s)")
    group.add_argument("--instant-lines", type=float, default=20, help="of chat a second, 0: none")


def run(options: argparse.Namespace, folder: Path) -> Report:
    server_core, client_core = cores()
    source = folder / "clip.flv"
    progress("instant-viewers: encoding the clip")
    clip.encode(source, kbps=_KBPS - 128)
    log = folder / "log"
    viewers, deaf, watch_s = options.instant_viewers, options.instant_deaf, options.instant_watch_s
    lines = options.instant_lines
    with ExitStack() as stack:
        server_options = {
            "preset": "low",
            "storage": tempfile.mkdtemp(dir=folder),
            "channel": _CHANNEL,
            "instant_viewers_max": viewers + deaf,
            "tickets": int(lines * WRITERS_PER_RATE),
            "chat": {"connections_per_address_max": 20_000},
        }
        server = stack.enter_context(
            module("site_server", server_options, cpu=server_core, log=log)
        )
        ready = server.says(60)
        sender_options = {
            "clip": str(source),
            "port": ready["rtmp"],
            "keys": [ready["key"]],
            "chunk": 4096,
            "seconds": 60 + 3 * watch_s,
        }
        sender = module("rtmp_sender", sender_options, cpu=client_core, log=log)
        stack.enter_context(sender).says(60)
        time.sleep(8)
        alone = _cpu_share(server, 5)
        chat = _people(stack, ready, viewers, lines, watch_s, client_core, log) if lines else None
        before = server.rss_bytes()
        progress(f"instant-viewers: {viewers} viewers, {deaf} of whom stop reading")
        client_options = {
            "port": ready["http"],
            "path": f"/live/{_CHANNEL}/instant",
            "viewers": viewers,
            "deaf": deaf,
            "seconds": watch_s,
        }
        client = stack.enter_context(
            module("instant_clients", client_options, cpu=client_core, log=log)
        )
        client.says(60)
        share = _cpu_share(server, watch_s / 2)
        most = server.rss_bytes()
        heard = client.says(watch_s + 60)
        most = max(most, server.rss_bytes())
        read = chat.says(watch_s + 60) if chat is not None else None
    growth = (most - before) / _MIB
    report = Report(
        "instant-viewers",
        f"{viewers} viewers of {_KBPS / 1000:.0f} Mb/s with instant playback, on one core"
        + (", while they chat" if lines else ""),
        ("", "figure"),
    )
    report.rows += [
        ("server CPU without viewers, share of a core", f"{alone:.2f}"),
        ("server CPU with them, share of a core", f"{share:.2f}"),
        ("delivered, Mb/s", f"{heard['bytes'] * 8 / 1e6 / heard['seconds']:.0f}"),
        ("messages a second", f"{heard['messages'] / heard['seconds']:.0f}"),
        ("delivery p50, ms", f"{heard['p50_ms']:.1f}"),
        ("delivery p95, ms", f"{heard['p95_ms']:.1f}"),
        ("delivery p99, ms", f"{heard['p99_ms']:.1f}"),
        ("messages missed by those who read", str(heard["missed"])),
        ("server memory before, MiB", f"{before / _MIB:.0f}"),
        ("server memory at most, MiB", f"{most / _MIB:.0f}"),
        ("who stopped reading, sent away", f"{heard['sent_away']} of {deaf}"),
    ]
    report.goals += [
        (f"less than a core, is {share:.2f}", share < 1),
        (
            f"delivery p95 at most {_DELAY_P95_MS_MAX} ms, is {heard['p95_ms']:.1f}",
            heard["p95_ms"] <= _DELAY_P95_MS_MAX,
        ),
        (f"nobody who reads misses a picture, {heard['missed']} missed", heard["missed"] == 0),
        (f"nobody who reads is sent away, {heard['lost']} were", heard["lost"] == 0),
        (
            f"memory grows by at most {_GROWTH_MIB_MAX} MiB, by {growth:.0f}",
            growth <= _GROWTH_MIB_MAX,
        ),
        (f"all who stop are sent away, {heard['sent_away']} of {deaf}", heard["sent_away"] == deaf),
    ]
    if read is not None:
        _report_chat(report, read, lines)
    report.notes += [
        (
            f"The whole site on core {server_core}; publisher and viewers on core {client_core}. "
            f"720p30 at {_KBPS} kb/s with AAC. {watch_s} s; CPU over the first half, by "
            "/proc, user and system."
        ),
        (
            "Delivery: from the server's receiving a picture's last byte (its stamp in the "
            "message, whole milliseconds) to the client's having read the whole message. Muxing "
            "and framing are in it, and so is the client: Python, and as busy as the server."
        ),
        (
            f"{deaf} more viewers stop reading after 5 s. Their kernel buffers fill, then 1 MiB "
            "each of messages that are shared with everybody else's; after 10 s they are sent away."
        ),
    ]
    return report


def _people(
    stack: ExitStack,
    ready: dict[str, Any],
    readers: int,
    lines: float,
    watch_s: float,
    core: int,
    log: Path,
) -> Child:
    """The stream's chat: as many readers as viewers, and who writes, until all have watched."""
    chat = module(
        "chat_clients",
        {
            "port": ready["http"],
            "channel": _CHANNEL,
            "clients": readers,
            "deaf": 0,
            "tickets": ready["tickets"],
            "rate": lines,
            "seconds": watch_s + _JOINING_S,
        },
        cpu=core,
        log=log,
    )
    stack.enter_context(chat).says(60)
    return chat


def _report_chat(report: Report, read: dict[str, Any], lines: float) -> None:
    people, p95_ms = read["clients"], percentile_ms(read["delays_ms"], 0.95)
    report.rows += [
        ("people in its chat", str(people)),
        ("lines of chat a second", f"{lines:g}"),
        ("delivery of a line p50, ms", str(percentile_ms(read["delays_ms"], 0.5))),
        ("delivery of a line p95, ms", str(p95_ms)),
    ]
    report.goals += [
        (
            f"every line seen once and in order by all: {read['complete']} of {people}",
            read["complete"] == people and read["written"] > 0,
        ),
        (
            f"delivery of a line p95 at most {_CHAT_P95_MS_MAX} ms, is {p95_ms}",
            p95_ms <= _CHAT_P95_MS_MAX,
        ),
    ]


def _cpu_share(server: Any, seconds: float) -> float:
    began, used = time.monotonic(), server.cpu_s()
    time.sleep(seconds)
    return float((server.cpu_s() - used) / (time.monotonic() - began))
