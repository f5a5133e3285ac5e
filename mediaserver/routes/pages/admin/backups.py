"""Backups: what there is, whether the next one comes by itself, one now, download, delete."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import NotFound
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import BACKUPS, CONFIG
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/backups"
_LOOK_AGAIN_S = 3


async def show_backups(request: web.Request) -> web.Response:
    return await _backups(request)


async def make_backup(request: web.Request) -> web.Response:
    actor = await confirmed_admin(request, Action.MAKE_BACKUPS, _PAGE)  # an older one may go
    try:
        await request.app[BACKUPS].begin(actor)
    except FORM_ERRORS as error:
        return await _backups(request, error)
    return noticed(request, _PAGE, "backup-begun")


async def download_backup(request: web.Request) -> web.StreamResponse:
    actor = await confirmed_admin(request, Action.MAKE_BACKUPS, _PAGE)
    return await backup_file(request, actor)


async def delete_backup(request: web.Request) -> web.Response:
    actor = await confirmed_admin(request, Action.MAKE_BACKUPS, _PAGE)
    form = await read_form(request)
    try:
        with suppress(NotFound):  # it went meanwhile
            await request.app[BACKUPS].delete(actor, form.get("name", ""))
    except FORM_ERRORS as error:
        return await _backups(request, error)
    return noticed(request, _PAGE, "backup-deleted")


async def backup_file(request: web.Request, actor: Actor) -> web.StreamResponse:
    """The backup that the path names, sent as it is read. Raises `NotFound`."""
    name = request.match_info["name"]
    path = await request.app[BACKUPS].file(actor, name)
    return web.FileResponse(
        path,
        headers={
            "Content-Type": "application/x-tar",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


async def _backups(request: web.Request, error: FormError | None = None) -> web.Response:
    await admin(request, Action.MAKE_BACKUPS)
    standing = await request.app[BACKUPS].standing()
    config = request.app[CONFIG].backup
    context = {
        "backups": [
            {
                "name": backup.name,
                "size": _megabytes(backup.byte_count),
                "created_at_ms": backup.created_at_ms,
                "is_faulty": backup.is_faulty,
            }
            for backup in standing.backups
        ],
        "running": standing.running,
        "failure": standing.failure,
        "due_at_ms": standing.due_at_ms,
        "every_hours": config.every_hours,
        "keep": config.keep,
        "folder": str(standing.folder),
        "free": _megabytes(standing.free_bytes),
    }
    response = await admin_page(request, "backups", context, error=error)
    if standing.running is not None and error is None:
        response.headers["Refresh"] = str(_LOOK_AGAIN_S)
    return response


def _megabytes(count: int) -> str:
    if count >= 1024 * limits.MIB:
        return f"{count / 1024 / limits.MIB:,.1f} GB"
    return f"{count / limits.MIB:,.1f} MB"


routes = [
    web.get(_PAGE, show_backups),
    web.post(_PAGE, make_backup),
    web.post(f"{_PAGE}/delete", delete_backup),
    web.get(f"{_PAGE}/{{name}}", download_backup),
]
