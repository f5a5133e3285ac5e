"""Mail and other work that waits or was given up, over the API; and what takes room on the disk."""

from __future__ import annotations

import dataclasses

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound
from mediaserver.routes.api.operation import Answer, Operations, Query, acting, caller
from mediaserver.routes.keys import DEFERRED, JOBS, MAILBOX, STORAGE_METER

api = Operations("Admin: operations", Scope.ADMIN)


class PageQuery(Query):
    after: str | None = Field(
        None, max_length=limits.ID_CHARS_MAX, description="The last `id` of the page before."
    )


class KeptMailOut(Answer):
    """A mail in the site's own mailbox."""

    id: str
    to: str
    subject: str
    body: str
    created_at_ms: int


class KeptMailList(Answer):
    """Newest first."""

    mails: list[KeptMailOut]


class WaitingMailOut(Answer):
    """A mail that isn't sent yet. Its text isn't told: it may hold a code."""

    id: str
    to: str
    state: str = Field(description="waiting, running, or dead: given up.")
    attempts: int
    run_at_ms: int
    created_at_ms: int
    last_error: str | None


class WaitingMailList(Answer):
    """Newest first."""

    mails: list[WaitingMailOut]


class DeadJobOut(Answer):
    """A job that was given up."""

    id: str
    kind: str
    attempts: int
    created_at_ms: int
    ended_at_ms: int | None
    last_error: str | None


class JobCountOut(Answer):
    """How many jobs of a kind are in a state: waiting, running, done or dead."""

    kind: str
    state: str
    count: int


class JobsOut(Answer):
    """Counts of all kinds, and a page of those given up, latest first."""

    counts: list[JobCountOut]
    dead: list[DeadJobOut]


class UseOut(Answer):
    """What one kind of file takes."""

    kind: str
    label: str
    description: str
    byte_count: int
    files: int


class StorageOut(Answer):
    """Measured at most once a minute."""

    path: str
    uses: list[UseOut]
    free_bytes: int
    total_bytes: int
    measured_at_ms: int


@api.get(
    "/admin/mail",
    "Read the site's mailbox",
    query=PageQuery,
    answer=KeptMailList,
    sign_in=True,
    errors=(Forbidden,),
)
async def read_mailbox(request: web.Request, query: PageQuery) -> KeptMailList:
    """What would have been mailed, while no mail server is set."""
    check(caller(request), Action.READ_MAIL)
    found = await request.app[MAILBOX].page(after=query.after)
    return KeptMailList(mails=[KeptMailOut(**dataclasses.asdict(one)) for one in found])


@api.get(
    "/admin/mail/queue",
    "List mail that waits",
    query=PageQuery,
    answer=WaitingMailList,
    sign_in=True,
    errors=(Forbidden,),
)
async def list_waiting_mail(request: web.Request, query: PageQuery) -> WaitingMailList:
    """Mail that waits to be sent or was given up."""
    check(caller(request), Action.READ_MAIL)
    found = await request.app[DEFERRED].mails(after=query.after)
    return WaitingMailList(mails=[WaitingMailOut(**dataclasses.asdict(one)) for one in found])


@api.post(
    "/admin/mail/test", "Send a test mail to me", status=202, sign_in=True, errors=(Forbidden,)
)
async def send_test_mail(request: web.Request) -> None:
    """Goes to the address of the caller, by the way that all mail goes."""
    check(caller(request), Action.READ_MAIL)
    await request.app[DEFERRED].send_test(caller(request))


@api.get(
    "/admin/jobs",
    "List work in the background",
    query=PageQuery,
    answer=JobsOut,
    sign_in=True,
    errors=(Forbidden,),
)
async def list_jobs(request: web.Request, query: PageQuery) -> JobsOut:
    """How much there is of each kind, and what was given up, mail left out."""
    check(caller(request), Action.MANAGE_JOBS)
    counts = await request.app[JOBS].count()
    dead = await request.app[DEFERRED].dead(after=query.after)
    return JobsOut(
        counts=[
            JobCountOut(kind=kind, state=state, count=count)
            for (kind, state), count in sorted(counts.items())
        ],
        dead=[
            DeadJobOut(
                id=one.id,
                kind=one.kind,
                attempts=one.attempts,
                created_at_ms=one.created_at_ms,
                ended_at_ms=one.ended_at_ms,
                last_error=one.last_error,
            )
            for one in dead
        ],
    )


@api.post(
    "/admin/jobs/{id}/retry",
    "Try a job again",
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def retry_job(request: web.Request) -> None:
    """For one that was given up, mail included; its attempts begin anew."""
    actor = acting(request, Action.MANAGE_JOBS)
    await request.app[DEFERRED].retry(actor, request.match_info["id"])


@api.delete(
    "/admin/jobs/{id}",
    "Drop a job",
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def drop_job(request: web.Request) -> None:
    """Only one that was given up."""
    actor = acting(request, Action.MANAGE_JOBS)
    await request.app[DEFERRED].drop(actor, request.match_info["id"])


@api.get(
    "/admin/storage",
    "Show what takes room",
    answer=StorageOut,
    sign_in=True,
    errors=(Forbidden,),
)
async def show_storage(request: web.Request) -> StorageOut:
    """The files of the storage folder by what they are for."""
    check(caller(request), Action.USE_ADMIN_DESK)
    return StorageOut(**dataclasses.asdict(await request.app[STORAGE_METER].use()))
