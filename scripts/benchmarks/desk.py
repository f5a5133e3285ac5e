"""The admin desk and logging in with a hundred thousand accounts, beside the same site with a
hundred.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.report import Report, percentile, progress, ratio
from mediaserver.kernel import audit
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.events import Events
from tests import crowd
from tests.functional.site import ADMIN, PASSWORD, Site

_FEW, _MANY = 100, crowd.CROWD
_ENTRIES = {_FEW: 100, _MANY: 20_000}
_BATCH = 2_500
_P95_MS_MAX = 100.0


def add_options(group: Any) -> None:
    group.add_argument("--asks", type=int, default=50, help="of each page (%(default)s)")


def run(options: argparse.Namespace, folder: Path) -> Report:
    return asyncio.run(_run(options.asks, folder))


async def _run(asks: int, folder: Path) -> Report:
    taken: dict[int, dict[str, list[float]]] = {}
    for people in (_FEW, _MANY):
        progress(f"desk: {people:,} accounts are made")
        site = Site(folder / str(people))
        await asyncio.to_thread(site.start)  # makes the database, and the admin
        await asyncio.to_thread(site.stop)
        await _fill(site.storage, people)
        await asyncio.to_thread(site.start_again)
        try:
            progress(f"desk: {people:,} accounts")
            taken[people] = await _measure(site, people, asks)
        finally:
            await asyncio.to_thread(site.stop)
    return _report(asks, taken)


async def _fill(storage: Path, people: int) -> None:
    async with Database(f"sqlite+aiosqlite:///{storage / 'mediaserver.db'}", Events()) as db:
        for first in range(0, people, _BATCH):
            await db.write(crowd.fill, min(_BATCH, people - first), first)
        for first in range(0, _ENTRIES[people], _BATCH):
            await db.write(_write_entries, first, min(_BATCH, _ENTRIES[people] - first))


def _write_entries(tx: Transaction, first: int, count: int) -> None:
    for number in range(first, first + count):
        name = f"user{number:05}"
        target = audit.Target("user", f"usr_{number:020}", name)
        now_ms = crowd.FIRST_AT_MS + number * 1000
        audit.append(tx, audit.COMMAND_LINE, "user.warn", target, now_ms, {"reason": "spam"})


def _asked(people: int) -> Iterable[tuple[str, str]]:
    middle, last = people // 2, people - 1
    return (
        ("users, newest", "/admin/users"),
        ("users, a page from the middle", f"/admin/users?after=usr_{middle:020}"),
        ("users, the last page", f"/admin/users?after=usr_{20:020}"),
        ("users called user0001…", "/admin/users?search=user0001"),
        ("users with an address person.0001…", "/admin/users?search=person.0001"),
        ("users that nobody is called", "/admin/users?search=zzz"),
        ("users who are banned", "/admin/users?show=banned"),
        ("one user", f"/admin/users/user{last:05}"),
        ("overview", "/admin"),
        ("statistics", "/admin/statistics"),
        ("audit log, newest", "/admin/audit"),
        ("audit log, about one user", "/admin/audit?target=user00050"),
    )


async def _measure(site: Site, people: int, asks: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name, _ in _asked(people)}
    jar = aiohttp.CookieJar(unsafe=True)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(site.url, cookie_jar=jar, timeout=timeout) as http:
        login = {"username": ADMIN, "password": PASSWORD}
        headers = {"Sec-Fetch-Site": "same-origin"}
        async with http.post("/login", data=login, headers=headers) as response:
            response.raise_for_status()
        for _ in range(asks):
            for name, path in _asked(people):
                began = time.monotonic()
                async with http.get(path, allow_redirects=False) as response:
                    body = await response.read()
                taken[name].append((time.monotonic() - began) * 1000)
                if response.status != 200:
                    raise RuntimeError(f"{path}: {response.status} {body[:500]!r}")
    return taken


def _report(asks: int, taken: dict[int, dict[str, list[float]]]) -> Report:
    report = Report(
        "desk",
        f"pages of the admin desk with {_MANY:,} accounts",
        ("", f"{_FEW} accounts, p50 ms", f"{_MANY:,}, p50 ms", f"{_MANY:,}, p95 ms", "ratio"),
    )
    worst = 0.0
    for name, many in taken[_MANY].items():
        few = percentile(taken[_FEW][name], 0.5)
        p50, p95 = (percentile(many, share) for share in (0.5, 0.95))
        worst = max(worst, p95)
        report.rows.append((name, f"{few:.1f}", f"{p50:.1f}", f"{p95:.1f}", ratio(p50, few)))
    report.goals = [
        (
            f"p95 of every page at most {_P95_MS_MAX:.0f} ms, is {worst:.0f}",
            worst <= _P95_MS_MAX,
        )
    ]
    report.notes.append(
        f"SQLite; {asks} requests of each page, in turn, whole answers over loopback, one after "
        f"another. The audit log holds {_ENTRIES[_MANY]:,} entries, or {_ENTRIES[_FEW]}. "
        "A page lists 50."
    )
    return report
