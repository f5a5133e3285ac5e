"""A channel that may receive, people with money in their wallets, and contributions of theirs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update

from mediaserver.accounts.users import User, user_account
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.money import contributions, ledger
from mediaserver.money.contributions import Contribution, Offer, Words
from mediaserver.money.ledger import Posting, Transfer, clearing_of, wallet_of

GATEWAY = clearing_of("sandbox", "USD")


def verify(tx: Transaction, user_id: str) -> None:
    tx.execute(update(user_account).where(user_account.c.id == user_id).values(is_verified=1))


@dataclass
class Giving:
    """Gives to one channel, at the moment of the clock."""

    db: Database
    clock: FakeClock
    channel: Channel

    async def give(
        self,
        amount_minor: int,
        sender: User | None = None,
        message: str = "",
        *,
        name: str = "",
        is_anonymous: bool = False,
        to: Channel | None = None,
    ) -> Contribution:
        """A tip of `sender`, whose wallet gets as much first; a donation of a guest without one.
        Each comes a moment after the one before.
        """
        self.clock.advance(1)
        return await self.db.write(
            _give,
            to or self.channel,
            sender,
            Words(message, name, is_anonymous),
            amount_minor,
            self.clock.wall_ms(),
        )

    async def fresh(self, given: Contribution) -> Contribution:
        return await self.db.read(contributions.get, given.id)


def _give(
    tx: Transaction,
    found: Channel,
    sender: User | None,
    words: Words,
    amount_minor: int,
    now_ms: int,
) -> Contribution:
    kind = "donation" if sender is None else "tip"
    offer = Offer(kind, found, sender, words, amount_minor, "USD", 2200)
    given = contributions.create(tx, offer, "open", now_ms)
    source = GATEWAY
    if sender is not None:
        source = wallet_of(sender.id, "USD")
        top_up = Transfer(GATEWAY, source, amount_minor)
        ledger.post(tx, Posting("topup", f"test:{given.id}", (top_up,), subject=given.id), now_ms)
    return contributions.pay(tx, given, source, now_ms, maturity_days=14)


async def verified(db: Database, channel: Channel) -> Channel:
    """The channel of a streamer whom an admin has verified."""
    await db.write(verify, channel.owner_id)
    return await db.read(channels.get, channel.slug)
