"""What one check says: how it is, what that means, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """`WARN`: it works, but not as well or as safely as it could. `BAD`: something doesn't work."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """`name` is stable, for programs; the others are for people. `advice` is empty when all is
    well.
    """

    name: str
    title: str
    result: Result
    meaning: str
    advice: str = ""


def ok(name: str, title: str, meaning: str) -> Finding:
    return Finding(name, title, Result.OK, meaning)


def warn(name: str, title: str, meaning: str, advice: str) -> Finding:
    return Finding(name, title, Result.WARN, meaning, advice)


def bad(name: str, title: str, meaning: str, advice: str) -> Finding:
    return Finding(name, title, Result.BAD, meaning, advice)


def worst(findings: list[Finding]) -> Result:
    """The most serious result among them."""
    for result in (Result.BAD, Result.WARN):
        if any(finding.result == result for finding in findings):
            return result
    return Result.OK
