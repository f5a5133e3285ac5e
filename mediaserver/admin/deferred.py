"""Work that was given up, mail among it: an admin has it tried again or drops it.

kernel/jobs.py does the work itself. Called by the admin desk.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.accounts.users import User
from mediaserver.kernel import audit, jobs, mail
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.jobs import Job
from mediaserver.kernel.mail import Letterhead


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail that isn't sent yet, or never was. Its text is not shown: it may hold a code."""

    id: str
    to: str
    state: str
    attempts: int
    run_at_ms: int
    created_at_ms: int
    last_error: str | None


class Deferred:
    """Lists what waits or was given up, and sees to it."""

    def __init__(self, db: Database, clock: Clock, letterhead: Letterhead) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead

    async def dead(self, *, after: str | None = None) -> list[Job]:
        """Jobs that were given up, without mail, latest first."""
        return await self._db.read(jobs.dead_page, but=mail.JOB, after=after)

    async def mails(self, *, after: str | None = None) -> list[WaitingMail]:
        """Mail that waits or was given up, newest first."""
        found = await self._db.read(jobs.page, mail.JOB, ("waiting", "running", "dead"), after)
        return [
            WaitingMail(
                one.id,
                one.payload.get("to", ""),
                one.state,
                one.attempts,
                one.run_at_ms,
                one.created_at_ms,
                one.last_error,
            )
            for one in found
        ]

    async def retry(self, actor: Actor, job_id: str) -> None:
        """Begin its attempts anew. Raises `NotFound` or `Conflict` (it wasn't given up)."""
        await self._db.write(_retry, actor, job_id, self._clock.wall_ms())

    async def drop(self, actor: Actor, job_id: str) -> None:
        """Forget it. Raises `NotFound` or `Conflict` (it wasn't given up)."""
        await self._db.write(_drop, actor, job_id, self._clock.wall_ms())

    async def send_test(self, user: User) -> None:
        """Mail `user` a few words, to see whether mail arrives."""
        written = self._letterhead.mail(
            user.email,
            "A test",
            f"Hello {user.username},",
            "you asked for this mail on the admin pages. Since you read it, mail works.",
        )
        await self._db.write(mail.send, written, self._clock.wall_ms())


def _retry(tx: Transaction, actor: Actor, job_id: str, now_ms: int) -> None:
    audit.append(tx, actor, "job.retry", _target(jobs.retry(tx, job_id, now_ms)), now_ms)


def _drop(tx: Transaction, actor: Actor, job_id: str, now_ms: int) -> None:
    audit.append(tx, actor, "job.drop", _target(jobs.drop(tx, job_id)), now_ms)


def _target(job: Job) -> Target:
    return Target("job", job.id, job.kind)
