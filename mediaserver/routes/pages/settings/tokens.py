"""Personal tokens for one's own scripts."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from mediaserver.accounts.personal_tokens import SCOPES, Scope
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import ACCOUNTS
from mediaserver.routes.page import noticed, signed_in
from mediaserver.routes.pages.settings.frame import confirmed, settings_page

_PAGE = "/settings/tokens"
_DAYS = (("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Until I revoke it"))


async def show_tokens(request: web.Request) -> web.Response:
    return await _tokens(request)


async def create_token(request: web.Request) -> web.Response:
    opened = confirmed(request)
    form = await read_form(request)
    days = form.get("days", "")
    try:
        if days not in dict(_DAYS):
            raise Invalid("Choose one of the list.", field="days")
        made = await request.app[ACCOUNTS].personal_tokens.create(
            opened.user,
            form.get("name", ""),
            [scope for scope in Scope if f"scope_{scope}" in form],
            days=int(days) if days else None,
        )
    except FORM_ERRORS as error:
        return await _tokens(request, form=form, error=error)
    # Shown in the answer itself and nowhere else: nothing keeps the secret for a second page.
    return await _tokens(request, made={"name": made.token.name, "secret": made.secret})


async def revoke_token(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    with suppress(NotFound):  # it has expired meanwhile
        await request.app[ACCOUNTS].personal_tokens.revoke(user, form.get("id", ""))
    return noticed(request, _PAGE, "token-revoked")


async def _tokens(
    request: web.Request,
    *,
    made: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    user = signed_in(request)
    tokens = await request.app[ACCOUNTS].personal_tokens.list(user)
    context = {
        "made": made,
        "tokens": [
            {
                "id": token.id,
                "name": token.name,
                "scopes": ", ".join(token.scopes),
                "hint": token.hint,
                "created_at_ms": token.created_at_ms,
                "last_used_at_ms": token.last_used_at_ms,
                "expires_at_ms": token.expires_at_ms,
            }
            for token in tokens
        ],
        "scopes": [
            (str(scope), text)
            for scope, text in SCOPES.items()
            if scope != Scope.ADMIN or user.is_admin
        ],
        "days": _DAYS,
    }
    return await settings_page(
        request, "tokens", context, failed="token" if error else "", form=form, error=error
    )


routes = [
    web.get(_PAGE, show_tokens),
    web.post(_PAGE, create_token),
    web.post(f"{_PAGE}/revoke", revoke_token),
]
