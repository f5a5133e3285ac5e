"""Renewals: what time does to memberships. One job at the end of each period, made together with
it, so that it is done however long the site was off.

It charges the next period. What can't be paid goes on for some days, in which the wallet is looked
at again and again; then it ends, and nobody owes anything. Nothing is charged for time that was
over before anybody could have used it.
"""

from __future__ import annotations

import structlog
from sqlalchemy import and_, func, or_, select

from mediaserver.accounts import users
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.jobs import Payload
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.worker import TooEarly
from mediaserver.memberships import memberships, plans
from mediaserver.memberships.letters import Letters
from mediaserver.memberships.memberships import EndedFor, Membership, Term, membership
from mediaserver.memberships.plans import Plan

_log = structlog.get_logger(__name__)


class Renewals:
    """Does the jobs `RENEW` and `TELL`, and once an hour what no job did."""

    def __init__(self, db: Database, clock: Clock, letterhead: Letterhead) -> None:
        self._db = db
        self._clock = clock
        self._letters = Letters(letterhead)

    async def renew(self, payload: Payload) -> None:
        """What is due for one membership. Raises `TooEarly` while something is waited for."""
        now_ms = self._clock.wall_ms()
        again_ms = await self._db.write(
            renew, self._letters, payload["membership"], payload["number"], now_ms
        )
        if again_ms is not None:
            raise TooEarly(again_ms)

    async def tell(self, payload: Payload) -> None:
        """Tell every member of a plan what is new about it, some in each transaction."""
        while await self._db.write(
            tell_some, self._letters, payload["plan"], self._clock.wall_ms()
        ):
            pass

    async def catch_up(self) -> None:
        """Renew what is due and has no job any more: somebody dropped it, or it was given up."""
        now_ms = self._clock.wall_ms()
        for membership_id, number in await self._db.read(overdue, now_ms):
            _log.warning("membership is renewed late", membership=membership_id)
            await self._db.write(renew, self._letters, membership_id, number, now_ms)


def renew(
    tx: Transaction, letters: Letters, membership_id: str, number: int, now_ms: int
) -> int | None:
    """Charge the period behind charge `number`, or end it; when to look again, if it isn't done."""
    due = memberships.locked(tx, membership_id)
    if due is None or due.state == "ended" or due.number != number:
        return None
    if now_ms < due.ends_at_ms:
        return due.ends_at_ms  # the clock was set back
    return settle(tx, letters, due, now_ms)


def settle(tx: Transaction, letters: Letters, due: Membership, now_ms: int) -> int | None:
    """What follows on the period that is over: the next one, some days more, or the end. `due` is
    locked; when to look again, if it isn't done.
    """
    assert due.user_id is not None
    plan = plans.get(tx, due.next_plan_id or due.plan_id)
    if due.next_plan_id is not None and plan.state == "withdrawn":  # they keep what they have
        due = memberships.changed(tx, due, next_plan_id=None, next_plan_price_minor=None)
        plan = plans.get(tx, due.plan_id)
    why = _why_to_end(tx, due, plan)
    if why is not None:
        _end(tx, letters, due, why, now_ms)
        return None
    problem = memberships.why_not_payable(tx, due, due.next_price_minor)
    if problem is None:
        _charge(tx, letters, due, plan, now_ms)
        return None
    if due.grace_until_ms is not None and now_ms >= due.grace_until_ms:
        _end(tx, letters, due, "unpaid", now_ms)
        return None
    until_ms = due.grace_until_ms
    if until_ms is None:
        until_ms = now_ms + limits.MEMBERSHIP_GRACE_MS
        grace = memberships.changed(tx, due, state="grace", grace_until_ms=until_ms)
        letters.unpaid(tx, grace, plan, problem == "frozen", now_ms)
    return min(until_ms, now_ms + limits.MEMBERSHIP_RETRY_MS)


def _why_to_end(tx: Transaction, due: Membership, plan: Plan) -> EndedFor | None:
    assert due.user_id is not None
    person = users.find_by_id(tx, due.user_id)
    if plan.state == "withdrawn":
        return "withdrawn"
    if due.is_cancelled:
        return "cancelled"
    return "banned" if person is None or person.is_banned else None


def _end(tx: Transaction, letters: Letters, due: Membership, why: EndedFor, now_ms: int) -> None:
    assert due.user_id is not None
    memberships.end(tx, due, why, now_ms)
    letters.ended(tx, due.user_id, plans.get(tx, due.plan_id), why, now_ms)
    _log.info("membership ended", membership=due.id, why=why)


def _charge(tx: Transaction, letters: Letters, due: Membership, plan: Plan, now_ms: int) -> None:
    assert due.user_id is not None
    price_minor, number = due.next_price_minor, due.number + 1
    term = Term(number, due.anchor_ms, due.anchor_months + plan.months, due.ends_at_ms)
    if term.ends_at_ms <= now_ms:  # the site was off for all of it
        term = Term.beginning(number, plan, now_ms)
    paid, made = memberships.charge(tx, due, plan, term, price_minor, now_ms)
    letters.renewed(tx, due.user_id, plan, made.amount_minor, paid.ends_at_ms, now_ms)
    tell_price(tx, letters, paid, plan, now_ms)


def overdue(tx: Transaction, now_ms: int) -> list[tuple[str, int]]:
    """Memberships that should have been seen to an hour ago: their ids and last charges."""
    late_ms = now_ms - limits.HOUSEKEEPING_INTERVAL_MS
    c = membership.c
    rows = tx.execute(
        select(c.id, c.number)
        .where(
            or_(
                and_(c.state == "active", c.ends_at_ms < late_ms),
                and_(c.state == "grace", c.grace_until_ms < late_ms),
            )
        )
        .order_by(c.ends_at_ms)
        .limit(limits.MEMBERSHIPS_AT_ONCE)
    )
    return [(row.id, row.number) for row in rows]


def tell_price(tx: Transaction, letters: Letters, one: Membership, plan: Plan, now_ms: int) -> None:
    """If the plan's price isn't what they know of, tell them, and from when on they pay it."""
    known = one.price_minor if one.new_price_minor is None else one.new_price_minor
    if plan.price_minor == known or one.user_id is None:
        return
    if plan.price_minor == one.price_minor:
        memberships.changed(tx, one, new_price_minor=None, new_price_from_ms=None)
        letters.price_stays(tx, one.user_id, plan, now_ms)
        return
    is_higher = plan.price_minor > one.price_minor
    from_ms = now_ms + (limits.MEMBERSHIP_PRICE_NOTICE_MS if is_higher else 0)
    memberships.changed(tx, one, new_price_minor=plan.price_minor, new_price_from_ms=from_ms)
    letters.price_changes(tx, one.user_id, plan, one.price_minor, from_ms, now_ms)


def tell_some(tx: Transaction, letters: Letters, plan_id: str, now_ms: int) -> bool:
    """Tell members of a plan who don't know yet; whether there may be more of them."""
    plan = plans.get(tx, plan_id)
    c = membership.c
    query = select(c.id).where(c.plan_id == plan_id, c.state != "ended", c.is_cancelled == 0)
    if plan.state != "withdrawn":
        query = query.where(func.coalesce(c.new_price_minor, c.price_minor) != plan.price_minor)
    ids = tx.execute(query.order_by(c.id).limit(limits.MEMBERSHIPS_AT_ONCE)).scalars().all()
    for one in filter(None, (memberships.locked(tx, found) for found in ids)):
        if plan.state != "withdrawn":
            tell_price(tx, letters, one, plan, now_ms)
        elif one.user_id is not None:
            memberships.changed(tx, one, is_cancelled=1)
            letters.withdrawn(tx, one.user_id, plan, one.ends_at_ms, now_ms)
    return len(ids) == limits.MEMBERSHIPS_AT_ONCE
