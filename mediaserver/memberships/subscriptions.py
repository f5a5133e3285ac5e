"""Subscriptions: what people do with their membership: take one, change it, cancel it, go on.

A plan with a higher price comes at once, and what wasn't used of the one before is credited to the
minor unit; any other begins when the period ends. Called by routes.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User, is_premium_by_hand
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict
from mediaserver.kernel.mail import Letterhead
from mediaserver.memberships import memberships, plans, renewals
from mediaserver.memberships.letters import Letters
from mediaserver.memberships.memberships import Charge, Membership, Term
from mediaserver.memberships.periods import month_of, unused
from mediaserver.memberships.plans import Plan
from mediaserver.money import ledger
from mediaserver.money.idempotency import Request


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody's membership with its plans, and what their wallet holds."""

    membership: Membership | None
    plan: Plan | None
    next_plan: Plan | None
    wallet_minor: int
    is_premium_by_hand: bool


@dataclass(frozen=True, slots=True)
class Selling:
    """A plan as admins see it, with sums in minor units for calendar months in UTC."""

    plan: Plan
    members: int
    leaving: int
    this_month_minor: int
    last_month_minor: int


class Subscriptions:
    """People's own memberships."""

    def __init__(
        self, db: Database, clock: Clock, letterhead: Letterhead, config: MoneyConfig
    ) -> None:
        self._db = db
        self._clock = clock
        self._letters = Letters(letterhead)
        self._config = config

    async def standing(self, user: User) -> Standing:
        """What somebody has. Raises `Forbidden`."""
        check(user, Action.READ_OWN_MONEY)
        return await self._db.read(_standing, user.id, self._config.currency)

    async def charges(self, user: User, *, after: str | None = None) -> list[Charge]:
        """What they paid, newest first, behind the one with the id `after`. Raises `Forbidden`."""
        check(user, Action.READ_OWN_MONEY)
        return await self._db.read(memberships.charges_of, user.id, after)

    async def selling(self) -> list[Selling]:
        """Every plan with its members and income; the caller has checked that an admin asks."""
        return await self._db.read(_selling, self._clock.wall_ms())

    async def subscribe(
        self, user: User, plan_id: str, seen_price_minor: int | None, key: str | None = None
    ) -> Membership:
        """Take out a membership and pay its first period. `key` is the caller's: the same one
        answers the first membership. `seen_price_minor`: what they were shown, if they were.

        Raises `NotFound`, `Forbidden`, `Invalid` (the key) or `Conflict` ("member", "not_on_sale",
        "price_changed", "insufficient_funds", "frozen", "idempotency_key").
        """
        check(user, Action.SUBSCRIBE)
        asked = Request.of(key, "membership", plan_id)
        return await self._db.write(
            self._subscribe, user, plan_id, seen_price_minor, asked, self._clock.wall_ms()
        )

    async def change(self, user: User, plan_id: str, seen_price_minor: int | None) -> Membership:
        """Take another plan: one that costs more at once, any other when the period ends. Naming
        the present one takes such a wish back. Raises as `subscribe`, or "no_membership".
        """
        check(user, Action.SUBSCRIBE)
        return await self._db.write(
            self._change, user, plan_id, seen_price_minor, self._clock.wall_ms()
        )

    async def cancel(self, user: User) -> Membership:
        """It ends with the period; at once if that one isn't paid. Raises `Conflict`
        ("no_membership").
        """
        check(user, Action.READ_OWN_MONEY)  # who is banned may stop paying
        return await self._db.write(self._cancel, user, self._clock.wall_ms())

    async def resume(self, user: User) -> Membership:
        """It goes on after all. Raises `Forbidden` or `Conflict` ("no_membership", or its plan is
        "not_on_sale").
        """
        check(user, Action.SUBSCRIBE)
        return await self._db.write(self._resume, user, self._clock.wall_ms())

    def _subscribe(
        self,
        tx: Transaction,
        user: User,
        plan_id: str,
        seen_price_minor: int | None,
        asked: Request,
        now_ms: int,
    ) -> Membership:
        current = memberships.open_of(tx, user.id, locks=True)
        if (first := memberships.first_of(tx, user, asked)) is not None:
            return first
        if current is not None:
            raise Conflict("You have a membership already.", code="member")
        plan = self._sold(tx, plan_id, seen_price_minor)
        term = Term.beginning(1, plan, now_ms)
        begun = memberships.begin(tx, user.id, plan, term, asked, now_ms)
        paid, made = memberships.charge(tx, begun, plan, term, plan.price_minor, now_ms)
        self._letters.started(tx, user.id, plan, made.amount_minor, paid.ends_at_ms, now_ms)
        return paid

    def _change(
        self,
        tx: Transaction,
        user: User,
        plan_id: str,
        seen_price_minor: int | None,
        now_ms: int,
    ) -> Membership:
        current = _own(tx, user)
        if plan_id == current.plan_id:
            return memberships.changed(tx, current, next_plan_id=None, next_plan_price_minor=None)
        plan = self._sold(tx, plan_id, seen_price_minor)
        is_due = now_ms >= current.ends_at_ms
        if not is_due and plan.price_minor > current.price_minor:
            return self._upgrade(tx, user, current, plan, now_ms)
        later = memberships.changed(
            tx,
            current,
            is_cancelled=0,
            next_plan_id=plan.id,
            next_plan_price_minor=plan.price_minor,
        )
        if is_due:
            renewals.settle(tx, self._letters, later, now_ms)
        return memberships.open_of(tx, user.id) or later

    def _upgrade(
        self, tx: Transaction, user: User, current: Membership, plan: Plan, now_ms: int
    ) -> Membership:
        credit_minor = unused(current.price_minor, current.starts_at_ms, current.ends_at_ms, now_ms)
        term = Term.beginning(current.number + 1, plan, now_ms)
        resumed = memberships.changed(tx, current, is_cancelled=0)
        paid, made = memberships.charge(
            tx, resumed, plan, term, plan.price_minor, now_ms, credit_minor=credit_minor
        )
        self._letters.changed(tx, user.id, plan, made.amount_minor, paid.ends_at_ms, now_ms)
        return paid

    def _cancel(self, tx: Transaction, user: User, now_ms: int) -> Membership:
        current = _own(tx, user)
        if current.is_cancelled:
            return current
        plan = plans.get(tx, current.plan_id)
        if current.state == "grace":
            self._letters.ended(tx, user.id, plan, "cancelled", now_ms)
            return memberships.end(tx, current, "cancelled", now_ms)
        cancelled = memberships.changed(
            tx, current, is_cancelled=1, next_plan_id=None, next_plan_price_minor=None
        )
        self._letters.cancelled(tx, user.id, plan, current.ends_at_ms, now_ms)
        return cancelled

    def _resume(self, tx: Transaction, user: User, now_ms: int) -> Membership:
        current = _own(tx, user)
        if not current.is_cancelled:
            return current
        plan = plans.get(tx, current.plan_id)
        if plan.state == "withdrawn":
            raise _not_on_sale()
        resumed = memberships.changed(tx, current, is_cancelled=0)
        self._letters.resumed(tx, user.id, plan, current.ends_at_ms, now_ms)
        renewals.tell_price(tx, self._letters, resumed, plan, now_ms)
        return resumed

    def _sold(self, tx: Transaction, plan_id: str, seen_price_minor: int | None) -> Plan:
        """A plan that can be taken, for the price that was seen."""
        plan = plans.get(tx, plan_id)
        if plan.state != "on_sale" or plan.currency != self._config.currency:
            raise _not_on_sale()
        if seen_price_minor is not None and seen_price_minor != plan.price_minor:
            raise Conflict(
                "The price has changed meanwhile. Look at it once more.", code="price_changed"
            )
        return plan


def _not_on_sale() -> Conflict:
    return Conflict("This plan isn't offered any more.", code="not_on_sale")


def _own(tx: Transaction, user: User) -> Membership:
    found = memberships.open_of(tx, user.id, locks=True)
    if found is None:
        raise Conflict("You have no membership.", code="no_membership")
    return found


def _standing(tx: Transaction, user_id: str, currency: str) -> Standing:
    found = memberships.open_of(tx, user_id)
    wallet = ledger.balance(tx, ledger.wallet_of(user_id, currency))
    return Standing(
        found,
        None if found is None else plans.get(tx, found.plan_id),
        None if found is None or found.next_plan_id is None else plans.get(tx, found.next_plan_id),
        wallet.amount_minor,
        is_premium_by_hand(tx, user_id),
    )


def _selling(tx: Transaction, now_ms: int) -> list[Selling]:
    counts = memberships.count_by_plan(tx)
    this = memberships.income_by_plan(tx, *month_of(now_ms))
    last = memberships.income_by_plan(tx, *month_of(now_ms, 1))
    return [
        Selling(one, *counts.get(one.id, (0, 0)), this.get(one.id, 0), last.get(one.id, 0))
        for one in plans.list_all(tx)
    ]
