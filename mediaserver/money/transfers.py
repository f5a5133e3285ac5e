"""Transfers straight to a streamer: a donor says that one is on its way, the streamer that it came.

The site never holds that money: it is a memo in the ledger, has no commission and is no part of
what can be withdrawn.

    declared ──▶ paid       the streamer confirms
         └─────▶ rejected   it didn't come
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.permissions import Action, Thing, check
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import contributions, idempotency, ledger
from mediaserver.money.contributions import (
    Contribution,
    Offer,
    Words,
    contribution,
    to_contribution,
)
from mediaserver.money.currencies import checked_amount, currency_of, formatted, money
from mediaserver.money.gateways.manual import reference_code
from mediaserver.money.giving import terms_of
from mediaserver.money.ledger import Kind
from mediaserver.notifications.notices import Topic, tell

_RULE = Rule("transfer", limits.PAYMENTS_BURST, limits.PAYMENTS_INTERVAL_MS)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What somebody says to have sent. `address`: the network's, from which they came."""

    slug: str
    amount_minor: int
    words: Words
    address: str = ""


class Transfers:
    """Takes declarations, and what streamers say to them."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        config: MoneyConfig,
        throttles: Throttles,
        letterhead: Letterhead,
    ) -> None:
        self._db = db
        self._clock = clock
        self._config = config
        self._throttles = throttles
        self._letterhead = letterhead

    async def announced(self, contribution_id: str) -> Contribution:
        """What somebody said to have sent. Raises `NotFound`."""
        return await self._db.read(_announced, contribution_id)

    async def declare(
        self, sender: User | None, said: Declaration, key: str | None = None
    ) -> Contribution:
        """Say that a transfer is on its way. Raises `NotFound`, `Forbidden`, `Invalid`, `Conflict`
        or `RateLimited`.
        """
        if not self._config.enabled:
            raise NotFound("There are no donations here.", code="no_money")
        if sender is not None:
            check(sender, Action.GIVE)
        await self._throttles.charge((_RULE, _RULE.key(sender.id if sender else said.address)))
        now_ms = self._clock.wall_ms()
        asked = (self._config, self._letterhead, sender, said, key, now_ms)
        try:
            return await self._db.write(_declare, *asked)
        except IntegrityError:  # the same key from two tabs at once: now the other one's is there
            return await self._db.write(_declare, *asked)

    async def page(
        self, actor: User, slug: str, *, only_open: bool, after: str | None = None
    ) -> list[Contribution]:
        """Those of a channel, newest first, behind the one with the id `after`. Raises `NotFound`
        or `Forbidden`.
        """
        return await self._db.read(_page, actor, slug, only_open, after)

    async def received_minor(self, actor: User) -> int:
        """What somebody has confirmed to have got, in all; never part of what can be withdrawn."""
        return await self._db.read(_received, actor.id, self._config.currency)

    async def confirm(self, actor: User, contribution_id: str) -> Contribution:
        """It has come. Raises `NotFound`, `Forbidden` or `Conflict` (decided already)."""
        return await self._db.write(
            _decide, self._config, actor, contribution_id, True, self._clock.wall_ms()
        )

    async def reject(self, actor: User, contribution_id: str) -> Contribution:
        """It didn't come. Raises `NotFound`, `Forbidden` or `Conflict` (decided already)."""
        return await self._db.write(
            _decide, self._config, actor, contribution_id, False, self._clock.wall_ms()
        )


def _announced(tx: Transaction, contribution_id: str) -> Contribution:
    given = contributions.get(tx, contribution_id)
    if given.kind != "transfer":
        raise NotFound("There is no such transfer.", code="contribution_not_found")
    return given


def _declare(
    tx: Transaction,
    config: MoneyConfig,
    letterhead: Letterhead,
    sender: User | None,
    said: Declaration,
    key: str | None,
    now_ms: int,
) -> Contribution:
    found = channels.get(tx, said.slug)
    asked = idempotency.Request.of(key, "transfer", found.id, said.amount_minor, said.words)
    if sender is None:
        first = idempotency.first_of_guest(tx, found.id, asked)
    else:
        first = idempotency.first_contribution(tx, sender, asked)
    if first is not None:
        return first
    contributions.check_may_receive(tx, found, sender, now_ms)
    terms = terms_of(tx, found.id, config)
    if not (terms.takes_transfers and terms.transfer_instructions):
        raise Forbidden("This channel takes no transfers.", code="no_transfers")
    checked_amount(said.amount_minor)
    if said.amount_minor < terms.donation_minor_min:
        least = formatted(terms.donation_minor_min, currency_of(config.currency))
        raise Invalid(
            f"The smallest donation here is {least}.",
            field="amount_minor",
            code="amount_too_small",
        )
    offer = Offer(
        "transfer",
        found,
        sender,
        said.words,
        said.amount_minor,
        config.currency,
        0,
        idempotency_key=asked.key,
        request_hash=asked.hash,
    )
    declared = contributions.create(tx, offer, "declared", now_ms)
    _tell_streamer(tx, letterhead, found, declared, now_ms)
    return declared


def _tell_streamer(
    tx: Transaction, letterhead: Letterhead, found: Channel, declared: Contribution, now_ms: int
) -> None:
    amount = money(declared.amount_minor, declared.currency)
    body = (
        f"{declared.public_name} says that a transfer of {amount} to {found.name} is on its way, "
        f"with the reference {reference_code(declared.id)}. Say in the studio whether it came."
    )
    path = f"/studio/{found.slug}/transfers"
    title = f"A transfer of {amount} is announced"
    tell(tx, letterhead, found.owner_id, Topic.GIFTS, title, body, path, now_ms)


def _page(
    tx: Transaction, actor: User, slug: str, only_open: bool, after: str | None
) -> list[Contribution]:
    found = channels.get(tx, slug)
    check(actor, Action.MANAGE_MONEY, Thing(found.owner_id))
    query = select(contribution).where(
        contribution.c.recipient_id == found.owner_id,
        contribution.c.channel_id == found.id,
        contribution.c.kind == "transfer",
    )
    if only_open:
        query = query.where(contribution.c.state == "declared")
    rows = rows_behind(tx, query, contribution.c.created_at_ms, after, limits.PAYMENTS_LISTED_MAX)
    return [to_contribution(row) for row in rows]


def _received(tx: Transaction, user_id: str, currency: str) -> int:
    account = ledger.Account(Kind.DIRECT_RECEIVED, user_id, currency)
    return ledger.balance(tx, account).amount_minor


def _decide(
    tx: Transaction,
    config: MoneyConfig,
    actor: User,
    contribution_id: str,
    is_here: bool,
    now_ms: int,
) -> Contribution:
    given = contributions.get(tx, contribution_id, locks=True)
    if given.kind != "transfer" or given.channel_id is None:
        raise NotFound("There is no such transfer.", code="contribution_not_found")
    channel = channels.get_by_id(tx, given.channel_id)
    check(actor, Action.MANAGE_MONEY, Thing(channel.owner_id))
    if actor.id != channel.owner_id:  # an admin doesn't see the streamer's bank
        raise Forbidden("Only the streamer can say that it came.", code="not_yours")
    wanted = "paid" if is_here else "rejected"
    if given.state == wanted:
        return given
    if given.state != "declared":
        raise Conflict("That is decided already.", code="wrong_state")
    if not is_here:
        contributions.end(tx, given, "rejected")
        return contributions.get(tx, given.id)
    nowhere = ledger.site_account(Kind.DIRECT_GIVEN, given.currency)
    return contributions.pay(tx, given, nowhere, now_ms, maturity_days=config.maturity_days)
