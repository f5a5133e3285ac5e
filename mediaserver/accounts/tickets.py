"""Tickets: one connection to /socket.io/ for a client that can send no header there.

A ticket works once, within a minute, and only as long as the log-in stands that it was got with.
Kept in memory: whoever loses one to a restart asks for another.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.accounts import personal_tokens, sessions, tokens
from mediaserver.accounts.users import User, reload
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Unauthorized
from mediaserver.kernel.ids import digest, new_secret


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose connection it is. `log_in`: the id of the session, token family or personal token that
    the ticket was got with.
    """

    user: User
    log_in: str


@dataclass(frozen=True, slots=True)
class _Issued:
    user: User
    log_in: str
    expires_at_ms: int


class Tickets:
    """Issues and redeems them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

        self._issued: dict[str, _Issued] = {}

    def issue(self, user: User, log_in: str) -> str:
        """A ticket for `user`, who called with the session or token with the id `log_in`."""
        now_ms = self._clock.monotonic_ms()
        self._forget_old(now_ms)
        ticket = new_secret()
        expires_at_ms = now_ms + limits.REALTIME_TICKET_S * 1000
        self._issued[digest(ticket)] = _Issued(user, log_in, expires_at_ms)
        return ticket

    async def redeem(self, ticket: str) -> Holder:
        """Whose ticket this was; it opens nothing any more. Raises `Unauthorized`."""
        now_ms = self._clock.monotonic_ms()
        issued = None
        if len(ticket) <= limits.TOKEN_CHARS_MAX:
            issued = self._issued.pop(digest(ticket), None)
        user = None
        if issued is not None and issued.expires_at_ms > now_ms:
            user = await self._db.read(_user_of, issued.user, issued.log_in, self._clock.wall_ms())
        if issued is None or user is None:
            raise Unauthorized("The ticket is not valid.", code="invalid_token")
        return Holder(user, issued.log_in)

    async def still_stands(self, holder: Holder) -> bool:
        """False once the log-in has ended that the ticket was got with."""
        user = await self._db.read(_user_of, holder.user, holder.log_in, self._clock.wall_ms())
        return user is not None

    def _forget_old(self, now_ms: int) -> None:
        """The oldest come first."""
        for key, issued in list(self._issued.items()):
            if issued.expires_at_ms > now_ms and len(self._issued) < limits.REALTIME_TICKETS_MAX:
                return
            del self._issued[key]


def _user_of(tx: Transaction, user: User, log_in: str, now_ms: int) -> User | None:
    """The user, if the log-in stands."""
    stands = (
        sessions.is_open(tx, log_in, now_ms)
        or tokens.is_open(tx, log_in, now_ms)
        or personal_tokens.is_open(tx, log_in, now_ms)
    )
    return reload(tx, user) if stands else None
