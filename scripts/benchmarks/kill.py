"""The site killed (SIGKILL) at random moments, a hundred times, while people write: after each
start the database is whole, and everything is there that the site had said yes to.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Report, progress
from tests.killing import Victim


def add_options(group: Any) -> None:
    group.add_argument("--kills", type=int, default=100, help="while people write (%(default)s)")
    group.add_argument("--seed", type=int, default=1, help="of the random moments (%(default)s)")
    group.add_argument(
        "--write-seconds", type=float, default=1.5, help="at most before a kill (%(default)s)"
    )


def run(options: argparse.Namespace, folder: Path) -> Report:
    victim = Victim(folder / "storage", random.Random(options.seed))
    asyncio.run(_run(options, victim))
    promised = victim.promised
    writing, starting = victim.kills["while people wrote"], victim.kills["while it started"]
    report = Report("kill", f"killed {writing + starting} times under load", ("", "ours"))
    report.rows = [
        ("killed while people wrote", f"{writing}"),
        ("killed while it started", f"{starting}"),
        ("chat lines promised", f"{len(promised.lines):,}"),
        ("registrations promised", f"{len(promised.registrations):,}"),
        ("changes of a role promised, each in the audit log", f"{promised.roles:,}"),
        ("whole databases after it", f"{len(victim.starts_s) - len(victim.faults)}"),
        ("start after a kill, median s", f"{median(victim.starts_s):.2f}"),
        ("start after a kill, worst s", f"{max(victim.starts_s):.2f}"),
    ]
    report.goals = [
        (
            f"nothing promised is missing, nothing is damaged: {len(victim.faults)} faults",
            not victim.faults and bool(promised.lines),
        ),
    ]
    report.notes = [
        *sorted(set(victim.faults)),
        (
            "Eight tasks chat, two follow and unfollow, one registers, one changes roles, all over "
            f"the API on loopback; SIGKILL after 0.02 to {options.write_seconds:g} s of it, and "
            "now and then while the site starts. A write counts as promised once its whole "
            "answer was read. After each start: integrity_check, foreign keys, the chain of the "
            "audit log, and each promised write. A kill leaves what the system has cached, so "
            "this is no test of a power cut; synchronous=FULL is meant for that."
        ),
    ]
    return report


async def _run(options: argparse.Namespace, victim: Victim) -> None:
    await victim.prepare()
    for number in range(options.kills):
        await victim.round(longest_s=options.write_seconds)
        if number % 10 == 9:
            progress(f"kill: {number + 1} of {options.kills}, {len(victim.faults)} faults")
    await victim.finish()
