"""The check-up over the API, for admins."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.admin.doctor.finding import Finding, worst
from mediaserver.routes.about_request import about_request
from mediaserver.routes.api.operation import Answer, Operations, acting
from mediaserver.routes.keys import DOCTOR

api = Operations("Check-up", Scope.ADMIN)


class FindingOut(Answer):
    """What one check says. `warn`: it works, but could be better; `bad`: something doesn't work."""

    name: str = Field(description="Stable, for programs.", examples=["database"])
    title: str
    result: Literal["ok", "warn", "bad"]
    meaning: str
    advice: str = Field(description="What to do; empty when all is well.")


class CheckupOut(Answer):
    """Every check; `result` is the most serious one."""

    result: Literal["ok", "warn", "bad"]
    findings: list[FindingOut]


@api.get("/admin/checkup", "Check everything", answer=CheckupOut, sign_in=True)
async def check_everything(request: web.Request) -> CheckupOut:
    """Machine, data, network, and the way by which this request came. Reads the whole database, so
    ask it no more often than every few minutes.
    """
    acting(request, Action.USE_ADMIN_DESK)
    findings = [*about_request(request), *await request.app[DOCTOR].examine()]
    return CheckupOut(result=worst(findings).value, findings=[_out(one) for one in findings])


@api.post("/admin/checkup/mail", "Check the mail server", answer=FindingOut, sign_in=True)
async def check_mail_server(request: web.Request) -> FindingOut:
    """Connects and logs in; no mail is sent."""
    acting(request, Action.USE_ADMIN_DESK)
    return _out(await request.app[DOCTOR].mail_server())


def _out(finding: Finding) -> FindingOut:
    return FindingOut(**asdict(finding) | {"result": finding.result.value})
