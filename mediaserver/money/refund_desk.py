"""The refund desk: what admins do about refunds, and the job that asks gateways for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.kernel.jobs import Payload
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_line, checked_paragraphs
from mediaserver.kernel.worker import GiveUp, TooEarly
from mediaserver.money import payments, refund_rows, refunds
from mediaserver.money.currencies import money
from mediaserver.money.gateways.gateway import Gateway, GatewayRefused, RefundAnswer
from mediaserver.money.idempotency import Request
from mediaserver.money.payments import Payment
from mediaserver.money.refund_rows import Refund, State, Way
from mediaserver.money.refunds import Preview

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Case:
    """A refund with its payment. `is_being_asked`: its gateway decides, and nobody else."""

    refund: Refund
    paid: Payment
    is_being_asked: bool


class RefundDesk:
    """`gateway_of` gives a gateway by its name; None for one that isn't set up any more."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        letterhead: Letterhead,
        gateway_of: Callable[[str], Gateway | None],
    ) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead
        self._gateway_of = gateway_of

    async def page(self, states: Sequence[State], *, after: str | None = None) -> list[Refund]:
        """Newest first, behind the one with the id `after`."""
        return await self._db.read(refund_rows.page, states, after)

    async def get(self, refund_id: str) -> Case:
        """Raises `NotFound`."""
        return await self._db.read(_case, refund_id)

    async def of_payment(self, payment_id: str) -> list[Refund]:
        """Newest first."""
        return await self._db.read(refund_rows.of_payment, payment_id)

    async def preview(self, payment_id: str, amount_minor: int | None = None) -> Preview:
        """What refunding so much, or all, would take from whom. Raises as `ask` does."""
        return await self._db.read(refunds.preview, payment_id, amount_minor)

    def can_ask_gateway(self, paid: Payment) -> bool:
        """Whether the payment's gateway can give money back; else an admin must send it."""
        gateway = self._gateway_of(paid.gateway)
        return gateway is not None and gateway.can_refund

    async def ask(
        self,
        actor: Actor,
        payment_id: str,
        amount_minor: int,
        reason: str,
        *,
        by_hand: bool = False,
        key: str | None = None,
    ) -> Refund:
        """Give back so much of a payment: through its gateway, or, `by_hand` or where that can't,
        once an admin has sent it and says so.

        Raises `NotFound`, `Invalid` (amount, reason) or `Conflict` (not paid, "disputed", nothing
        left).
        """
        reason = checked_paragraphs(reason, "reason", limits.MONEY_REASON_CHARS_MAX)
        if not reason:
            raise Invalid("Write down why: it stays in the books.", field="reason")
        asked = Request.of(key, "refund", payment_id, amount_minor, reason, by_hand)
        paid = await self._db.read(payments.get, payment_id)
        way: Way = "by_hand" if by_hand or not self.can_ask_gateway(paid) else "gateway"
        return await self._db.write(
            refunds.ask,
            actor,
            payment_id,
            amount_minor,
            reason,
            way,
            asked,
            self._letterhead,
            self._clock.wall_ms(),
        )

    async def confirm(self, actor: Actor, refund_id: str, bank_reference: str) -> Refund:
        """An admin has sent the money, or seen at the gateway that it was sent.

        Raises `NotFound`, `Invalid` or `Conflict` (it is decided already, "being_asked").
        """
        bank_reference = checked_line(
            bank_reference, "bank_reference", limits.BANK_REFERENCE_CHARS_MAX, is_required=True
        )
        return await self._db.write(self._confirm, actor, refund_id, bank_reference)

    async def reject(
        self, actor: Actor, refund_id: str, reason: str, seen: State | None = None
    ) -> Refund:
        """The payer doesn't get it: an admin has seen that it failed, or changes their mind about
        one that stands as they have `seen` it.

        Raises `NotFound`, `Invalid` or `Conflict` (it failed already, "being_asked", "changed").
        """
        reason = checked_line(reason, "reason", limits.MONEY_REASON_CHARS_MAX, is_required=True)
        return await self._db.write(self._reject, actor, refund_id, reason, seen)

    async def work(self, payload: Payload) -> None:
        """The job: ask the gateway, or how it stands by now. Asked again under the same key it pays
        nothing twice, and says whether a refund that had succeeded failed later.
        """
        found = await self.get(payload["refund"])
        if found.refund.state == "failed" or found.refund.way != "gateway":
            return
        gateway = self._gateway_of(found.paid.gateway)
        if gateway is None:
            raise GiveUp(f"The gateway {found.paid.gateway} isn't set up any more.")
        answer = await self._answer(gateway, found)
        refund_id, letterhead, now_ms = found.refund.id, self._letterhead, self._clock.wall_ms()
        _log.info("refund answered", refund=refund_id, state=answer.state)
        if answer.state == "failed":
            await self._db.write(refunds.fail, refund_id, answer.detail, letterhead, now_ms)
        elif not found.refund.is_open:
            return
        elif answer.state == "succeeded":
            reference = answer.provider_ref
            await self._db.write(refunds.succeed, refund_id, reference, letterhead, now_ms)
        elif now_ms - found.refund.created_at_ms > limits.REFUND_POLLS_MS_MAX:
            raise GiveUp("The gateway has not decided for weeks: look there, then decide here.")
        else:
            await self._db.write(refunds.wait, refund_id, answer.provider_ref)
            raise TooEarly(now_ms + limits.REFUND_POLL_MS)

    async def _answer(self, gateway: Gateway, found: Case) -> RefundAnswer:
        """A gateway that refuses hasn't paid; of one that it knows already it only won't tell."""
        asked = found.refund
        try:
            return await gateway.refund(
                found.paid.reference, asked.amount_minor, f"refund:{asked.id}"
            )
        except GatewayRefused as error:
            _log.warning("refund refused", refund=asked.id, reason=error.message)
            if asked.state == "requested":
                return RefundAnswer("failed", detail=error.message)
            return RefundAnswer("pending", asked.provider_ref)

    def _confirm(self, tx: Transaction, actor: Actor, refund_id: str, reference: str) -> Refund:
        found, _ = refunds.locked(tx, refund_id)
        if not found.is_open:
            raise Conflict("This refund is decided already.", code="already_decided")
        _check_is_ours(tx, found)
        now_ms = self._clock.wall_ms()
        _write_down(tx, actor, found, "refund.confirm", {"reference": reference}, now_ms)
        refund_rows.change(tx, found, way="by_hand")  # the gateway isn't asked for it any more
        return refunds.succeed(tx, refund_id, reference, self._letterhead, now_ms)

    def _reject(
        self, tx: Transaction, actor: Actor, refund_id: str, reason: str, seen: State | None
    ) -> Refund:
        found, _ = refunds.locked(tx, refund_id)
        if found.state == "failed" or found.way == "outside":
            raise Conflict("This refund can't be taken back.", code="already_decided")
        if seen is not None and found.state != seen:
            raise Conflict(
                f"Meanwhile this refund is {found.state}: look at it again.", code="changed"
            )
        _check_is_ours(tx, found)
        now_ms = self._clock.wall_ms()
        _write_down(tx, actor, found, "refund.reject", {"reason": reason}, now_ms)
        return refunds.fail(tx, refund_id, reason, self._letterhead, now_ms)


def _check_is_ours(tx: Transaction, found: Refund) -> None:
    """Nobody decides what the gateway may answer at this moment: it would be paid twice."""
    if refunds.is_being_asked(tx, found):
        raise Conflict(
            "The gateway is being asked for this refund. Wait until it has answered, or the job "
            "was given up.",
            code="being_asked",
        )


def _case(tx: Transaction, refund_id: str) -> Case:
    found = refund_rows.get(tx, refund_id)
    paid = payments.get(tx, found.payment_id)
    return Case(found, paid, refunds.is_being_asked(tx, found))


def _write_down(
    tx: Transaction, actor: Actor, found: Refund, action: str, details: dict[str, str], now_ms: int
) -> None:
    target = Target("refund", found.id, money(found.amount_minor, found.currency))
    audit.append(tx, actor, action, target, now_ms, {"payment": found.payment_id, **details})
