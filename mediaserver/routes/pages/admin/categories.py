"""Categories: new ones, other names, another order, hidden, two made one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.channels.category_changes import ICONS
from mediaserver.kernel.audit import Actor
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import CATEGORY_CHANGES
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import (
    acting_admin,
    admin,
    admin_page,
    confirmed_admin,
)

_PAGE = "/admin/categories"

_Change = Callable[[Actor, dict[str, str]], Awaitable[object]]


async def show_categories(request: web.Request) -> web.Response:
    return await _categories(request)


async def make_category(request: web.Request) -> web.Response:
    async def make(actor: Actor, form: dict[str, str]) -> None:
        await request.app[CATEGORY_CHANGES].make(actor, form.get("name", ""), form.get("icon", ""))

    return await _changed(request, "new", make)


async def change_category(request: web.Request) -> web.Response:
    slug = request.match_info["slug"]

    async def change(actor: Actor, form: dict[str, str]) -> None:
        await request.app[CATEGORY_CHANGES].change(
            actor, slug, name=form.get("name"), icon=form.get("icon")
        )

    return await _changed(request, slug, change)


async def hide_category(request: web.Request) -> web.Response:
    return await _set_hidden(request, True)


async def show_category(request: web.Request) -> web.Response:
    return await _set_hidden(request, False)


async def move_category(request: web.Request) -> web.Response:
    slug = request.match_info["slug"]

    async def move(actor: Actor, form: dict[str, str]) -> None:
        steps = {"up": -1, "down": 1}.get(form.get("to", ""), 0)
        await request.app[CATEGORY_CHANGES].move(actor, slug, steps)

    return await _changed(request, slug, move)


async def merge_category(request: web.Request) -> web.Response:
    slug = request.match_info["slug"]
    actor = await confirmed_admin(request, Action.CHANGE_CATEGORIES, _PAGE)
    form = await read_form(request)
    try:
        await request.app[CATEGORY_CHANGES].merge(actor, slug, form.get("into", ""))
    except FORM_ERRORS as error:
        return await _categories(request, slug, form, error)
    return noticed(request, _PAGE, "category-merged")


async def _set_hidden(request: web.Request, is_hidden: bool) -> web.Response:
    slug = request.match_info["slug"]

    async def change(actor: Actor, _: dict[str, str]) -> None:
        await request.app[CATEGORY_CHANGES].change(actor, slug, is_hidden=is_hidden)

    return await _changed(request, slug, change)


async def _changed(request: web.Request, failed: str, change: _Change) -> web.Response:
    actor = await acting_admin(request, Action.CHANGE_CATEGORIES)
    form = await read_form(request)
    try:
        await change(actor, form)
    except FORM_ERRORS as error:
        return await _categories(request, failed, form, error)
    return noticed(request, _PAGE, "saved")


async def _categories(
    request: web.Request,
    failed: str = "",
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    await admin(request, Action.CHANGE_CATEGORIES)
    context = {
        "categories": await request.app[CATEGORY_CHANGES].list_all(),
        "icons": [(name, name.replace("-", " ").rstrip(" 0123456789")) for name in ICONS],
        "failed": failed,
    }
    return await admin_page(request, "categories", context, form=form, error=error)


routes = [
    web.get(_PAGE, show_categories),
    web.post(_PAGE, make_category),
    web.post(_PAGE + "/{slug}", change_category),
    web.post(_PAGE + "/{slug}/hide", hide_category),
    web.post(_PAGE + "/{slug}/show", show_category),
    web.post(_PAGE + "/{slug}/move", move_category),
    web.post(_PAGE + "/{slug}/merge", merge_category),
]
