"""Payments: money on its way in through a gateway, for a wallet (top-up) or a channel (donation).

    created ─checkout─▶ open ──▶ paid ──▶ reversed        (the gateway took it back)
                          ├────▶ review ──▶ paid          (a fraud check; or amounts that differ)
                          └────▶ failed · cancelled · expired ──▶ paid    (late, but paid is paid)

A notification is a hint: the gateway is asked, and its answer alone moves money, once, whoever
reports it how often and in which order. Owns the table `payment`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.money.gateways.gateway import Checkout, Reference
from mediaserver.money.idempotency import Request

PREFIX = "pay"

payment = table(
    "payment",
    identifier(),
    text("purpose"),
    text("gateway"),
    text("user_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    text("email"),
    int64("amount_minor"),
    text("currency"),
    text("state"),
    text("problem"),
    text("provider_ref"),
    text("charge_ref"),
    text("checkout_url"),
    int64("refunded_minor"),
    int64("disputed_minor"),
    text("entry_id", nullable=True),
    text("idempotency_key", nullable=True),
    text("request_hash", nullable=True),
    int64("created_at_ms"),
    int64("expires_at_ms"),
    int64("paid_at_ms", nullable=True),
    int64("ended_at_ms", nullable=True),
    UniqueConstraint("user_id", "idempotency_key"),
    CheckConstraint("purpose IN ('topup', 'donation')", name="purpose"),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_minor"),
    CheckConstraint(
        "state IN ('created', 'open', 'review', 'paid', 'failed', 'cancelled', 'expired', "
        "'reversed')",
        name="state",
    ),
    CheckConstraint(
        "refunded_minor >= 0 AND disputed_minor >= 0 "
        "AND refunded_minor + disputed_minor <= amount_minor",
        name="taken_back",
    ),
    CheckConstraint("(state IN ('paid', 'reversed')) = (entry_id IS NOT NULL)", name="entry"),
)
Index(None, payment.c.user_id, payment.c.created_at_ms, payment.c.id)
Index(None, payment.c.state, payment.c.created_at_ms, payment.c.id)
Index(None, payment.c.created_at_ms, payment.c.id)
Index("ix_payment_provider_ref", payment.c.gateway, payment.c.provider_ref)
Index("ix_payment_charge_ref", payment.c.gateway, payment.c.charge_ref)
_IS_GUESTS = sql("user_id IS NULL AND email <> ''")
Index(
    "ix_payment_guest_key",
    payment.c.email,
    payment.c.idempotency_key,
    unique=True,
    sqlite_where=_IS_GUESTS,
    postgresql_where=_IS_GUESTS,
)
_IS_TRANSFER = sql("gateway = 'manual' AND charge_ref <> ''")
Index(
    "ix_payment_bank_ref",
    payment.c.charge_ref,
    unique=True,
    sqlite_where=_IS_TRANSFER,
    postgresql_where=_IS_TRANSFER,
)

Purpose = Literal["topup", "donation"]
State = Literal["created", "open", "review", "paid", "failed", "cancelled", "expired", "reversed"]

WAITING: tuple[State, ...] = ("created", "open", "review")
"""Nothing is decided; its gateway is asked again and again."""

UNPAID: tuple[State, ...] = ("failed", "cancelled", "expired")
"""Over, as far as we know: the gateway may still say that it was paid after all."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment. `problem` says for people why it failed or waits; `user_id` is None for a guest
    or an account that is gone.
    """

    id: str
    purpose: Purpose
    gateway: str
    user_id: str | None
    email: str
    amount_minor: int
    currency: str
    state: State
    problem: str
    provider_ref: str
    charge_ref: str
    checkout_url: str
    refunded_minor: int
    disputed_minor: int
    entry_id: str | None
    created_at_ms: int
    expires_at_ms: int
    paid_at_ms: int | None
    ended_at_ms: int | None

    @property
    def reference(self) -> Reference:
        """It, for its gateway."""
        return Reference(
            self.id, self.amount_minor, self.currency, self.provider_ref, self.charge_ref
        )


def get(tx: Transaction, payment_id: str, *, locks: bool = False) -> Payment:
    """Raises `NotFound`. With `locks` nobody else changes it before the transaction ends."""
    if is_id(payment_id, PREFIX):
        query = select(payment).where(payment.c.id == payment_id)
        row = tx.execute(query.with_for_update() if locks else query).first()
        if row is not None:
            return to_payment(row)
    raise NotFound("There is no such payment.", code="payment_not_found")


@dataclass(frozen=True, slots=True)
class NewPayment:
    """What is to be paid. `email` is that of a guest; members have theirs in their account."""

    purpose: Purpose
    gateway: str
    payer: User | None
    email: str
    amount_minor: int
    currency: str
    expires_at_ms: int


def create(tx: Transaction, new: NewPayment, asked: Request, now_ms: int) -> Payment:
    """Write it down before its gateway hears of it, so that no answer finds nothing here."""
    row = tx.execute(
        insert(payment)
        .values(
            id=new_id(PREFIX),
            purpose=new.purpose,
            gateway=new.gateway,
            user_id=None if new.payer is None else new.payer.id,
            email=new.email,
            amount_minor=new.amount_minor,
            currency=new.currency,
            state="created",
            problem="",
            provider_ref="",
            charge_ref="",
            checkout_url="",
            refunded_minor=0,
            disputed_minor=0,
            idempotency_key=asked.key,
            request_hash=asked.hash,
            created_at_ms=now_ms,
            expires_at_ms=new.expires_at_ms,
        )
        .returning(*payment.c)
    ).one()
    return to_payment(row)


def open_at(tx: Transaction, payment_id: str, checkout: Checkout) -> Payment:
    """Its gateway has a checkout for it. What it said of the payment meanwhile stays."""
    found = get(tx, payment_id, locks=True)
    state = "open" if found.state == "created" else found.state
    return change(
        tx,
        found,
        state=state,
        provider_ref=checkout.provider_ref,
        checkout_url=checkout.url,
    )


def change(tx: Transaction, found: Payment, **values: Any) -> Payment:
    """Write what is new of a payment that the caller has locked."""
    row = tx.execute(
        update(payment).where(payment.c.id == found.id).values(**values).returning(*payment.c)
    ).one()
    return to_payment(row)


def first_of(
    tx: Transaction, payer: User | None, asked: Request, email: str = ""
) -> Payment | None:
    """What the same request made before; guests are told apart by their `email`. Raises `Conflict`
    when it was another request.
    """
    if asked.key is None:
        return None
    if payer is not None:
        is_theirs = payment.c.user_id == payer.id
    else:
        assert email, "a payment without it is of an account that is gone"
        is_theirs = and_(payment.c.user_id.is_(None), payment.c.email == email)
    row = tx.execute(
        select(payment).where(is_theirs, payment.c.idempotency_key == asked.key)
    ).first()
    if row is None:
        return None
    asked.check_same(row.request_hash)
    return to_payment(row)


def by_charge(tx: Transaction, gateway: str, charge_ref: str) -> Payment | None:
    """The payment that its gateway knows as this charge."""
    row = tx.execute(
        select(payment)
        .where(payment.c.gateway == gateway, payment.c.charge_ref == charge_ref)
        .limit(1)
    ).first()
    return None if row is None else to_payment(row)


def page(
    tx: Transaction,
    states: tuple[State, ...] = (),
    gateway: str | None = None,
    after: str | None = None,
) -> list[Payment]:
    """Newest first, behind the one with the id `after`."""
    query = select(payment)
    if states:
        query = query.where(payment.c.state.in_(states))
    if gateway:
        query = query.where(payment.c.gateway == gateway)
    rows = rows_behind(tx, query, payment.c.created_at_ms, after, limits.PAYMENTS_LISTED_MAX)
    return [to_payment(row) for row in rows]


def count_waiting(tx: Transaction) -> int:
    """How many wait for an admin: in review, or a transfer that hasn't come yet."""
    by_bank = and_(payment.c.gateway == "manual", payment.c.state.in_(("created", "open")))
    waiting = select(func.count()).where(or_(payment.c.state == "review", by_bank))
    return int(tx.execute(waiting).scalar_one())


def erase_old_emails(tx: Transaction, before_ms: int) -> None:
    """Forget where guests are reached whose payments began before that, some at a time. Their page
    isn't shown any more, as nothing tells that it was a guest's.
    """
    old = (
        select(payment.c.id)
        .where(_IS_GUESTS, payment.c.created_at_ms < before_ms, payment.c.state.not_in(WAITING))
        .limit(limits.GUEST_EMAILS_ERASED_AT_ONCE)
    )
    tx.execute(update(payment).where(payment.c.id.in_(old.scalar_subquery())).values(email=""))


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """What somebody paid through gateways, for their copy of their data."""
    rows = tx.execute(
        select(payment).where(payment.c.user_id == user_id).order_by(payment.c.created_at_ms)
    )
    return [
        {
            "id": row.id,
            "purpose": row.purpose,
            "gateway": row.gateway,
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            "state": row.state,
            "created_at_ms": row.created_at_ms,
            "paid_at_ms": row.paid_at_ms,
        }
        for row in rows
    ]


def take_back(
    tx: Transaction, payment_id: str, *, refunded_minor: int = 0, disputed_minor: int = 0
) -> None:
    """For refunds.py and disputes.py: so much more of it went back, or less where negative."""
    tx.execute(
        update(payment)
        .where(payment.c.id == payment_id)
        .values(
            refunded_minor=payment.c.refunded_minor + refunded_minor,
            disputed_minor=payment.c.disputed_minor + disputed_minor,
        )
    )


def to_payment(row: Row[Any]) -> Payment:
    return Payment(
        id=row.id,
        purpose=row.purpose,
        gateway=row.gateway,
        user_id=row.user_id,
        email=row.email,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=row.state,
        problem=row.problem,
        provider_ref=row.provider_ref,
        charge_ref=row.charge_ref,
        checkout_url=row.checkout_url,
        refunded_minor=row.refunded_minor,
        disputed_minor=row.disputed_minor,
        entry_id=row.entry_id,
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
        paid_at_ms=row.paid_at_ms,
        ended_at_ms=row.ended_at_ms,
    )
