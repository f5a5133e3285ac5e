"""The site killed (SIGKILL) at random moments, two hundred times, while people tip from their
wallets: after each start every tip is there that the site had said yes to, once, and the books add
up.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Report, progress
from tests.killing_money import MoneyVictim


def add_options(group: Any) -> None:
    group.add_argument(
        "--money-kills", type=int, default=200, help="while people tip (%(default)s)"
    )
    group.add_argument(
        "--money-seed", type=int, default=1, help="of the random moments (%(default)s)"
    )
    group.add_argument(
        "--tip-seconds", type=float, default=0.5, help="at most before a kill (%(default)s)"
    )


def run(options: argparse.Namespace, folder: Path) -> Report:
    victim = MoneyVictim(folder / "storage", random.Random(options.money_seed))
    asyncio.run(_run(options, victim))
    tipping, starting = victim.kills["while people wrote"], victim.kills["while it started"]
    report = Report("kill-money", f"killed {tipping + starting} times under tips", ("", "ours"))
    report.rows = [
        ("killed while people tipped", f"{tipping}"),
        ("killed while it started", f"{starting}"),
        ("tips promised", f"{len(victim.tips):,}"),
        ("right books after it", f"{len(victim.starts_s) - len(victim.faults)}"),
        ("start after a kill, median s", f"{median(victim.starts_s):.2f}"),
    ]
    report.goals = [
        (
            f"no promised tip is missing, nothing is booked twice: {len(victim.faults)} faults",
            not victim.faults and bool(victim.tips),
        ),
    ]
    report.notes = [
        *sorted(set(victim.faults)),
        (
            "Twelve tasks tip over the API on loopback, each with an Idempotency-Key; SIGKILL "
            f"after 0.02 to {options.tip_seconds:g} s of it. A tip counts as promised once its "
            "whole answer was read; one whose answer got lost is asked for again by its key. After "
            "each start: integrity_check, foreign keys, the chain of the audit log, every rule of "
            "the books, each promised tip, and that the wallets lack exactly what was given."
        ),
    ]
    return report


async def _run(options: argparse.Namespace, victim: MoneyVictim) -> None:
    await victim.prepare()
    for number in range(options.money_kills):
        await victim.round(longest_s=options.tip_seconds)
        if number % 10 == 9:
            progress(f"kill-money: {number + 1} kills, {len(victim.faults)} faults")
    await victim.finish()
