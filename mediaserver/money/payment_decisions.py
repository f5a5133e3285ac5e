"""What admins decide about payments: a transfer has come or not, a payment in review is closed.

Owns the table `payment_approval`: the first of two admins, where an amount takes two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ForeignKey, Row, insert, select

from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Conflict
from mediaserver.kernel.texts import checked_line
from mediaserver.money import payments, settlement
from mediaserver.money.checks import Checks
from mediaserver.money.currencies import currency_of, money, parsed_amount
from mediaserver.money.gateways.gateway import Status
from mediaserver.money.gateways.manual import NAME as MANUAL
from mediaserver.money.payments import UNPAID, WAITING, Payment
from mediaserver.money.settlement import Rules

payment_approval = table(
    "payment_approval",
    text("payment_id", ForeignKey("payment.id", ondelete="CASCADE"), primary_key=True),
    text("admin_id"),
    text("admin_name"),
    text("bank_ref"),
    int64("created_at_ms"),
)


@dataclass(frozen=True, slots=True)
class Approval:
    """The first admin of two has confirmed it."""

    admin_id: str
    admin_name: str
    bank_ref: str
    created_at_ms: int


class PaymentDecisions:
    """Takes them; every one is audited."""

    def __init__(self, db: Database, clock: Clock, config: MoneyConfig, checks: Checks) -> None:
        self._db = db
        self._clock = clock
        self._config = config
        self._checks = checks

    async def page(
        self,
        states: tuple[payments.State, ...] = (),
        gateway: str | None = None,
        after: str | None = None,
    ) -> list[Payment]:
        """Newest first, behind the one with the id `after`."""
        return await self._db.read(payments.page, states, gateway, after)

    async def approval(self, payment_id: str) -> Approval | None:
        return await self._db.read(_approval, payment_id)

    async def confirm(self, actor: Actor, payment_id: str, bank_ref: str) -> Payment:
        """The transfer has come, as the bank's statement says under `bank_ref`. Above
        `two_admins_above` it is booked once another admin says so too.

        Raises `NotFound`, `Invalid`, or `Conflict` (no transfer, paid already, the same admin).
        """
        return await self._db.write(
            _confirm,
            actor,
            payment_id,
            bank_ref,
            self._config,
            self._checks.rules,
            self._clock.wall_ms(),
        )

    async def reject(self, actor: Actor, payment_id: str, reason: str) -> Payment:
        """It hasn't come, or is closed without being booked; the payer is told `reason`.

        Raises `NotFound`, `Invalid` or `Conflict` (only transfers, and what is in review).
        """
        return await self._db.write(
            _reject, actor, payment_id, reason, self._checks.rules, self._clock.wall_ms()
        )

    async def check(self, payment_id: str) -> Payment:
        """Ask its gateway once more. Raises what `Checks.run` does."""
        return await self._checks.run(payment_id)


def _confirm(
    tx: Transaction,
    actor: Actor,
    payment_id: str,
    bank_ref: str,
    config: MoneyConfig,
    rules: Rules,
    now_ms: int,
) -> Payment:
    bank_ref = checked_line(bank_ref, "bank_ref", limits.BANK_REFERENCE_CHARS_MAX, is_required=True)
    found = payments.get(tx, payment_id, locks=True)
    _check_by_bank(found)
    if found.state not in (*WAITING, *UNPAID):
        raise Conflict("That payment is booked already.", code="wrong_state")
    booked = payments.by_charge(tx, MANUAL, bank_ref)
    if booked is not None and booked.id != found.id:
        raise Conflict(
            "That bank reference belongs to another payment.", field="bank_ref", code="used"
        )
    assert actor.id is not None
    first = _approval(tx, found.id)
    if _takes_two(found, config):
        if first is None:
            tx.execute(
                insert(payment_approval).values(
                    payment_id=found.id,
                    admin_id=actor.id,
                    admin_name=actor.name,
                    bank_ref=bank_ref,
                    created_at_ms=now_ms,
                )
            )
            _audit(tx, actor, "payment.approve", found, now_ms, bank_ref=bank_ref)
            return found
        if first.admin_id == actor.id:
            raise Conflict("Another admin has to confirm it too.", code="same_admin")
    found = payments.change(tx, found, charge_ref=bank_ref)
    _audit(tx, actor, "payment.confirm", found, now_ms, bank_ref=bank_ref)
    status = Status("paid", found.amount_minor, found.currency, charge_ref=bank_ref)
    return settlement.settle(tx, found.id, status, rules, now_ms)


def _reject(
    tx: Transaction, actor: Actor, payment_id: str, reason: str, rules: Rules, now_ms: int
) -> Payment:
    reason = checked_line(reason, "reason", limits.PAYMENT_REASON_CHARS_MAX, is_required=True)
    found = payments.get(tx, payment_id, locks=True)
    if found.state != "review" and not (found.gateway == MANUAL and found.state in WAITING):
        raise Conflict("That can't be closed here.", code="wrong_state")
    _audit(tx, actor, "payment.reject", found, now_ms, reason=reason)
    why = f"{found.problem} {reason}".strip()
    return settlement.end(tx, found, "failed", why, rules.letterhead, now_ms)


def _check_by_bank(found: Payment) -> None:
    if found.gateway != MANUAL:
        raise Conflict("Only its gateway can say that it was paid.", code="not_a_transfer")


def _takes_two(found: Payment, config: MoneyConfig) -> bool:
    bound = parsed_amount(config.two_admins_above, currency_of(found.currency), "two_admins_above")
    return 0 < bound < found.amount_minor


def _approval(tx: Transaction, payment_id: str) -> Approval | None:
    query = select(payment_approval).where(payment_approval.c.payment_id == payment_id)
    row: Row[Any] | None = tx.execute(query).first()
    if row is None:
        return None
    return Approval(row.admin_id, row.admin_name, row.bank_ref, row.created_at_ms)


def _audit(
    tx: Transaction, actor: Actor, action: str, found: Payment, now_ms: int, **details: str
) -> None:
    amount = money(found.amount_minor, found.currency)
    audit.append(
        tx,
        actor,
        action,
        Target("payment", found.id, amount),
        now_ms,
        {"amount": amount, **details},
    )
