"""Backups over the API, for admins."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound, Unavailable
from mediaserver.routes.api.operation import Answer, Operations, acting
from mediaserver.routes.keys import BACKUPS
from mediaserver.routes.pages.admin.backups import backup_file

api = Operations("Backups", Scope.ADMIN)


class BackupOut(Answer):
    """A backup in the folder. It was read back and compared when it was made. The name ends in
    `-faulty.tar` when something was wrong in the database that it holds.
    """

    name: str = Field(examples=["mediaserver-20260401-030000.tar"])
    bytes: int
    created_at_ms: int


class BackupRunningOut(Answer):
    """A backup that is being made. `step`: what is being done, for people."""

    since_ms: int
    step: str


class FailureOut(Answer):
    """Why the last try made no backup, or what is wrong with what it saved."""

    at_ms: int
    reason: str


class BackupsOut(Answer):
    """Newest first. `due_at_ms`: when the site makes the next one by itself; null for never."""

    backups: list[BackupOut]
    running: BackupRunningOut | None
    failure: FailureOut | None
    due_at_ms: int | None
    folder: str
    free_bytes: int = Field(description="On the disk of that folder.")


@api.get("/admin/backups", "List backups", answer=BackupsOut, sign_in=True)
async def list_backups(request: web.Request) -> BackupsOut:
    """What there is, what is being made, and what went wrong last."""
    acting(request, Action.MAKE_BACKUPS)
    return await _answer(request)


@api.post(
    "/admin/backups",
    "Make a backup",
    answer=BackupsOut,
    status=202,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden),
)
async def make_backup(request: web.Request) -> BackupsOut:
    """Begins one; the list tells how it goes. When there are more than `backup.keep` of its kind
    (whole or faulty), the oldest goes once it is done.
    """
    await request.app[BACKUPS].begin(acting(request, Action.MAKE_BACKUPS))
    return await _answer(request)


@api.get(
    "/admin/backups/{name}",
    "Download a backup",
    answer_types=("application/x-tar",),
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound),
)
async def download_backup(request: web.Request) -> web.StreamResponse:
    """Everything that the site knows, passwords' hashes and keys included: keep it safe."""
    return await backup_file(request, acting(request, Action.MAKE_BACKUPS))


@api.delete(
    "/admin/backups/{name}",
    "Delete a backup",
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound, Unavailable),
)
async def delete_backup(request: web.Request) -> None:
    """For good."""
    actor = acting(request, Action.MAKE_BACKUPS)
    await request.app[BACKUPS].delete(actor, request.match_info["name"])


async def _answer(request: web.Request) -> BackupsOut:
    standing = await request.app[BACKUPS].standing()
    running, failure = standing.running, standing.failure
    return BackupsOut(
        backups=[
            BackupOut(name=one.name, bytes=one.byte_count, created_at_ms=one.created_at_ms)
            for one in standing.backups
        ],
        running=BackupRunningOut(since_ms=running.since_ms, step=running.step) if running else None,
        failure=FailureOut(at_ms=failure.at_ms, reason=failure.reason) if failure else None,
        due_at_ms=standing.due_at_ms,
        folder=str(standing.folder),
        free_bytes=standing.free_bytes,
    )
