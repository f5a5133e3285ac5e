"""Devices: where somebody is logged in, browsers and programs alike, and how they end it.

Called by the settings, the API and the admin's page of an account; sessions.py and tokens.py own
the tables.
"""

from __future__ import annotations

from mediaserver.accounts import sessions, tokens
from mediaserver.accounts.sessions import Device, LoggedIn
from mediaserver.accounts.users import User
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.ids import is_id


class Devices:
    """Lists them and logs them out."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def list(self, user: User) -> list[Device]:
        """Where `user` is logged in, last seen first."""
        return await self._db.read(list_of, user.id, self._clock.wall_ms())

    async def revoke(self, user: User, device_id: str) -> None:
        """Log one out. Raises `NotFound`."""
        await self._db.write(_revoke, user.id, device_id, self._clock.wall_ms())

    async def end_others(self, user: User, *, keep_session: str | None) -> None:
        """Log `user` out everywhere, but for the session with the token `keep_session`."""
        await self._db.write(end_all, user.id, self._clock.wall_ms(), keep_session=keep_session)


def list_of(tx: Transaction, user_id: str, now_ms: int) -> list[Device]:
    """Where somebody is logged in, last seen first."""
    found = [*sessions.list_of(tx, user_id, now_ms), *tokens.list_of(tx, user_id, now_ms)]
    return sorted(found, key=lambda device: device.seen_at_ms, reverse=True)


def is_new(tx: Transaction, event: LoggedIn) -> bool:
    """Whether somebody has logged in while they are logged in elsewhere, and nothing there is
    alike: neither the address nor the program.
    """
    known = [
        device for device in list_of(tx, event.user_id, event.at_ms) if device.id != event.log_in_id
    ]
    return bool(known) and all(
        device.address != event.address and device.user_agent != event.user_agent
        for device in known
    )


def end_all(tx: Transaction, user_id: str, now_ms: int, *, keep_session: str | None) -> None:
    """Log a user out everywhere, but for the session with the token `keep_session`."""
    sessions.end_all(tx, user_id, keep=keep_session)
    tokens.revoke_all(tx, user_id, now_ms)


def _revoke(tx: Transaction, user_id: str, device_id: str, now_ms: int) -> None:
    is_ended = False
    if is_id(device_id, sessions.ID):
        is_ended = sessions.revoke(tx, user_id, device_id)
    elif is_id(device_id, tokens.ID):
        is_ended = tokens.revoke(tx, user_id, device_id, now_ms)
    if not is_ended:
        raise NotFound("That device isn't logged in any more.")
