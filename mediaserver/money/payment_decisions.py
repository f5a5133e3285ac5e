"""What admins decide about payments: a transfer has come or not, and what becomes of a review: it
is closed, or what was really paid is booked.

Owns the table `payment_approval`: the first of two admins, where an amount takes two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ForeignKey, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.kernel.texts import checked_line
from mediaserver.money import payments, settlement
from mediaserver.money.checks import Checks
from mediaserver.money.currencies import checked_amount, currency_of, money, parsed_amount
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
    int64("amount_minor"),
    int64("created_at_ms"),
)


@dataclass(frozen=True, slots=True)
class Approval:
    """The first admin of two has confirmed that `amount_minor` came. `bank_ref`: of a transfer."""

    admin_id: str
    admin_name: str
    bank_ref: str
    amount_minor: int
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

    async def confirm(
        self, actor: Actor, payment_id: str, bank_ref: str, amount_minor: int | None = None
    ) -> Payment:
        """The transfer has come, as the bank's statement says under `bank_ref`; with `amount_minor`
        another amount than was announced. Above `two_admins_above`, or into the admin's own wallet,
        it is booked once another admin says the same.

        Raises `NotFound`, `Invalid`, or `Conflict` (no transfer, paid already, the same admin).
        """
        came = _Came(bank_ref, amount_minor)
        now_ms = self._clock.wall_ms()
        try:
            return await self._db.write(
                _confirm, actor, payment_id, came, self._config, self._checks.rules, now_ms
            )
        except IntegrityError as error:  # two payments were confirmed with it at the same moment
            raise _used() from error

    async def accept(self, actor: Actor, payment_id: str, amount_minor: int) -> Payment:
        """Book a payment in review as what its gateway says was paid, which is `amount_minor`, as
        the admin has seen. Two admins as with `confirm`.

        Raises `NotFound`, `Invalid` (it is another amount), `Conflict` (not in review, not paid,
        another currency, the same admin), and what `Checks.ask` does.
        """
        found = await self._checks.get(payment_id)
        _check_in_review(found)
        status = await self._checks.ask(found)
        return await self._db.write(
            _accept,
            actor,
            payment_id,
            amount_minor,
            status,
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


@dataclass(frozen=True, slots=True)
class _Came:
    """What stands on the bank's statement; `amount_minor` is None for what was announced."""

    bank_ref: str
    amount_minor: int | None


def _confirm(
    tx: Transaction,
    actor: Actor,
    payment_id: str,
    came: _Came,
    config: MoneyConfig,
    rules: Rules,
    now_ms: int,
) -> Payment:
    most = limits.BANK_REFERENCE_CHARS_MAX
    bank_ref = checked_line(came.bank_ref, "bank_ref", most, is_required=True)
    found = payments.get(tx, payment_id, locks=True)
    if found.gateway != MANUAL:
        raise Conflict("Only its gateway can say that it was paid.", code="not_a_transfer")
    if found.state not in (*WAITING, *UNPAID):
        raise Conflict("That payment is booked already.", code="wrong_state")
    amount_minor = found.amount_minor
    if came.amount_minor is not None:
        amount_minor = checked_amount(came.amount_minor)
    booked = payments.by_charge(tx, MANUAL, bank_ref)
    if booked is not None and booked.id != found.id:
        raise _used()
    if _waits_for_another(tx, actor, found, bank_ref, amount_minor, config, now_ms):
        return found
    _audit(tx, actor, "payment.confirm", found, now_ms, **_booked(found, amount_minor, bank_ref))
    status = Status("paid", amount_minor, found.currency, charge_ref=bank_ref)
    return settlement.accept(tx, found, status, rules, now_ms)


def _accept(
    tx: Transaction,
    actor: Actor,
    payment_id: str,
    amount_minor: int,
    status: Status | None,
    config: MoneyConfig,
    rules: Rules,
    now_ms: int,
) -> Payment:
    found = payments.get(tx, payment_id, locks=True)
    _check_in_review(found)
    if status is None or status.standing not in ("paid", "review"):
        raise Conflict("Its gateway doesn't say that it was paid.", code="not_paid")
    if status.currency != found.currency:
        raise Conflict(
            f"It was paid in {status.currency[:8]}, and {found.currency} is booked here. Give it "
            "back at its gateway, and close it.",
            code="other_currency",
        )
    if amount_minor != checked_amount(status.amount_minor):
        paid = money(status.amount_minor, status.currency)
        raise Invalid(f"Its gateway says that {paid} were paid.", field="amount_minor")
    if _waits_for_another(tx, actor, found, "", amount_minor, config, now_ms):
        return found
    _audit(tx, actor, "payment.accept", found, now_ms, **_booked(found, amount_minor))
    return settlement.accept(tx, found, status, rules, now_ms)


def _waits_for_another(
    tx: Transaction,
    actor: Actor,
    found: Payment,
    bank_ref: str,
    amount_minor: int,
    config: MoneyConfig,
    now_ms: int,
) -> bool:
    """Whether this is the first of two admins: what they say is kept for the other one. Who says
    something else than the first becomes the first.
    """
    bound = parsed_amount(config.two_admins_above, currency_of(found.currency), "two_admins_above")
    is_own = found.user_id is not None and found.user_id == actor.id
    if not bound or (amount_minor <= bound and not is_own):
        return False
    assert actor.id is not None
    first = _approval(tx, found.id)
    if first is not None and (first.bank_ref, first.amount_minor) == (bank_ref, amount_minor):
        if first.admin_id == actor.id:
            raise Conflict("Another admin has to confirm it too.", code="same_admin")
        return False
    _forget_approval(tx, found)
    tx.execute(
        insert(payment_approval).values(
            payment_id=found.id,
            admin_id=actor.id,
            admin_name=actor.name,
            bank_ref=bank_ref,
            amount_minor=amount_minor,
            created_at_ms=now_ms,
        )
    )
    _audit(tx, actor, "payment.approve", found, now_ms, **_booked(found, amount_minor, bank_ref))
    return True


def _forget_approval(tx: Transaction, found: Payment) -> None:
    tx.execute(delete(payment_approval).where(payment_approval.c.payment_id == found.id))


def _booked(found: Payment, amount_minor: int, bank_ref: str = "") -> dict[str, str]:
    """What the audit log keeps of what came."""
    details = {"bank_ref": bank_ref} if bank_ref else {}
    if amount_minor != found.amount_minor:
        details["paid"] = money(amount_minor, found.currency)
    return details


def _used() -> Conflict:
    return Conflict(
        "That bank reference belongs to another payment.", field="bank_ref", code="used"
    )


def _reject(
    tx: Transaction, actor: Actor, payment_id: str, reason: str, rules: Rules, now_ms: int
) -> Payment:
    reason = checked_line(reason, "reason", limits.PAYMENT_REASON_CHARS_MAX, is_required=True)
    found = payments.get(tx, payment_id, locks=True)
    if found.state != "review" and not (found.gateway == MANUAL and found.state in WAITING):
        raise Conflict("That can't be closed here.", code="wrong_state")
    _forget_approval(tx, found)
    _audit(tx, actor, "payment.reject", found, now_ms, reason=reason)
    why = f"{found.problem} {reason}".strip()
    return settlement.end(tx, found, "failed", why, rules.letterhead, now_ms)


def _check_in_review(found: Payment) -> None:
    if found.gateway == MANUAL or found.state != "review":
        raise Conflict("Only a payment in review can be accepted.", code="wrong_state")


def _approval(tx: Transaction, payment_id: str) -> Approval | None:
    query = select(payment_approval).where(payment_approval.c.payment_id == payment_id)
    row: Row[Any] | None = tx.execute(query).first()
    if row is None:
        return None
    return Approval(row.admin_id, row.admin_name, row.bank_ref, row.amount_minor, row.created_at_ms)


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
