"""Common Media Client Data (CTA-5004): what players that know it say of their playback with each
request, in the query or in headers. Ours reports over Socket.IO instead."""

from __future__ import annotations

import re

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.media.audience import ViewerReport, Way

_HEADERS = ("CMCD-Request", "CMCD-Object", "CMCD-Status", "CMCD-Session")
_PAIR = re.compile(r'([a-z]{1,8}|[a-z0-9.-]{1,40})(?:=("(?:[^"\\]|\\.)*"|[^,]*))?(?:,|$)')
_SESSION = re.compile(r"[\w.:-]{1,64}")


def cmcd_of(request: web.Request, way: Way) -> tuple[str | None, ViewerReport] | None:
    """The player's session, when it names one, and its report; None when it says nothing of use.

    Buffer starvation (`bs`) counts as a stall, `mtp` is the throughput it measured, `ltc` (version
    2) its latency.
    """
    text = request.query.get("CMCD", "") if "CMCD" in request.query_string else ""
    for name in _HEADERS:
        if name in request.headers:
            text = f"{text},{request.headers[name]}" if text else request.headers[name]
    if not text or len(text) > limits.CMCD_CHARS_MAX:
        return None
    values = {key: value.strip() for key, value in _PAIR.findall(text)}
    throughput_kbps = _number(values.get("mtp"))
    stalled = "bs" in values and values["bs"] != "?0"
    if throughput_kbps is None and not stalled and "sid" not in values:
        return None
    session = values.get("sid", "").strip('"')
    return (
        session if _SESSION.fullmatch(session) else None,
        ViewerReport(
            way,
            latency_ms=_number(values.get("ltc")),
            stalls=int(stalled),
            bandwidth_bps=throughput_kbps * 1000 if throughput_kbps is not None else None,
        ),
    )


def _number(value: str | None) -> int | None:
    if value is None or not (value.isascii() and value.isdigit() and len(value) <= 9):
        return None
    return int(value)
