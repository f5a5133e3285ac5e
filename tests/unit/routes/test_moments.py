"""Moments as they stand in pages."""

from __future__ import annotations

from mediaserver.routes.moments import iso_moment, utc_moment


def test_moments() -> None:
    at_ms = 1_795_203_720_000
    assert utc_moment(at_ms) == "Fri 20 Nov, 19:42 UTC"
    assert iso_moment(at_ms) == "2026-11-20T19:42:00Z"
    assert utc_moment(0) == "Thu 1 Jan, 00:00 UTC"
