"""Lengths of time as people write and read them: "10m", "1h30m", "90"; "10 min"."""

from __future__ import annotations

import re

from mediaserver.kernel.errors import Invalid

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_LENGTH = re.compile(r"(?:[0-9]{1,9}[smhdw]){1,5}|[0-9]{1,9}")
_PART = re.compile(r"([0-9]+)([smhdw])")
_NAMES = (("d", 86_400, "day"), ("h", 3600, "h"), ("m", 60, "min"), ("s", 1, "s"))


def seconds_of(value: str, field: str, *, unit_s: int = 1) -> int:
    """Seconds of "90", "10m" or "1h30m". A number alone counts `unit_s`. Raises `Invalid`."""
    value = value.strip().lower()
    if not _LENGTH.fullmatch(value):
        raise Invalid("Write a length such as 30s, 10m, 1h or 7d.", field=field)
    if value.isdigit():
        return int(value) * unit_s
    return sum(int(count) * _UNITS_S[unit] for count, unit in _PART.findall(value))


def in_words(seconds: int) -> str:
    """ "45 s", "10 min", "1 h 30 min", "7 days": the two largest parts."""
    parts = []
    for _, size, name in _NAMES:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'s' if name == 'day' and count > 1 else ''}")
    return " ".join(parts[:2]) or "0 s"
