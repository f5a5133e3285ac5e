"""The audit log over the API."""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.admin.audit_log import Wanted
from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.routes.api.operation import Answer, Operations, Query, caller
from mediaserver.routes.keys import AUDIT_LOG

api = Operations("Admin: audit log", Scope.ADMIN)

_MOMENT_MAX = 10**15


class AuditQuery(Query):
    action: str = Field(
        "", max_length=100, description="An action, or how some begin: `user.` with its dot."
    )
    actor: str = Field("", max_length=100, description="Who did it: name or id.")
    target: str = Field("", max_length=100, description="To whom or what: name or id.")
    from_ms: int | None = Field(
        None, ge=0, le=_MOMENT_MAX, description="Only what was done from then on."
    )
    until_ms: int | None = Field(
        None, ge=0, le=_MOMENT_MAX, description="Only what was done before then."
    )
    before: int | None = Field(
        None, ge=1, le=_MOMENT_MAX, description="The last `sequence` of the page before."
    )


class AuditEntryOut(Answer):
    """What somebody did. `hash` seals this entry and all before it."""

    sequence: int
    at_ms: int
    actor_id: str | None
    actor: str = Field(examples=["boss"])
    action: str = Field(examples=["user.role"])
    target_kind: str = Field(examples=["user"])
    target_id: str
    target: str = Field(examples=["alice"])
    details: dict[str, Any] = Field(examples=[{"before": "normal", "after": "premium"}])
    address: str | None
    hash: str


class AuditPage(Answer):
    """Entries, newest first."""

    entries: list[AuditEntryOut]


class ChainOut(Answer):
    """How many entries are as they were written. `broken_at`: the first that isn't, or null;
    `reason` says in which way: missing, changed or cut off.
    """

    entries: int
    is_whole: bool
    broken_at: int | None
    reason: str | None


@api.get(
    "/admin/audit",
    "Read the audit log",
    query=AuditQuery,
    answer=AuditPage,
    sign_in=True,
    errors=(Forbidden, Invalid),
)
async def read_audit(request: web.Request, query: AuditQuery) -> AuditPage:
    """A hundred entries at once; ask for older ones with the last `sequence`."""
    check(caller(request), Action.READ_AUDIT)
    wanted = Wanted(query.action, query.actor, query.target, query.from_ms, query.until_ms)
    found = await request.app[AUDIT_LOG].page(wanted, before=query.before)
    return AuditPage(entries=[AuditEntryOut(**dataclasses.asdict(entry)) for entry in found])


@api.post(
    "/admin/audit/check", "Check the audit log", answer=ChainOut, sign_in=True, errors=(Forbidden,)
)
async def check_audit(request: web.Request) -> ChainOut:
    """Reads every entry and compares it with its seal."""
    check(caller(request), Action.READ_AUDIT)
    found = await request.app[AUDIT_LOG].check()
    broken = found.broken
    return ChainOut(
        entries=found.entries,
        is_whole=broken is None,
        broken_at=broken.sequence if broken else None,
        reason=broken.reason if broken else None,
    )
