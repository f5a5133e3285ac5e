"""Tells people of a log-in from where they are not known, so that a thief is noticed.

It is a notice without a mail: most such log-ins are one's own new phone. What changes the account
itself is mailed by accounts/credentials.py. Made by server/features.py.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from mediaserver.accounts.devices import is_new
from mediaserver.accounts.sessions import LoggedIn
from mediaserver.kernel import limits
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.event_writer import EventWriter
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.notifications.notices import Topic, tell

_TITLE = "New log-in"


class LogIns:
    """An async context manager; it listens from the start and writes from entering to leaving.
    Where the database didn't answer, somebody may be told twice.
    """

    def __init__(self, db: Database, events: Events, letterhead: Letterhead) -> None:
        self._db = db
        self._letterhead = letterhead

        self._writer = EventWriter[LoggedIn]("log-ins", self._write, limits.LOG_INS_WAITING_MAX)
        events.subscribe(LoggedIn, self._writer.put)

    async def __aenter__(self) -> Self:
        await self._writer.__aenter__()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._writer.__aexit__(exception_type, exception, traceback)

    async def _write(self, event: LoggedIn) -> None:
        await self._db.write(self._tell_if_new, event)

    def _tell_if_new(self, tx: Transaction, event: LoggedIn) -> None:
        if not is_new(tx, event):
            return
        body = (
            f"Somebody has logged in to your account from {event.address or 'an unknown address'} "
            "with a browser or program that you don't use elsewhere. If that wasn't you, change "
            "your password."
        )
        tell(
            tx,
            self._letterhead,
            event.user_id,
            Topic.ACCOUNT,
            _TITLE,
            body,
            "/settings/security",
            event.at_ms,
            mails=False,
        )
