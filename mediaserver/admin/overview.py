"""The overview of the admin desk: what waits for an admin, and a few facts about the site.

Each feature says what of its own may wait (`Queue`); server/waiting.py lists them. Owns no table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from mediaserver.accounts import administration
from mediaserver.channels.channels import channel
from mediaserver.kernel import jobs, mail
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction


@dataclass(frozen=True, slots=True)
class Queue:
    """What may wait for an admin. `one` and `many` follow the number on the page, `path` is where
    it is seen to; `count` must be quick, as every visit of the overview asks it.
    """

    name: str
    one: str
    many: str
    path: str
    count: Callable[[Transaction], int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """So much of one queue waits now."""

    name: str
    count: int
    text: str
    path: str


@dataclass(frozen=True, slots=True)
class Facts:
    """`uptime_ms`: since the site was started."""

    users: int
    channels: int
    uptime_ms: int


class Overview:
    """Counts what waits."""

    def __init__(self, db: Database, clock: Clock, queues: Sequence[Queue]) -> None:
        self._db = db
        self._clock = clock
        self._queues = queues

        self._started_at_ms = clock.monotonic_ms()

    async def waiting(self) -> list[Waiting]:
        """What isn't empty, in the order of the queues."""
        return await self._db.read(self._waiting)

    async def facts(self) -> Facts:
        users, channels = await self._db.read(_counts)
        return Facts(users, channels, self._clock.monotonic_ms() - self._started_at_ms)

    def _waiting(self, tx: Transaction) -> list[Waiting]:
        counted = ((queue, queue.count(tx)) for queue in self._queues)
        return [
            Waiting(queue.name, count, queue.one if count == 1 else queue.many, queue.path)
            for queue, count in counted
            if count
        ]


def _counts(tx: Transaction) -> tuple[int, int]:
    channels = tx.execute(select(func.count()).select_from(channel)).scalar_one()
    return administration.count(tx), int(channels)


DEAD_MAIL = Queue(
    "dead-mail",
    "mail could not be sent",
    "mails could not be sent",
    "/admin/mail",
    lambda tx: jobs.count_dead(tx, only=mail.JOB),
)

DEAD_JOBS = Queue(
    "dead-jobs",
    "job was given up",
    "jobs were given up",
    "/admin/jobs",
    lambda tx: jobs.count_dead(tx, but=mail.JOB),
)
