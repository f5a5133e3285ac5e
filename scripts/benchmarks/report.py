"""A benchmark's table: how it is printed, and how it gets into docs/benchmarks.md."""

from __future__ import annotations

import datetime
import os
import platform
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
_PACKAGES = ("aiohttp", "av", "uvloop", "pyrtmp")
_INTRODUCTION = """\
# Benchmarks

Written by `scripts/bench NAME… --record`; each section is one run, ours beside its rivals. All of
it is on one machine over loopback, so ratios and medians count more than absolute figures.
"""


@dataclass(slots=True)
class Report:
    """`goals` are sentences with whether they are met; `notes` say what a figure includes."""

    name: str
    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    goals: list[tuple[str, bool]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def met(self) -> bool:
        return all(met for _, met in self.goals)

    def print(self) -> None:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        print(f"\n{self.title}\n")
        for row in (self.columns, ["-" * width for width in widths], *self.rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
        print()
        for goal, met in self.goals:
            print(f"{'met   ' if met else 'MISSED'}  {goal}")
        for note in self.notes:
            print(f"note    {note}")
        print(flush=True)

    def markdown(self, command: Sequence[str]) -> str:
        lines = [f"## {self.name}: {self.title}", "", f"`{shlex.join(command)}`", "", machine(), ""]
        lines.append(f"| {' | '.join(self.columns)} |")
        lines.append(f"|{' --- |' * len(self.columns)}")
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        lines.append("")
        lines += [f"- {'Met' if met else '**Missed**'}: {goal}" for goal, met in self.goals]
        lines += [f"- {note}" for note in self.notes]
        return "\n".join(lines) + "\n"


def record(report: Report, command: Sequence[str]) -> None:
    """Replace the report's section of the document, or append it."""
    text = DOCUMENT.read_text() if DOCUMENT.exists() else _INTRODUCTION
    section = report.markdown(command)
    begins = re.compile(rf"^## {re.escape(report.name)}: .*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if begins.search(text):
        text = begins.sub(lambda _: section + "\n", text)
    else:
        text = f"{text.rstrip()}\n\n{section}"
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(text.rstrip() + "\n")


def machine() -> str:
    """Date, processor and versions, in one line."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {os.cpu_count()} cores of "
        f"{model.group(1) if model else platform.machine()}, load {os.getloadavg()[2]:.1f}, "
        f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}, {packages}"
    )


def ratio(ours: float, rival: float) -> str:
    """How many times the rival's figure ours is."""
    return f"{ours / rival:.2f}" if rival else "-"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them don't exceed; NaN of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]


def progress(text: str) -> None:
    print(f"… {text}", flush=True)
