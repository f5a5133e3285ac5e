"""Refunds: giving back what was paid through a gateway, in whole or in part.

    requested ──▶ (pending) ──▶ succeeded ──▶ failed     (the gateway thought better of it)
                           └──▶ failed

An admin asks. In one transaction the money goes on hold (take_back.py says whose it is) and a job
is written; the job asks the gateway, under a key of the refund, so a crash between its answer and
our commit pays nothing twice. Where the gateway can't refund, an admin sends the money by hand and
enters the bank's reference. Money in a wallet leaves the site only this way. refund_rows.py keeps
the table; refund_desk.py does the asking.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.kernel import audit, jobs
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import (
    dispute_rows,
    ledger,
    payments,
    refund_rows,
    reversal_letters,
    take_back,
    takings,
)
from mediaserver.money.currencies import money
from mediaserver.money.idempotency import Request
from mediaserver.money.ledger import Kind, Posting, Transfer
from mediaserver.money.payments import Payment
from mediaserver.money.refund_rows import Refund, Way
from mediaserver.money.take_back import Plan, Wanted
from mediaserver.notifications.notices import tell_admins

JOB = "refund"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a refund of so much would take from whom. `left_minor`: the most that may be given.
    `earlier`: refunds of the same payment, newest first.
    """

    paid: Payment
    amount_minor: int
    left_minor: int
    plan: Plan
    earlier: tuple[Refund, ...]


def left_minor(tx: Transaction, paid: Payment) -> int:
    """How much of a payment could still be refunded."""
    gone = paid.refunded_minor + paid.disputed_minor + refund_rows.open_minor(tx, paid.id)
    return paid.amount_minor - gone


def preview(tx: Transaction, payment_id: str, amount_minor: int | None) -> Preview:
    """For `amount_minor`, or all that is left. Raises as `ask` does."""
    paid = payments.get(tx, payment_id)
    left = _checked_left(tx, paid)
    amount = left if amount_minor is None else _checked_amount(amount_minor, left, paid.currency)
    hold = ledger.site_account(Kind.REFUND_HOLD, paid.currency)
    plan = take_back.plan(tx, Wanted(paid, amount, hold))
    return Preview(paid, amount, left, plan, tuple(refund_rows.of_payment(tx, paid.id)))


def ask(
    tx: Transaction,
    actor: Actor,
    payment_id: str,
    amount_minor: int,
    reason: str,
    way: Way,
    asked: Request,
    letterhead: Letterhead,
    now_ms: int,
) -> Refund:
    """Put the money on hold and have it given back.

    Raises `NotFound`, `Invalid` (the amount) or `Conflict` (not paid, "disputed", nothing left).
    """
    paid = payments.get(tx, payment_id, locks=True)
    if (first := refund_rows.first_of(tx, actor, asked)) is not None:
        return first
    _checked_amount(amount_minor, _checked_left(tx, paid), paid.currency)
    refund_id = new_id(refund_rows.PREFIX)
    hold = ledger.site_account(Kind.REFUND_HOLD, paid.currency)
    posting = Posting("refund.held", f"refund:{refund_id}", (), actor_id=actor.id, reason=reason)
    entry, made = take_back.take(
        tx, Wanted(paid, amount_minor, hold), posting, now_ms, is_open=True
    )
    row = refund_rows.add(
        tx,
        paid,
        now_ms,
        id=refund_id,
        amount_minor=amount_minor,
        state="requested",
        way=way,
        reason=reason,
        entry_id=entry.id,
        asked_by=actor.id,
        asked_by_name=actor.name,
        idempotency_key=asked.key,
        request_hash=asked.hash,
    )
    details = {"payment": paid.id, "amount_minor": amount_minor, "reason": reason, "way": way}
    target = Target("refund", refund_id, money(amount_minor, paid.currency))
    audit.append(tx, actor, "refund.ask", target, now_ms, details)
    if way == "gateway":
        jobs.enqueue(tx, JOB, {"refund": refund_id}, now_ms, key=job_key(refund_id))
    reversal_letters.taken_from_streamers(tx, letterhead, made.parts, "a refund", now_ms)
    return row


def succeed(
    tx: Transaction, refund_id: str, provider_ref: str, letterhead: Letterhead, now_ms: int
) -> Refund:
    """The money is on its way to the payer; nothing happens when that is known."""
    found, paid = locked(tx, refund_id)
    if not found.is_open:
        return found
    amount = money(found.amount_minor, found.currency)
    body = (
        f"{amount} of what you paid is on its way back to where it came from. Depending on your "
        f"bank it takes some days. Reference: {provider_ref or found.id}."
    )
    reversal_letters.payer(tx, letterhead, paid, f"You get {amount} back", body, now_ms)
    return _pay(tx, found, paid, provider_ref, now_ms)


def _pay(tx: Transaction, found: Refund, paid: Payment, provider_ref: str, now_ms: int) -> Refund:
    """What is on hold for it goes back to the gateway."""
    entry, _ = ledger.post(
        tx,
        Posting(
            "refund",
            f"refund-done:{found.id}",
            (
                Transfer(
                    ledger.site_account(Kind.REFUND_HOLD, found.currency),
                    ledger.clearing_of(paid.gateway, found.currency),
                    found.amount_minor,
                ),
            ),
            subject=paid.id,
            external_ref=provider_ref,
        ),
        now_ms,
    )
    takings.decide(tx, found.entry_id)
    payments.take_back(tx, paid.id, refunded_minor=found.amount_minor)
    return refund_rows.change(
        tx,
        found,
        state="succeeded",
        done_entry_id=entry.id,
        provider_ref=provider_ref,
        ended_at_ms=now_ms,
    )


def fail(
    tx: Transaction, refund_id: str, detail: str, letterhead: Letterhead, now_ms: int
) -> Refund:
    """The payer doesn't get it: everything is as it was before, also when it had succeeded.

    But when the gateway took back the payment as a whole meanwhile, they have it that way.
    """
    found, paid = locked(tx, refund_id)
    if found.is_open and paid.state == "reversed":
        return _pay(tx, found, paid, "", now_ms)
    if found.state == "failed" or paid.state == "reversed":
        return found
    if found.done_entry_id is not None:
        ledger.reverse(tx, found.done_entry_id, "refund.failed", now_ms, reason=detail)
    if found.state == "succeeded":
        payments.take_back(tx, paid.id, refunded_minor=-found.amount_minor)
    parts = take_back.undo(tx, found.entry_id, "refund.failed", now_ms)
    reversal_letters.given_back_to_streamers(tx, letterhead, parts, now_ms)
    amount = money(found.amount_minor, found.currency)
    if found.state == "succeeded":
        body = f"{amount} that we sent back to you came back to us, so it is where it was before."
        reversal_letters.payer(tx, letterhead, paid, "A refund failed", body, now_ms)
    body = f"{amount}, payment {paid.id}. {detail}".strip()
    tell_admins(tx, letterhead, "A refund failed", body, f"/admin/refunds/{found.id}", now_ms)
    return refund_rows.change(tx, found, state="failed", detail=detail[:500], ended_at_ms=now_ms)


def wait(tx: Transaction, refund_id: str, provider_ref: str) -> Refund:
    """Its gateway decides later."""
    found, _ = locked(tx, refund_id)
    if found.state != "requested":
        return found
    return refund_rows.change(tx, found, state="pending", provider_ref=provider_ref)


def book_outside(
    tx: Transaction,
    paid: Payment,
    refunded_minor: int,
    now_ms: int,
    *,
    letterhead: Letterhead | None = None,
) -> None:
    """Its gateway says that so much was refunded in all, more than we asked for: somebody did it
    there. `paid` is locked.

    Refunds of ours that are still open may be among them: they are counted first.
    """
    paid = payments.get(tx, paid.id)
    ours = paid.refunded_minor + refund_rows.open_minor(tx, paid.id)
    more = min(refunded_minor - ours, left_minor(tx, paid))
    if more <= 0 or paid.state != "paid":
        return
    refund_id = new_id(refund_rows.PREFIX)
    clearing = ledger.clearing_of(paid.gateway, paid.currency)
    posting = Posting("refund", f"refund:{refund_id}", (), reason="refunded at the gateway")
    entry, made = take_back.take(tx, Wanted(paid, more, clearing), posting, now_ms, is_open=False)
    payments.take_back(tx, paid.id, refunded_minor=more)
    refund_rows.add(
        tx,
        paid,
        now_ms,
        id=refund_id,
        amount_minor=more,
        state="succeeded",
        way="outside",
        reason="Refunded at the gateway itself.",
        entry_id=entry.id,
        asked_by=None,
        asked_by_name="",
        ended_at_ms=now_ms,
    )
    if letterhead is not None:
        reversal_letters.taken_from_streamers(tx, letterhead, made.parts, "a refund", now_ms)
        amount = money(more, paid.currency)
        title, body = f"{amount} were refunded", f"{amount} of what you paid was given back to you."
        reversal_letters.payer(tx, letterhead, paid, title, body, now_ms)


def look_again(
    tx: Transaction, paid: Payment, refunded_minor: int, letterhead: Letterhead, now_ms: int
) -> None:
    """Its gateway says that so much was refunded in all. When that is less than it did for us, some
    of it failed after it had succeeded: of what we asked for the job asks again, and what was
    refunded there is booked back. `paid` is locked.
    """
    done = [one for one in refund_rows.of_payment(tx, paid.id) if one.state == "succeeded"]
    ours = [one for one in done if one.way == "gateway"]
    outside = [one for one in done if one.way == "outside"]
    left = sum(one.amount_minor for one in outside)
    if refunded_minor >= left + sum(one.amount_minor for one in ours):
        return
    for one in ours:
        key = f"refund/{one.id}/{refunded_minor}"
        jobs.enqueue(tx, JOB, {"refund": one.id}, now_ms, key=key)
    for one in outside:
        if left > refunded_minor:
            fail(tx, one.id, "It failed at the gateway.", letterhead, now_ms)
            left -= one.amount_minor
    book_outside(tx, paid, refunded_minor, now_ms, letterhead=letterhead)


def is_being_asked(tx: Transaction, found: Refund) -> bool:
    """Whether the job asks the gateway for it, and may be answered at any moment."""
    return found.is_open and found.way == "gateway" and jobs.is_under_way(tx, job_key(found.id))


def job_key(refund_id: str) -> str:
    return f"refund/{refund_id}"


def locked(tx: Transaction, refund_id: str) -> tuple[Refund, Payment]:
    """The payment first, as settling it does. Raises `NotFound`."""
    paid = payments.get(tx, refund_rows.get(tx, refund_id).payment_id, locks=True)
    return refund_rows.get(tx, refund_id), paid


def _checked_left(tx: Transaction, paid: Payment) -> int:
    if paid.state != "paid":
        raise Conflict("Only a payment that was paid can be refunded.", code="not_paid")
    if dispute_rows.is_open(tx, paid.id):
        raise Conflict(
            "This payment is disputed: its bank decides. A refund would be paid twice.",
            code="disputed",
        )
    left = left_minor(tx, paid)
    if left <= 0:
        raise Conflict("All of this payment was given back already.", code="nothing_left")
    return left


def _checked_amount(amount_minor: int, left: int, currency: str) -> int:
    if amount_minor < 1:
        raise Invalid("That is too little.", field="amount", code="amount_too_small")
    if amount_minor > left:
        raise Invalid(
            f"At most {money(left, currency)} of it can be given back.",
            field="amount",
            code="amount_too_large",
        )
    return amount_minor
