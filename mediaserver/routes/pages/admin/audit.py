"""The audit log: searched, downloaded, and checked from end to end."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from urllib.parse import urlencode

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.admin.audit_log import Checked, Wanted, day_ms
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Entry
from mediaserver.kernel.errors import Invalid
from mediaserver.routes.csv import csv_lines
from mediaserver.routes.forms import FormError
from mediaserver.routes.keys import AUDIT_LOG
from mediaserver.routes.moments import iso_moment
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/audit"
_FIELDS = ("action", "actor", "target", "from", "until")
_COLUMNS = (
    *("sequence", "at", "actor", "actor_id", "address", "action"),
    *("target_kind", "target", "target_id", "details", "hash"),
)
_DIGITS_MAX = 15

_PHRASES = {
    "audit.export": "took along",
    "category.change": "changed the category",
    "category.make": "made the category",
    "category.merge": "merged the category",
    "category.move": "moved the category",
    "emote.put": "added the emote",
    "emote.remove": "removed the emote",
    "job.drop": "dropped a job:",
    "job.retry": "tried a job again:",
    "dispute.unfreeze": "opened the wallet after the dispute",
    "payout.approve": "sent a payout to",
    "payout.approve_first": "approved, as the first of two, a payout to",
    "payout.fail": "noted that a payout came back from",
    "payout.reject": "rejected a payout to",
    "payout.reveal": "read the bank details of",
    "refund.ask": "asked for a refund of",
    "refund.confirm": "noted as sent a refund of",
    "refund.reject": "noted as failed a refund of",
    "setting.change": "changed the setting",
    "stream.end": "ended the stream of",
    "user.delete": "deleted the account",
    "user.log_out": "logged out",
    "user.password_code": "mailed a password code to",
    "user.create": "made the account",
    "user.role": "changed the role of",
    "user.second_factor_reset": "turned two-step log-in off for",
}
"""What stands between who did it and to whom; of other actions the name stands there."""


async def show_audit(request: web.Request) -> web.Response:
    return await _audit(request)


async def check_chain(request: web.Request) -> web.Response:
    await admin(request, Action.READ_AUDIT)
    return await _audit(request, await request.app[AUDIT_LOG].check())


async def download_csv(request: web.Request) -> web.StreamResponse:
    return await _download(request, "csv", csv_lines([_COLUMNS]), _as_csv, "")


async def download_json(request: web.Request) -> web.StreamResponse:
    return await _download(request, "json", "[", _as_json, "\n]\n")


async def _download(
    request: web.Request,
    kind: str,
    head: str,
    write: Callable[[list[Entry], bool], str],
    foot: str,
) -> web.StreamResponse:
    """Everything that is wanted, batch by batch: the log may be larger than the memory."""
    actor = await confirmed_admin(request, Action.READ_AUDIT, _PAGE)
    wanted = _wanted(_filters(request))
    response = web.StreamResponse(
        headers={
            "Content-Disposition": f'attachment; filename="audit.{kind}"',
            "Content-Type": {"csv": "text/csv; charset=utf-8"}.get(kind, "application/json"),
            "Cache-Control": "no-store",
        }
    )
    await response.prepare(request)
    await response.write(head.encode())
    is_first = True
    async for batch in request.app[AUDIT_LOG].export(actor, wanted):
        await response.write(write(batch, is_first).encode())
        is_first = False
    await response.write(foot.encode())
    await response.write_eof()
    return response


def _as_csv(batch: list[Entry], is_first: bool) -> str:
    return csv_lines(
        [
            *(entry.sequence, iso_moment(entry.at_ms), entry.actor, entry.actor_id),
            *(entry.address, entry.action, entry.target_kind, entry.target, entry.target_id),
            *(json.dumps(entry.details, ensure_ascii=False), entry.hash),
        ]
        for entry in batch
    )


def _as_json(batch: list[Entry], is_first: bool) -> str:
    lines = ",\n".join(json.dumps(dataclasses.asdict(entry), ensure_ascii=False) for entry in batch)
    return f"{'' if is_first else ','}\n{lines}"


async def _audit(request: web.Request, checked: Checked | None = None) -> web.Response:
    await admin(request, Action.READ_AUDIT)
    filters = _filters(request)
    before = request.query.get("before", "")
    error: FormError | None = None
    found: list[Entry] = []
    try:
        found = await request.app[AUDIT_LOG].page(
            _wanted(filters),
            before=int(before) if before.isdecimal() and len(before) <= _DIGITS_MAX else None,
        )
    except Invalid as wrong:
        error = wrong
    asked = {name: value for name, value in filters.items() if value}
    is_full = len(found) == limits.AUDIT_LISTED_MAX
    context = {
        "entries": [dataclasses.asdict(entry) for entry in found],
        "phrases": _PHRASES,
        "checked": checked,
        "is_filtered": bool(asked),
        "is_first": not before,
        "first": f"{_PAGE}?{urlencode(asked)}",
        "next": f"{_PAGE}?{urlencode(asked | {'before': found[-1].sequence})}" if is_full else "",
        "query": urlencode(asked),
    }
    return await admin_page(request, "audit", context, form=filters, error=error)


def _filters(request: web.Request) -> dict[str, str]:
    return {name: request.query.get(name, "").strip()[:100] for name in _FIELDS}


def _wanted(filters: dict[str, str]) -> Wanted:
    """Raises `Invalid` for a day that isn't one."""
    return Wanted(
        filters["action"],
        filters["actor"].removeprefix("@"),
        filters["target"].removeprefix("@"),
        day_ms(filters["from"], "from"),
        day_ms(filters["until"], "until", is_end=True),
    )


routes = [
    web.get(_PAGE, show_audit),
    web.post(f"{_PAGE}/check", check_chain),
    web.get(f"{_PAGE}/audit.csv", download_csv),
    web.get(f"{_PAGE}/audit.json", download_json),
]
