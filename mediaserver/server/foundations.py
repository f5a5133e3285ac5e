"""What every feature stands on: clock, database, vault, mail, jobs, accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import mediaserver
from mediaserver.accounts.accounts import Accounts
from mediaserver.kernel import limits, mail
from mediaserver.kernel.addresses import AddressList
from mediaserver.kernel.clock import Clock, SystemClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Invalid, Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.images import Images
from mediaserver.kernel.mail import Letterhead, Mailbox, Smtp
from mediaserver.kernel.outbound import Outbound
from mediaserver.kernel.settings import Settings
from mediaserver.kernel.vault import Vault
from mediaserver.kernel.worker import Worker
from mediaserver.money import amount_settings


@dataclass(frozen=True, slots=True)
class Foundations:
    """`stack` closes what features open, the last one first. `jobs` doesn't run yet."""

    stack: AsyncExitStack
    config: Config
    clock: Clock
    events: Events
    db: Database
    settings: Settings
    vault: Vault
    letterhead: Letterhead
    smtp: Smtp
    mailbox: Mailbox
    jobs: Worker
    outbound: Outbound
    images: Images
    accounts: Accounts

    def tidy(self, **deletes: Callable[[], Awaitable[None]]) -> None:
        """Have each run once an hour, under its name."""
        for name, delete in deletes.items():
            self.jobs.repeat(name.replace("_", "-"), delete, limits.HOUSEKEEPING_INTERVAL_MS)


async def lay(stack: AsyncExitStack, config: Config, url: Callable[[], str]) -> Foundations:
    """`url` gives the site's own address, once it is known. Raises `Invalid` or `Unavailable`."""
    make_storage(config)
    clock, events = SystemClock(), Events()
    db = await stack.enter_async_context(Database(config.database_url, events))
    settings = await _settings(db, clock, config)
    vault = Vault.open(config.storage.path, config.storage.master_key)
    letterhead = Letterhead(lambda: config.site.name, url, vault.mac)
    smtp, mailbox = Smtp(config.mail, _sender(config), clock), Mailbox(db, clock)
    jobs = Worker(db, clock, events)
    transport = smtp if config.mail.smtp_host else mailbox
    jobs.register(mail.JOB, mail.handler(transport), keeps_payload=False)
    outbound = await stack.enter_async_context(_outbound(config))
    accounts = await Accounts.open(db, clock, vault, letterhead, config.accounts)
    stack.push_async_callback(accounts.aclose)
    base = Foundations(
        stack,
        config,
        clock,
        events,
        db,
        settings,
        vault,
        letterhead,
        smtp,
        mailbox,
        jobs,
        outbound,
        Images(),
        accounts,
    )
    base.tidy(
        delete_ended_jobs=jobs.delete_ended,
        delete_old_mail=mailbox.delete_old,
        delete_expired_accounts=accounts.delete_expired,
    )
    return base


async def _settings(db: Database, clock: Clock, config: Config) -> Settings:
    try:
        return await Settings.open(db, clock, config, {"money": amount_settings.check})
    except Invalid as error:
        key = f"money.{error.field}"
        raise Invalid(f"{key}: {error.message}", field=key) from error


def make_storage(config: Config) -> None:
    """Raises `Unavailable` when the folder can't be made."""
    try:
        config.storage.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Unavailable(
            f"The storage folder {config.storage.path} can't be made: {error.strerror}"
        ) from error


def _outbound(config: Config) -> Outbound:
    """The client for addresses that people have typed."""
    try:
        allowed = AddressList(config.webhooks.allow)
    except ValueError as error:
        raise Invalid(f"webhooks.allow: {error}", field="webhooks.allow") from error
    return Outbound(allowed, user_agent=f"mediaserver/{mediaserver.__version__}")


def _sender(config: Config) -> str:
    """From whom the site's mail is."""
    if config.mail.sender:
        return config.mail.sender
    host = urlsplit(config.site.public_url).hostname or "localhost.localdomain"
    return f"noreply@{host}"
