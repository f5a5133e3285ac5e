"""The mail that features have written and nobody has delivered yet."""

from __future__ import annotations

import json

from sqlalchemy import select

from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.jobs import job
from mediaserver.kernel.mail import JOB
from tests.mailbox import Letter


class Outbox:
    """Reads the jobs of a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def letters(self, to: str) -> list[Letter]:
        """To one address, oldest first."""

        def waiting(tx: Transaction) -> list[str]:
            mails = select(job.c.payload).where(job.c.kind == JOB)
            return list(tx.execute(mails.order_by(job.c.created_at_ms, job.c.id)).scalars())

        mails = [json.loads(payload) for payload in await self._db.read(waiting)]
        return [
            Letter(mail["to"], mail["subject"], mail["body"]) for mail in mails if mail["to"] == to
        ]

    async def newest(self, to: str) -> Letter:
        return (await self.letters(to))[-1]
