"""Work in the background: how much of each kind there is, and what was given up."""

from __future__ import annotations

from collections import defaultdict

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.kernel.worker import Worker
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import DEFERRED, JOBS
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/jobs"


async def show_jobs(request: web.Request) -> web.Response:
    return await _jobs(request)


async def retry_job(request: web.Request) -> web.Response:
    actor = await confirmed_admin(request, Action.MANAGE_JOBS, _PAGE)
    form = await read_form(request)
    try:
        await request.app[DEFERRED].retry(actor, form.get("id", ""))
    except FORM_ERRORS as error:
        return await _jobs(request, error)
    return noticed(request, _PAGE, "tried-again")


async def drop_job(request: web.Request) -> web.Response:
    actor = await confirmed_admin(request, Action.MANAGE_JOBS, _PAGE)
    form = await read_form(request)
    try:
        await request.app[DEFERRED].drop(actor, form.get("id", ""))
    except FORM_ERRORS as error:
        return await _jobs(request, error)
    return noticed(request, _PAGE, "dropped")


async def _jobs(request: web.Request, error: FormError | None = None) -> web.Response:
    await admin(request, Action.MANAGE_JOBS)
    after = request.query.get("after")
    dead = await request.app[DEFERRED].dead(after=after)
    context = {
        "dead": dead,
        "kinds": await kinds(request.app[JOBS]),
        "is_first": after is None,
        "next": f"{_PAGE}?after={dead[-1].id}" if len(dead) == limits.JOBS_LISTED_MAX else "",
    }
    return await admin_page(request, "jobs", context, error=error)


async def kinds(jobs: Worker) -> list[tuple[str, dict[str, int]]]:
    """Each kind of job with how many there are by state."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (kind, state), count in (await jobs.count()).items():
        found[kind][state] = count
    return sorted(found.items())


routes = [
    web.get(_PAGE, show_jobs),
    web.post(f"{_PAGE}/retry", retry_job),
    web.post(f"{_PAGE}/drop", drop_job),
]
