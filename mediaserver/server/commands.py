"""What the command line asks for, without a site that runs for it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import Users
from mediaserver.admin import real_money
from mediaserver.admin.real_money import Forgotten
from mediaserver.channels.channels import Channels
from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database
from mediaserver.kernel.db.lock import DatabaseInUse
from mediaserver.kernel.events import Events
from mediaserver.routes import control
from mediaserver.server.foundations import make_storage


async def run_command(config: Config, command: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Do what the command line asks: here, or in the running site when it holds the database."""
    make_storage(config)
    clock = SystemClock()
    try:
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(Database(config.database_url, Events()))
            passwords = Passwords()
            stack.push_async_callback(passwords.aclose)
            users = Users(db, clock, passwords, Throttles(db, clock))
            channels = Channels(db, clock, config.accounts)
            return await control.run(users, channels, command, wanted)
    except DatabaseInUse:
        return await control.ask(config.storage.path, command, wanted)


async def forget_test_money(config: Config) -> Forgotten:
    """Empty the books of a site that doesn't run. Raises `Conflict`, or `Unavailable` (it runs)."""
    async with Database(config.database_url, Events()) as db:
        return await db.write(real_money.forget_test_money, SystemClock().wall_ms())
