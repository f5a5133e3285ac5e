"""The policies at the admin desk: what is in force, earlier versions, publishing a new one."""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.channels.policies import Kind
from mediaserver.kernel import limits
from mediaserver.kernel.errors import NotFound
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import POLICIES
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin
from mediaserver.routes.policies_view import policy_view

_PAGE = "/admin/policies"


async def show_policies(request: web.Request) -> web.Response:
    await admin(request, Action.PUBLISH_POLICIES)
    current = await request.app[POLICIES].current()
    return await admin_page(
        request, "policies", {"policies": [policy_view(one) for one in current]}
    )


async def show_policy(request: web.Request) -> web.Response:
    await admin(request, Action.PUBLISH_POLICIES)
    return await _policy(request, _kind(request))


async def publish_policy(request: web.Request) -> web.Response:
    await admin(request, Action.PUBLISH_POLICIES)
    kind = _kind(request)
    actor = await confirmed_admin(request, Action.PUBLISH_POLICIES, f"{_PAGE}/{kind}")
    form = await read_form(request)
    try:
        await request.app[POLICIES].publish(
            actor, kind, form.get("title", ""), form.get("body", "")
        )
    except FORM_ERRORS as error:
        return await _policy(request, kind, form, error)
    return noticed(request, f"{_PAGE}/{kind}", "policy-published")


async def _policy(
    request: web.Request,
    kind: Kind,
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    versions = [policy_view(one) for one in await request.app[POLICIES].versions(kind)]
    newest = versions[0] if versions else {"title": kind.label, "body": ""}
    return await admin_page(
        request,
        "policies",
        {
            "kind": str(kind),
            "label": newest["title"],
            "versions": versions,
            "title_chars_max": limits.POLICY_TITLE_CHARS_MAX,
            "body_chars_max": limits.POLICY_BODY_CHARS_MAX,
        },
        template="policy",
        form=form or {"title": newest["title"], "body": newest["body"]},
        error=error,
    )


def _kind(request: web.Request) -> Kind:
    try:
        return Kind(request.match_info["kind"])
    except ValueError as error:
        raise NotFound("There is no such policy.") from error


UPLOADS = {f"{_PAGE}/{{kind}}": limits.POLICY_FORM_BYTES_MAX}

routes = [
    web.get(_PAGE, show_policies),
    web.get(f"{_PAGE}/{{kind}}", show_policy),
    web.post(f"{_PAGE}/{{kind}}", publish_policy),
]
