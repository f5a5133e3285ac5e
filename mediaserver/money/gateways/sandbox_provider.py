"""The sandbox's provider: a payment company in a few tables, where anybody pays without paying.

It knows payments as a real one does, under names of its own, and signs what it tells about them.
The adapter sandbox.py asks it as others ask Stripe; its pay page (routes/pages/sandbox.py) presses
the buttons. Owns the tables `sandbox_payment` and `sandbox_refund`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    insert,
    select,
    update,
)

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.vault import Vault
from mediaserver.money.gateways.gateway import Notification, Order, Standing

PREFIX = "sbx"
SIGNATURE = "Sandbox-Signature"

sandbox_payment = table(
    "sandbox_payment",
    identifier(),
    text("payment_id"),
    int64("amount_minor"),
    text("currency"),
    text("description"),
    text("standing"),
    text("return_url"),
    text("cancel_url"),
    int64("refunded_minor"),
    text("dispute", nullable=True),
    int64("disputed_minor"),
    int64("events"),
    int64("created_at_ms"),
    int64("expires_at_ms"),
    UniqueConstraint("payment_id"),
    CheckConstraint(
        "standing IN ('open', 'paid', 'review', 'failed', 'cancelled', 'expired', 'reversed')",
        name="standing",
    ),
    CheckConstraint("dispute IN ('open', 'won', 'lost')", name="dispute"),
    CheckConstraint(
        "refunded_minor >= 0 AND disputed_minor >= 0 "
        "AND refunded_minor + disputed_minor <= amount_minor",
        name="taken_back",
    ),
)

sandbox_refund = table(
    "sandbox_refund",
    text("key", primary_key=True),
    text("sandbox_id", ForeignKey("sandbox_payment.id", ondelete="CASCADE")),
    int64("amount_minor"),
    CheckConstraint("amount_minor >= 1", name="amount_minor"),
)
Index(None, sandbox_refund.c.sandbox_id)

Dispute = Literal["open", "won", "lost"]
Button = Literal[
    "pay",
    "pay_late",
    "pay_five",
    "review",
    "approve",
    "fail",
    "cancel",
    "reverse",
    "dispute",
    "dispute_part",
    "win",
    "lose",
    "refund",
]


@dataclass(frozen=True, slots=True)
class SandboxPayment:
    """A payment as this provider knows it; `payment_id` is the merchant's name for it."""

    id: str
    payment_id: str
    amount_minor: int
    currency: str
    description: str
    standing: Standing
    return_url: str
    cancel_url: str
    refunded_minor: int
    dispute: Dispute | None
    disputed_minor: int
    events: int
    created_at_ms: int
    expires_at_ms: int

    @property
    def charge_ref(self) -> str:
        return self.id.replace(PREFIX, "chg", 1)


@dataclass(frozen=True, slots=True)
class Pressed:
    """What came of a button: the payment now, and how often its merchant is told (0: not)."""

    paid: SandboxPayment
    kind: str
    tells: int


class SandboxProvider:
    """What its own servers would do."""

    def __init__(self, db: Database, clock: Clock, vault: Vault) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault

    async def open(self, order: Order) -> SandboxPayment:
        """The same checkout for the same order."""
        return await self._db.write(_open, order, self._clock.wall_ms())

    async def find(self, payment_id: str) -> SandboxPayment | None:
        return await self._db.read(_find, payment_id, self._clock.wall_ms())

    async def get(self, sandbox_id: str) -> SandboxPayment:
        """Raises `NotFound`."""
        return await self._db.read(_get, sandbox_id, self._clock.wall_ms())

    async def press(self, sandbox_id: str, button: Button) -> Pressed:
        """Raises `NotFound`, or `Conflict` when that can't happen to it any more."""
        return await self._db.write(_press, sandbox_id, button, self._clock.wall_ms())

    async def refund(self, payment_id: str, amount_minor: int, key: str) -> str:
        """The refund's name, once for each `key`. Raises `NotFound` or `Conflict`."""
        return await self._db.write(_refund, payment_id, amount_minor, key)

    def notification(self, pressed: Pressed) -> Notification:
        """What it posts to its merchant, signed."""
        body = json.dumps(
            {
                "id": f"evt_{pressed.paid.id}_{pressed.paid.events}",
                "kind": pressed.kind,
                "payment": pressed.paid.payment_id,
                "charge": pressed.paid.charge_ref,
            }
        ).encode()
        return Notification({SIGNATURE: self.signature(body)}, {}, body)

    def signature(self, body: bytes) -> str:
        return self._vault.mac(body.hex(), "sandbox")


def _open(tx: Transaction, order: Order, now_ms: int) -> SandboxPayment:
    known = _find(tx, order.payment_id, now_ms)
    if known is not None:
        return known
    row = tx.execute(
        insert(sandbox_payment)
        .values(
            id=new_id(PREFIX),
            payment_id=order.payment_id,
            amount_minor=order.amount_minor,
            currency=order.currency,
            description=order.description,
            standing="open",
            return_url=order.return_url,
            cancel_url=order.cancel_url,
            refunded_minor=0,
            disputed_minor=0,
            events=0,
            created_at_ms=now_ms,
            expires_at_ms=order.expires_at_ms,
        )
        .returning(*sandbox_payment.c)
    ).one()
    return _to_payment(row, now_ms)


def _find(tx: Transaction, payment_id: str, now_ms: int) -> SandboxPayment | None:
    query = select(sandbox_payment).where(sandbox_payment.c.payment_id == payment_id)
    row = tx.execute(query).first()
    return None if row is None else _to_payment(row, now_ms)


def _get(tx: Transaction, sandbox_id: str, now_ms: int, *, locks: bool = False) -> SandboxPayment:
    if is_id(sandbox_id, PREFIX):
        query = select(sandbox_payment).where(sandbox_payment.c.id == sandbox_id)
        row = tx.execute(query.with_for_update() if locks else query).first()
        if row is not None:
            return _to_payment(row, now_ms)
    raise NotFound("There is no such checkout.", code="payment_not_found")


_FROM_OPEN: dict[str, tuple[Standing, int]] = {
    "pay": ("paid", 1),
    "pay_late": ("paid", 0),
    "pay_five": ("paid", limits.SANDBOX_REPEATS),
    "review": ("review", 1),
    "fail": ("failed", 1),
    "cancel": ("cancelled", 1),
}
_PAYABLE: tuple[Standing, ...] = ("open", "failed", "cancelled", "expired")


def _press(tx: Transaction, sandbox_id: str, button: Button, now_ms: int) -> Pressed:
    found = _get(tx, sandbox_id, now_ms, locks=True)
    values, kind, tells = _outcome(found, button)
    row = tx.execute(
        update(sandbox_payment)
        .where(sandbox_payment.c.id == found.id)
        .values(events=found.events + 1, **values)
        .returning(*sandbox_payment.c)
    ).one()
    return Pressed(_to_payment(row, now_ms), kind, tells)


def _outcome(found: SandboxPayment, button: Button) -> tuple[dict[str, Any], str, int]:
    """What to write, what it is called, and how often it is told."""
    if button in _FROM_OPEN and found.standing in _PAYABLE:
        standing, tells = _FROM_OPEN[button]
        return {"standing": standing}, f"payment.{standing}", tells
    if button == "approve" and found.standing == "review":
        return {"standing": "paid"}, "payment.paid", 1
    left = found.amount_minor - found.refunded_minor - found.disputed_minor
    if found.standing == "paid":
        if button == "reverse" and left == found.amount_minor:
            return {"standing": "reversed"}, "payment.reversed", 1
        if button in ("dispute", "dispute_part") and found.dispute is None and left:
            part = left if button == "dispute" else max(1, left // 2)
            return {"dispute": "open", "disputed_minor": part}, "dispute.opened", 1
        if button in ("win", "lose") and found.dispute == "open":
            ended = "won" if button == "win" else "lost"
            return {"dispute": ended}, f"dispute.{ended}", 1
        if button == "refund" and found.dispute is None and left:
            return {"refunded_minor": found.amount_minor}, "payment.refunded", 1
    raise Conflict("That can't happen to this payment any more.", code="wrong_state")


def _refund(tx: Transaction, payment_id: str, amount_minor: int, key: str) -> str:
    query = select(sandbox_payment).where(sandbox_payment.c.payment_id == payment_id)
    row = tx.execute(query.with_for_update()).first()
    if row is None:
        raise NotFound("There is no such checkout.", code="payment_not_found")
    if tx.execute(select(sandbox_refund).where(sandbox_refund.c.key == key)).first() is not None:
        return key
    if row.standing != "paid" or row.refunded_minor + row.disputed_minor + amount_minor > (
        row.amount_minor
    ):
        raise Conflict("There isn't as much left to refund.", code="wrong_state")
    tx.execute(insert(sandbox_refund).values(key=key, sandbox_id=row.id, amount_minor=amount_minor))
    tx.execute(
        update(sandbox_payment)
        .where(sandbox_payment.c.id == row.id)
        .values(refunded_minor=row.refunded_minor + amount_minor, events=row.events + 1)
    )
    return key


def _to_payment(row: Row[Any], now_ms: int) -> SandboxPayment:
    is_over = row.standing == "open" and now_ms >= row.expires_at_ms
    return SandboxPayment(
        id=row.id,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        description=row.description,
        standing="expired" if is_over else row.standing,
        return_url=row.return_url,
        cancel_url=row.cancel_url,
        refunded_minor=row.refunded_minor,
        dispute=row.dispute,
        disputed_minor=row.disputed_minor,
        events=row.events,
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
    )
