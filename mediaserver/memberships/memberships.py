"""Memberships: who has which plan, until when, and what was charged for it.

    active ──▶ ended           cancelled, withdrawn, banned or deleted: at the end of what is paid
      ▲ └────▶ grace ──▶ ended     it couldn't be paid: a few days to put money into the wallet
      └──────────┘

At most one that isn't ended for each person. Money goes from the wallet to the site, under the key
`member:<membership>:<number of the charge>`, and there is never a debt. Owns the tables
`membership` and `membership_charge`; people use subscriptions.py, time uses renewals.py.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.accounts import users
from mediaserver.accounts.users import User
from mediaserver.kernel import jobs, limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import flag, identifier, int64, table, text
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.memberships.periods import months_after
from mediaserver.memberships.plans import Plan
from mediaserver.money import ledger
from mediaserver.money.idempotency import Request
from mediaserver.money.ledger import Kind, Posting, Transfer

PREFIX, _CHARGE = "mbr", "mch"

RENEW = "renew-membership"
"""The job at the end of each period; it stays through the days of grace."""

_OPEN = "state <> 'ended'"

membership = table(
    "membership",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    text("plan_id", ForeignKey("plan.id", ondelete="RESTRICT")),
    text("state"),
    flag("is_cancelled"),
    int64("price_minor"),
    text("currency"),
    int64("new_price_minor", nullable=True),
    int64("new_price_from_ms", nullable=True),
    text("next_plan_id", ForeignKey("plan.id", ondelete="RESTRICT"), nullable=True),
    int64("next_plan_price_minor", nullable=True),
    int64("number"),
    int64("anchor_ms"),
    int64("anchor_months"),
    int64("starts_at_ms"),
    int64("ends_at_ms"),
    int64("grace_until_ms", nullable=True),
    text("idempotency_key", nullable=True),
    text("request_hash", nullable=True),
    int64("created_at_ms"),
    int64("ended_at_ms", nullable=True),
    text("ended_for", nullable=True),
    UniqueConstraint("user_id", "idempotency_key"),
    CheckConstraint("state IN ('active', 'grace', 'ended')", name="state"),
    CheckConstraint("is_cancelled IN (0, 1)", name="is_cancelled"),
    CheckConstraint("state = 'ended' OR user_id IS NOT NULL", name="whose"),
    CheckConstraint(
        "ends_at_ms > starts_at_ms AND number > 0 AND anchor_months > 0", name="period"
    ),
    CheckConstraint("(state = 'grace') = (grace_until_ms IS NOT NULL)", name="grace"),
    CheckConstraint("(state = 'ended') = (ended_at_ms IS NOT NULL)", name="ended"),
    CheckConstraint("(ended_at_ms IS NULL) = (ended_for IS NULL)", name="ended_for"),
    CheckConstraint("(new_price_minor IS NULL) = (new_price_from_ms IS NULL)", name="new_price"),
    CheckConstraint("(next_plan_id IS NULL) = (next_plan_price_minor IS NULL)", name="next_plan"),
    Index(
        "uq_membership_open",
        "user_id",
        unique=True,
        sqlite_where=sql(_OPEN),
        postgresql_where=sql(_OPEN),
    ),
)
Index(None, membership.c.state, membership.c.ends_at_ms)
Index(None, membership.c.plan_id, membership.c.state)
Index(None, membership.c.next_plan_id)

membership_charge = table(
    "membership_charge",
    identifier(),
    text("membership_id", ForeignKey("membership.id", ondelete="RESTRICT")),
    int64("number"),
    text("plan_id", ForeignKey("plan.id", ondelete="RESTRICT")),
    text("plan_name"),
    int64("price_minor"),
    int64("credit_minor"),
    text("currency"),
    text("entry_id"),
    int64("starts_at_ms"),
    int64("ends_at_ms"),
    int64("created_at_ms"),
    UniqueConstraint("membership_id", "number"),
    CheckConstraint("credit_minor >= 0 AND price_minor > credit_minor", name="amounts"),
)
Index(None, membership_charge.c.plan_id, membership_charge.c.created_at_ms)
Index(None, membership_charge.c.created_at_ms)

State = Literal["active", "grace", "ended"]
EndedFor = Literal["cancelled", "unpaid", "banned", "withdrawn", "deleted"]


@dataclass(frozen=True, slots=True)
class Membership:
    """One of them. `starts_at_ms` to `ends_at_ms` is what was paid last, by charge `number`.

    `price_minor` is what its plan cost then, and costs next time unless there is a
    `new_price_minor` for periods from `new_price_from_ms` on, or a `next_plan_id`, which comes at
    the end. Periods are reckoned from `anchor_ms`: this one ends `anchor_months` months later.
    """

    id: str
    user_id: str | None
    plan_id: str
    state: State
    is_cancelled: bool
    price_minor: int
    currency: str
    new_price_minor: int | None
    new_price_from_ms: int | None
    next_plan_id: str | None
    next_plan_price_minor: int | None
    number: int
    anchor_ms: int
    anchor_months: int
    starts_at_ms: int
    ends_at_ms: int
    grace_until_ms: int | None
    created_at_ms: int
    ended_at_ms: int | None
    ended_for: EndedFor | None

    @property
    def next_price_minor(self) -> int:
        """What the period costs that begins at `ends_at_ms`."""
        if self.next_plan_price_minor is not None:
            return self.next_plan_price_minor
        if self.new_price_from_ms is not None and self.ends_at_ms >= self.new_price_from_ms:
            assert self.new_price_minor is not None
            return self.new_price_minor
        return self.price_minor


@dataclass(frozen=True, slots=True)
class Charge:
    """What was paid for a period: its price, less the credit for what was left of another plan."""

    id: str
    membership_id: str
    number: int
    plan_id: str
    plan_name: str
    price_minor: int
    credit_minor: int
    currency: str
    entry_id: str
    starts_at_ms: int
    ends_at_ms: int
    created_at_ms: int

    @property
    def amount_minor(self) -> int:
        return self.price_minor - self.credit_minor


@dataclass(frozen=True, slots=True)
class Term:
    """A period about to be charged: charge `number` of a membership, reckoned from an anchor."""

    number: int
    anchor_ms: int
    anchor_months: int
    starts_at_ms: int

    @property
    def ends_at_ms(self) -> int:
        return months_after(self.anchor_ms, self.anchor_months)

    @classmethod
    def beginning(cls, number: int, of: Plan, now_ms: int) -> Term:
        """One that is reckoned from now on."""
        return cls(number, now_ms, of.months, now_ms)


def open_of(tx: Transaction, user_id: str, *, locks: bool = False) -> Membership | None:
    """Somebody's membership. With `locks` their account is locked first, then its row, so that
    nobody else makes or changes one before the transaction ends.
    """
    query = select(membership).where(membership.c.user_id == user_id, sql(_OPEN))
    if locks:
        users.lock(tx, user_id)
        query = query.with_for_update()
    row = tx.execute(query).first()
    return None if row is None else to_membership(row)


def locked(tx: Transaction, membership_id: str) -> Membership | None:
    """One by its id, with its person's account and its row locked, in this order."""
    if not is_id(membership_id, PREFIX):
        return None
    query = select(membership).where(membership.c.id == membership_id)
    if (row := tx.execute(query).first()) is None:
        return None
    if row.user_id is not None:
        users.lock(tx, row.user_id)
    return to_membership(tx.execute(query.with_for_update()).one())


def first_of(tx: Transaction, user: User, asked: Request) -> Membership | None:
    """What the same request made before. Raises `Conflict` when it was another request."""
    if asked.key is None:
        return None
    row = tx.execute(
        select(membership).where(
            membership.c.user_id == user.id, membership.c.idempotency_key == asked.key
        )
    ).first()
    if row is None:
        return None
    asked.check_same(row.request_hash)
    return to_membership(row)


def begin(
    tx: Transaction, user_id: str, of: Plan, term: Term, asked: Request, now_ms: int
) -> Membership:
    """A new one, not charged yet. The caller holds the account's lock and has found none open."""
    row = tx.execute(
        insert(membership)
        .values(
            id=new_id(PREFIX),
            user_id=user_id,
            plan_id=of.id,
            state="active",
            price_minor=of.price_minor,
            currency=of.currency,
            number=term.number,
            anchor_ms=term.anchor_ms,
            anchor_months=term.anchor_months,
            starts_at_ms=term.starts_at_ms,
            ends_at_ms=term.ends_at_ms,
            idempotency_key=asked.key,
            request_hash=asked.hash,
            created_at_ms=now_ms,
        )
        .returning(*membership.c)
    ).one()
    users.set_member(tx, user_id, is_member=True)
    return to_membership(row)


def why_not_payable(tx: Transaction, paying: Membership, amount_minor: int) -> str | None:
    """None when the wallet holds as much; else "insufficient_funds" or "frozen", as the ledger
    would refuse it. The wallet stays locked.
    """
    assert paying.user_id is not None
    wallet = ledger.wallet_of(paying.user_id, paying.currency)
    held = ledger.locked_balances(tx, [wallet])[wallet]
    if held.frozen_for is not None:
        return "frozen"
    return "insufficient_funds" if held.amount_minor < amount_minor else None


def charge(
    tx: Transaction,
    paying: Membership,
    of: Plan,
    term: Term,
    price_minor: int,
    now_ms: int,
    *,
    credit_minor: int = 0,
) -> tuple[Membership, Charge]:
    """Pay for `term` of plan `of` from the wallet, and have it renewed at its end.

    Raises `Conflict` ("insufficient_funds" or "frozen").
    """
    assert paying.user_id is not None
    wallet = ledger.wallet_of(paying.user_id, paying.currency)
    income = ledger.site_account(Kind.COMMISSION, paying.currency)
    entry, is_new = ledger.post(
        tx,
        Posting(
            "membership",
            f"member:{paying.id}:{term.number}",
            (Transfer(wallet, income, price_minor - credit_minor),),
            subject=paying.id,
            actor_id=paying.user_id,
        ),
        now_ms,
    )
    assert is_new, paying.id
    made = Charge(
        new_id(_CHARGE),
        paying.id,
        term.number,
        of.id,
        of.name,
        price_minor,
        credit_minor,
        paying.currency,
        entry.id,
        term.starts_at_ms,
        term.ends_at_ms,
        now_ms,
    )
    tx.execute(insert(membership_charge).values(asdict(made)))
    still_to_come = of.id == paying.plan_id and price_minor != paying.new_price_minor
    paid = changed(
        tx,
        paying,
        plan_id=of.id,
        state="active",
        price_minor=price_minor,
        new_price_minor=paying.new_price_minor if still_to_come else None,
        new_price_from_ms=paying.new_price_from_ms if still_to_come else None,
        next_plan_id=None,
        next_plan_price_minor=None,
        number=term.number,
        anchor_ms=term.anchor_ms,
        anchor_months=term.anchor_months,
        starts_at_ms=term.starts_at_ms,
        ends_at_ms=term.ends_at_ms,
        grace_until_ms=None,
    )
    jobs.enqueue(
        tx,
        RENEW,
        {"membership": paid.id, "number": paid.number},
        now_ms,
        key=f"{RENEW}:{paid.id}:{paid.number}",
        delay_ms=max(paid.ends_at_ms - now_ms, 0),
    )
    return paid, made


def changed(tx: Transaction, one: Membership, **values: Any) -> Membership:
    """The membership with other values. Its row is locked."""
    row = tx.execute(
        update(membership).where(membership.c.id == one.id).values(values).returning(*membership.c)
    ).one()
    return to_membership(row)


def end(tx: Transaction, one: Membership, why: EndedFor, now_ms: int) -> Membership:
    """It is over: premium by it ends too. Its row is locked."""
    ended = changed(
        tx,
        one,
        state="ended",
        grace_until_ms=None,
        next_plan_id=None,
        next_plan_price_minor=None,
        ended_at_ms=now_ms,
        ended_for=why,
    )
    if one.user_id is not None:
        users.set_member(tx, one.user_id, is_member=False)
    return ended


def charges_of(tx: Transaction, user_id: str, after: str | None = None) -> list[Charge]:
    """What somebody was charged, newest first, behind the one with the id `after`."""
    whose = select(membership.c.id).where(membership.c.user_id == user_id)
    query = select(membership_charge).where(membership_charge.c.membership_id.in_(whose))
    most = limits.MEMBERSHIP_CHARGES_LISTED_MAX
    rows = rows_behind(tx, query, membership_charge.c.created_at_ms, after, most)
    return [_to_charge(row) for row in rows]


def count_by_plan(tx: Transaction) -> dict[str, tuple[int, int]]:
    """How many have each plan, and how many of those have cancelled."""
    rows = tx.execute(
        select(
            membership.c.plan_id,
            func.count().label("members"),
            func.sum(membership.c.is_cancelled).label("leaving"),
        )
        .where(sql(_OPEN))
        .group_by(membership.c.plan_id)
    )
    return {row.plan_id: (row.members, int(row.leaving)) for row in rows}


def income_by_plan(tx: Transaction, from_ms: int, until_ms: int) -> dict[str, int]:
    """What was paid for each plan between two moments, in minor units."""
    c = membership_charge.c
    rows = tx.execute(
        select(c.plan_id, func.sum(c.price_minor - c.credit_minor).label("income"))
        .where(c.created_at_ms >= from_ms, c.created_at_ms < until_ms)
        .group_by(c.plan_id)
    )
    return {row.plan_id: int(row.income) for row in rows}


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """Somebody's memberships and what they paid, for their copy of their data."""
    rows = tx.execute(
        select(membership.c.state, membership_charge)
        .join(membership_charge, membership_charge.c.membership_id == membership.c.id)
        .where(membership.c.user_id == user_id)
        .order_by(membership_charge.c.created_at_ms, membership_charge.c.id)
    )
    return [
        {
            "membership": row.membership_id,
            "state": row.state,
            "plan": row.plan_name,
            "price_minor": row.price_minor,
            "credit_minor": row.credit_minor,
            "currency": row.currency,
            "from_ms": row.starts_at_ms,
            "until_ms": row.ends_at_ms,
            "paid_at_ms": row.created_at_ms,
        }
        for row in rows
    ]


def erase(tx: Transaction, user_id: str, now_ms: int) -> None:
    """The account goes: its membership ends now, and what was charged stays without a name."""
    found = open_of(tx, user_id, locks=True)
    if found is not None:
        end(tx, found, "deleted", now_ms)
    tx.execute(
        update(membership)
        .where(membership.c.user_id == user_id)
        .values(user_id=None, idempotency_key=None, request_hash=None)
    )


def _to_charge(row: Row[Any]) -> Charge:
    return Charge(
        row.id,
        row.membership_id,
        row.number,
        row.plan_id,
        row.plan_name,
        row.price_minor,
        row.credit_minor,
        row.currency,
        row.entry_id,
        row.starts_at_ms,
        row.ends_at_ms,
        row.created_at_ms,
    )


def to_membership(row: Row[Any]) -> Membership:
    return Membership(
        id=row.id,
        user_id=row.user_id,
        plan_id=row.plan_id,
        state=row.state,
        is_cancelled=bool(row.is_cancelled),
        price_minor=row.price_minor,
        currency=row.currency,
        new_price_minor=row.new_price_minor,
        new_price_from_ms=row.new_price_from_ms,
        next_plan_id=row.next_plan_id,
        next_plan_price_minor=row.next_plan_price_minor,
        number=row.number,
        anchor_ms=row.anchor_ms,
        anchor_months=row.anchor_months,
        starts_at_ms=row.starts_at_ms,
        ends_at_ms=row.ends_at_ms,
        grace_until_ms=row.grace_until_ms,
        created_at_ms=row.created_at_ms,
        ended_at_ms=row.ended_at_ms,
        ended_for=row.ended_for,
    )
