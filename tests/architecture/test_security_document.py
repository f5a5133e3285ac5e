"""docs/security.md names every requirement once and in order, and only tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "docs" / "security.md").read_text("utf-8")

# Chapter.section → how many requirements of levels 1 and 2 ASVS 5.0.0 has there. Their numbers run
# from 1 without a gap: those of level 3 come last in each section.
REQUIREMENTS = {
    "1.1": 2,
    "1.2": 9,
    "1.3": 11,
    "1.4": 3,
    "1.5": 2,
    "2.1": 3,
    "2.2": 3,
    "2.3": 4,
    "2.4": 1,
    "3.2": 2,
    "3.3": 4,
    "3.4": 6,
    "3.5": 5,
    "3.7": 2,
    "4.1": 3,
    "4.2": 1,
    "4.3": 2,
    "4.4": 4,
    "5.1": 1,
    "5.2": 3,
    "5.3": 2,
    "5.4": 3,
    "6.1": 3,
    "6.2": 12,
    "6.3": 4,
    "6.4": 4,
    "6.5": 5,
    "6.6": 3,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
    "7.4": 5,
    "7.5": 2,
    "7.6": 2,
    "8.1": 2,
    "8.2": 3,
    "8.3": 1,
    "8.4": 1,
    "9.1": 3,
    "9.2": 4,
    "10.1": 2,
    "10.2": 2,
    "10.3": 4,
    "10.4": 11,
    "10.5": 5,
    "10.6": 2,
    "10.7": 3,
    "11.1": 2,
    "11.2": 3,
    "11.3": 3,
    "11.4": 4,
    "11.5": 1,
    "11.6": 1,
    "12.1": 3,
    "12.2": 2,
    "12.3": 4,
    "13.1": 1,
    "13.2": 5,
    "13.3": 2,
    "13.4": 5,
    "14.1": 2,
    "14.2": 4,
    "14.3": 3,
    "15.1": 3,
    "15.2": 3,
    "15.3": 7,
    "16.1": 1,
    "16.2": 5,
    "16.3": 4,
    "16.4": 3,
    "16.5": 3,
    "17.1": 1,
    "17.2": 4,
    "17.3": 2,
}

_ROW = re.compile(r"\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+?) \|")
_TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
_PLACE = re.compile(r"`((?:mediaserver|web|docs|tests)/[\w./-]+\.\w+)`")


def _rows() -> list[tuple[str, ...]]:
    lines = [line for line in DOCUMENT.splitlines() if re.match(r"\| \d", line)]
    rows = [match.groups() for line in lines if (match := _ROW.fullmatch(line))]
    return [row for row in rows if row]


@cache
def _tests_of(path: str) -> frozenset[str]:
    file = PROJECT / path
    if not file.is_file():
        return frozenset()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(file.read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


def test_every_requirement_once_and_in_order() -> None:
    expected = [
        f"{section}.{number}"
        for section, count in REQUIREMENTS.items()
        for number in range(1, count + 1)
    ]
    assert len(expected) == 253
    listed = [row[0] for row in _rows()]
    assert sorted(set(expected) ^ set(listed)) == []
    assert len(listed) == len(set(listed)), "one stands there twice"
    key = [tuple(map(int, one.split("."))) for one in listed]
    assert key == sorted(key)


def test_every_test_that_is_named_exists() -> None:
    named = _TEST.findall(DOCUMENT)
    assert len(named) > 200
    missing = [f"{path}::{name}" for path, name in named if name not in _tests_of(path)]
    assert missing == []


def test_every_file_that_is_named_exists() -> None:
    missing = [path for path in _PLACE.findall(DOCUMENT) if not (PROJECT / path).exists()]
    assert missing == []


def test_what_applies_is_shown_and_what_falls_short_is_told_first() -> None:
    beginning = DOCUMENT.partition("## What falls short")[2].partition("\n## ")[0]
    told = re.findall(r"^- \*\*(\d+\.\d+\.\d+)\*\*", beginning, re.MULTILINE)
    assert told == [row[0] for row in _rows() if row[2].startswith("not met")]
    silent = [
        row[0]
        for row in _rows()
        if row[3] == "—" and not row[2].startswith(("not met", "doesn't apply"))
    ]
    assert silent == []
