"""Tells people of a log-in from where they are not known, so that a thief is noticed.

It is a notice without a mail: most such log-ins are one's own new phone. What changes the account
itself is mailed by accounts/credentials.py. Made by server/features.py.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from mediaserver.accounts.sessions import NewDevice
from mediaserver.kernel import limits
from mediaserver.kernel.db import Database
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

        self._writer = EventWriter[NewDevice]("log-ins", self._tell, limits.LOG_INS_WAITING_MAX)
        events.subscribe(NewDevice, self._writer.put)

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

    async def _tell(self, event: NewDevice) -> None:
        body = (
            f"Somebody has logged in to your account from {event.address or 'an unknown address'} "
            "with a browser you don't use elsewhere. If that wasn't you, change your password."
        )
        await self._db.write(
            tell,
            self._letterhead,
            event.user_id,
            Topic.ACCOUNT,
            _TITLE,
            body,
            "/settings/security",
            event.at_ms,
            mails=False,
        )
