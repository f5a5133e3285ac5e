"""The first admin: a link that works once, printed by the server while there is no admin.

Only the digest of its token is stored; each start makes a new one. It dies when it is used or when
an admin comes into being by the command line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User, admin_exists, check_account, insert_user
from mediaserver.kernel import limits
from mediaserver.kernel.addresses import network_of
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction, values
from mediaserver.kernel.errors import Conflict, Unauthorized
from mediaserver.kernel.ids import digest, new_secret, same

T = TypeVar("T")

_DIGEST = "setup_token_digest"
_ATTEMPTS = Rule("setup", limits.SETUP_PER_ADDRESS_BURST, limits.SETUP_PER_ADDRESS_INTERVAL_MS)


class Setup:
    """Opens, checks and completes the set-up of a new site."""

    def __init__(
        self, db: Database, clock: Clock, passwords: Passwords, throttles: Throttles
    ) -> None:
        self._db = db
        self._clock = clock
        self._passwords = passwords
        self._throttles = throttles

        self._is_done = False

    async def open(self) -> str | None:
        """A fresh token while there is no admin, else None."""
        return await self._db.write(_open, self._clock.wall_ms())

    async def is_needed(self) -> bool:
        if not self._is_done:
            self._is_done = await self._db.read(admin_exists)
        return not self._is_done

    async def check(self, token: str, *, address: str) -> None:
        """Raise `Unauthorized` for a wrong token, `Conflict` when there is an admin already."""
        await self._throttles.check((_ATTEMPTS, _ATTEMPTS.key(network_of(address))))
        try:
            await self._db.read(_check, token)
        except Unauthorized:
            await self._throttles.charge((_ATTEMPTS, _ATTEMPTS.key(network_of(address))))
            raise

    async def complete(
        self,
        token: str,
        username: str,
        email: str,
        password: str,
        *,
        address: str,
        then: Callable[[Transaction, User], T],
    ) -> tuple[User, T]:
        """Make the admin and, in the same transaction, whatever `then` makes for them.

        Raises `Unauthorized` for a wrong or used token, `Conflict`, `Invalid`.
        """
        await self.check(token, address=address)
        username, email = check_account(username, email, password)
        hashed = await self._passwords.hash(password, network=network_of(address))

        def transaction(tx: Transaction) -> tuple[User, T]:
            _check(tx, token)
            if not values.remove(tx, _DIGEST):
                raise _wrong_token()
            user = insert_user(tx, username, email, hashed, True, self._clock.wall_ms())
            return user, then(tx, user)

        return await self._db.write(transaction)


def _open(tx: Transaction, now_ms: int) -> str | None:
    if admin_exists(tx):
        values.remove(tx, _DIGEST)
        return None
    token = new_secret()
    values.put(tx, _DIGEST, digest(token), now_ms)
    return token


def _check(tx: Transaction, token: str) -> None:
    if admin_exists(tx):
        raise Conflict("This site is set up already. Log in instead.", code="setup_done")
    stored = values.get(tx, _DIGEST)
    if stored is None or not same(stored, digest(token)):
        raise _wrong_token()


def _wrong_token() -> Unauthorized:
    return Unauthorized(
        "That set-up link doesn't work any more. Take the newest one from the terminal.",
        code="setup_token",
    )
