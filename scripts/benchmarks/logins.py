"""A thousand log-ins a minute, right and wrong, while a stream plays: they must not make its parts
late. Quiet and busy stretches take turns in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import clip
from benchmarks.processes import cores, module
from benchmarks.report import Report, percentile, progress

_CHANNEL, _PASSWORD = "bench", "correct horse battery"
_WARM_UP_S = 8.0
_SETTLE_S = 1.0
_LATER_MS_MAX = 100.0
_LIMITS = {
    "LOGIN_PER_ACCOUNT_BURST": 1_000_000,
    "LOGIN_PER_ADDRESS_BURST": 1_000_000,
}
"""Else nearly all of the wrong ones would be refused before a password is looked at."""


def add_options(group: Any) -> None:
    group.add_argument("--logins", type=int, default=1000, help="a minute (%(default)s)")
    group.add_argument("--stretch", type=float, default=20, help="seconds of each (%(default)s)")
    group.add_argument("--stretches", type=int, default=3, help="of each kind (%(default)s)")


def run(options: argparse.Namespace, folder: Path) -> Report:
    server_core, client_core = cores()
    log, path = folder / "log", folder / "clip.flv"
    (folder / "storage").mkdir()
    clip.encode(path, kbps=3000)
    seconds = 2 * options.stretch * options.stretches + _WARM_UP_S + 60
    with ExitStack() as stack:
        site_options = {
            "preset": "lan",
            "storage": str(folder / "storage"),
            "channel": _CHANNEL,
            "password": _PASSWORD,
            "limits": _LIMITS,
        }
        site = stack.enter_context(module("site_server", site_options, cpu=server_core, log=log))
        ports = site.says(60)
        sender = {
            "clip": str(path),
            "port": ports["rtmp"],
            "keys": [ports["key"]],
            "chunk": 4096,
            "seconds": seconds,
        }
        stack.enter_context(module("rtmp_sender", sender, cpu=client_core, log=log)).says(20)
        viewer_options = {"port": ports["http"], "channel": _CHANNEL}
        viewer = module("viewer", viewer_options, cpu=client_core, log=log)
        stack.enter_context(viewer)
        time.sleep(_WARM_UP_S)
        people = People(ports["http"], options.logins / 60)
        stretches: dict[str, list[tuple[float, float]]] = {"quiet": [], "busy": []}
        for number in range(options.stretches):
            progress(f"logins: {number + 1} of {options.stretches}")
            began = time.monotonic()
            time.sleep(options.stretch)
            stretches["quiet"].append((began, time.monotonic()))
            began = time.monotonic()
            asyncio.run(people.log_in(options.stretch))
            stretches["busy"].append((began, time.monotonic()))
            time.sleep(_SETTLE_S)
        viewer.interrupt()
        said = viewer.says(10)
    return _report(options, said, stretches, people)


class People:
    """Who logs in: every second one with a wrong password."""

    def __init__(self, port: int, rate: float) -> None:
        self._port = port
        self._rate = rate
        self._numbers = count()

        self.statuses: Counter[int] = Counter()
        self.waits_ms: list[float] = []

    async def log_in(self, seconds: float) -> None:
        """At an even pace, whether earlier ones are answered or not."""
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{self._port}/", timeout=timeout) as http,
            asyncio.TaskGroup() as tasks,
        ):
            began = time.monotonic()
            for index in range(int(seconds * self._rate)):
                await asyncio.sleep(max(0.0, began + index / self._rate - time.monotonic()))
                tasks.create_task(self._log_in(http))

    async def _log_in(self, http: aiohttp.ClientSession) -> None:
        password = _PASSWORD if next(self._numbers) % 2 else "a wrong password"
        login = {"username": "bench", "password": password}
        began = time.monotonic()
        async with http.post("/api/v1/auth/login", json=login) as response:
            await response.read()
        self.waits_ms.append((time.monotonic() - began) * 1000)
        self.statuses[response.status] += 1


def late_ms(
    arrivals: Sequence[Sequence[float]], stretches: Sequence[tuple[float, float]]
) -> list[float]:
    """How late the parts of some stretches came."""
    return [
        late for at_s, late in arrivals if any(began <= at_s <= ended for began, ended in stretches)
    ]


def _report(
    options: argparse.Namespace,
    said: dict[str, Any],
    stretches: dict[str, list[tuple[float, float]]],
    people: People,
) -> Report:
    quiet, busy = (late_ms(said["arrivals"], stretches[kind]) for kind in ("quiet", "busy"))
    report = Report(
        "logins",
        f"{options.logins:,} log-ins a minute beside a live stream",
        ("", "quiet", "with log-ins"),
    )
    for text, share in (("median", 0.5), ("p99", 0.99), ("worst", 1.0)):
        cells = [f"{percentile(series, share):.0f}" for series in (quiet, busy)]
        report.rows.append((f"a part comes later than the earliest did, {text}, ms", *cells))
    report.rows += [
        ("parts read", f"{len(quiet)}", f"{len(busy)}"),
        ("log-ins that were let in", "-", f"{people.statuses[200]:,}"),
        ("with a wrong password", "-", f"{people.statuses[401]:,}"),
        ("asked to come back later", "-", f"{people.statuses[503]:,}"),
        ("a log-in takes, median, ms", "-", f"{percentile(people.waits_ms, 0.5):.0f}"),
        ("a log-in takes, p99, ms", "-", f"{percentile(people.waits_ms, 0.99):.0f}"),
    ]
    later = percentile(busy, 0.99) - percentile(quiet, 0.99)
    others = sum(people.statuses.values()) - sum(people.statuses[one] for one in (200, 401, 503))
    report.goals = [
        (
            f"p99 of a part at most {_LATER_MS_MAX:.0f} ms later with log-ins, is {later:.0f}",
            later <= _LATER_MS_MAX,
        ),
        (f"no stall for a viewer, had {said['stalls']}", said["stalls"] == 0),
        (f"every log-in was answered as it should be: {others} were not", others == 0),
    ]
    report.notes.append(
        f"{options.stretches} stretches of {options.stretch:g} s of each kind, in turn; parts of "
        "0.2 s at 3 Mb/s, read by one viewer. Server on one core, hashing included; log-ins, "
        "encoder and viewer on the other. Every second password is wrong; the limits for wrong "
        "ones are lifted, so that each is hashed (argon2id, 19 MiB, 2 passes)."
    )
    return report
