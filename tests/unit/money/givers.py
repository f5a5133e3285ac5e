"""Somebody with money and somebody to give it to, for the tests of tips and what follows."""

from __future__ import annotations

from typing import Any

from mediaserver.accounts.users import User, set_verified
from mediaserver.channels.channels import Channel, Channels
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig, MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.ids import new_id
from mediaserver.money import ledger
from mediaserver.money.contributions import Contribution, Words
from mediaserver.money.ledger import Account, Kind, Posting, Transfer
from mediaserver.money.tips import Tips

CONFIG = MoneyConfig()
SANDBOX = ledger.clearing_of("sandbox", "USD")


async def fund(db: Database, user: User, amount_minor: int, now_ms: int = 1) -> None:
    """Money in somebody's wallet, as a top-up books it."""
    key = f"payment:{new_id('pay')}"
    wallet = ledger.wallet_of(user.id, "USD")
    posting = Posting("topup", key, (Transfer(SANDBOX, wallet, amount_minor),), subject=key)
    await db.write(ledger.post, posting, now_ms)


async def open_channel(
    db: Database, clock: FakeClock, owner: User, slug: str = "alice-tv", *, is_verified: bool = True
) -> Channel:
    """A channel that may receive money."""
    channels = Channels(db, clock, AccountsConfig())
    made = await channels.create(owner, slug, slug.title())
    await db.write(set_verified, owner.id, is_verified=is_verified)
    return await channels.get(made.slug)


async def held(db: Database, kind: Kind, owner: str) -> int:
    """What an account holds, in cents."""
    return (await db.read(ledger.balance, Account(kind, owner, "USD"))).amount_minor


async def give(
    tips: Tips, sender: User, slug: str, amount_minor: int, *, message: str = "", **more: Any
) -> Contribution:
    return await tips.give(sender, slug, amount_minor, Words.checked(message, **more))
