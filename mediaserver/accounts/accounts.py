"""Accounts: the parts of this package, made together.

Made by server/foundations.py; routes and Socket.IO use the parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.accounts.administration import Administration
from mediaserver.accounts.credentials import Credentials
from mediaserver.accounts.devices import Devices
from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.personal_tokens import PersonalTokens
from mediaserver.accounts.profiles import Profiles
from mediaserver.accounts.registrations import Registrations
from mediaserver.accounts.second_factor import SecondFactor
from mediaserver.accounts.sessions import Sessions
from mediaserver.accounts.setup import Setup
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.tickets import Tickets
from mediaserver.accounts.tokens import Tokens
from mediaserver.accounts.users import Users
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who people are, and how they show that it is them."""

    passwords: Passwords
    throttles: Throttles
    users: Users
    sessions: Sessions
    devices: Devices
    tokens: Tokens
    personal_tokens: PersonalTokens
    tickets: Tickets
    registrations: Registrations
    credentials: Credentials
    second_factor: SecondFactor
    profiles: Profiles
    setup: Setup
    administration: Administration

    @classmethod
    async def open(
        cls,
        db: Database,
        clock: Clock,
        vault: Vault,
        letterhead: Letterhead,
        config: AccountsConfig,
    ) -> Accounts:
        passwords = Passwords()
        throttles = Throttles(db, clock)
        return cls(
            passwords=passwords,
            throttles=throttles,
            users=Users(db, clock, passwords, throttles),
            sessions=Sessions(db, clock),
            devices=Devices(db, clock),
            tokens=await Tokens.open(db, clock, vault),
            personal_tokens=PersonalTokens(db, clock),
            tickets=Tickets(db, clock),
            registrations=Registrations(db, clock, vault, passwords, throttles, letterhead, config),
            credentials=Credentials(db, clock, vault, passwords, throttles, letterhead),
            second_factor=SecondFactor(db, clock, vault, throttles, letterhead),
            profiles=Profiles(db, clock),
            setup=Setup(db, clock, passwords, throttles),
            administration=Administration(db, clock, vault, letterhead),
        )

    async def aclose(self) -> None:
        await self.passwords.aclose()

    async def delete_expired(self) -> None:
        """Remove what opens nothing any more."""
        await self.sessions.delete_expired()
        await self.tokens.delete_expired()
        await self.registrations.delete_expired()
        await self.users.delete_retired_names()
        await self.throttles.delete_empty()
