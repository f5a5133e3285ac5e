"""Settlement: what becomes of a payment here, once its gateway has said how it stands there.

Safe to be called with any answer, as often as one likes: money moves once for each payment,
whatever its state was. Called by checks.py, which asks, and by what admins decide; never by who
has only a notification in hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mediaserver.accounts.users import find_by_id
from mediaserver.channels import channels
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import MediaserverError, NotFound
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import (
    contributions,
    disputes,
    ledger,
    payment_letters,
    payment_watch,
    payments,
    refunds,
    take_back,
)
from mediaserver.money.contributions import Contribution
from mediaserver.money.currencies import CURRENCIES, formatted
from mediaserver.money.gateways.gateway import Standing, Status
from mediaserver.money.ledger import Kind, Posting, Transfer
from mediaserver.money.payments import UNPAID, WAITING, Payment

_ENDINGS: dict[Standing, payments.State] = {
    "failed": "failed",
    "cancelled": "cancelled",
    "expired": "expired",
    "reversed": "failed",
}
"""How a payment ends that was never paid here."""

_DETAIL_CHARS_MAX = 500
_REVIEW_CHARS_MAX = 150
"""Of what a gateway says; an admin who closes a review adds why behind it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What settling needs besides the payment. `maturity_days`: of what a donation earns."""

    letterhead: Letterhead
    maturity_days: int


def answer(
    tx: Transaction, asked: Payment, status: Status, rules: Rules, now_ms: int
) -> Payment | None:
    """`settle` by what its gateway said of the payment that was `asked` about.

    None when it is another by now and the answer may be older than that: ask again. So a "failed"
    of before can't take back what another process has booked meanwhile.
    """
    found = payments.get(tx, asked.id, locks=True)
    is_news = status.standing == "paid" and found.entry_id is None
    if not is_news and _progress(found) != _progress(asked):
        return None
    return settle(tx, asked.id, status, rules, now_ms)


def _progress(found: Payment) -> tuple[str, int, int]:
    return found.state, found.refunded_minor, found.disputed_minor


def settle(tx: Transaction, payment_id: str, status: Status, rules: Rules, now_ms: int) -> Payment:
    """The payment as it is now. Raises `NotFound`."""
    found = payments.get(tx, payment_id, locks=True)
    if found.state == "reversed":
        return found
    if status.charge_ref and status.charge_ref != found.charge_ref:
        found = payments.change(tx, found, charge_ref=status.charge_ref)
    if found.state == "paid":
        return _after(tx, found, status, rules, now_ms)
    if status.standing == "paid":
        problem = _mismatch(found, status)
        if problem:
            return _review(tx, found, problem, rules, now_ms)
        return _after(tx, _pay(tx, found, rules, now_ms), status, rules, now_ms)
    if status.standing == "review":
        return _review(tx, found, status.detail or "A check for fraud.", rules, now_ms)
    ending = _ENDINGS.get(status.standing)
    if ending is not None and found.state in WAITING:
        return end(tx, found, ending, status.detail, rules.letterhead, now_ms)
    return found


def accept(tx: Transaction, found: Payment, status: Status, rules: Rules, now_ms: int) -> Payment:
    """Book what was really paid, though it isn't what was asked for: an admin wants it so. `found`
    is locked and not booked; a donation's commission is that of its beginning, of the new amount.
    """
    assert (found.entry_id, status.currency) == (None, found.currency), found.id
    if status.amount_minor != found.amount_minor:
        given = contributions.of_payment(tx, found.id)
        if given is not None:
            contributions.set_amount(tx, given, status.amount_minor)
    found = payments.change(
        tx,
        found,
        amount_minor=status.amount_minor,
        charge_ref=status.charge_ref or found.charge_ref,
    )
    paid = _pay(tx, found, rules, now_ms)
    return _after(tx, paid, replace(status, standing="paid"), rules, now_ms)


def end(
    tx: Transaction,
    found: Payment,
    state: payments.State,
    problem: str,
    letterhead: Letterhead,
    now_ms: int,
) -> Payment:
    """It wasn't paid. `found` is locked."""
    assert state in UNPAID, state
    ended = end_quietly(tx, found, problem, now_ms, state=state)
    if state == "failed":
        payment_letters.failed(tx, letterhead, ended, now_ms)
    elif state == "expired":
        payment_letters.expired(tx, letterhead, ended, now_ms)
    return ended


def end_quietly(
    tx: Transaction, found: Payment, problem: str, now_ms: int, *, state: payments.State = "failed"
) -> Payment:
    """`end` for a payer who sees it anyway."""
    given = contributions.of_payment(tx, found.id)
    if given is not None and given.state == "open":
        contributions.end(tx, given, "failed")
    return payments.change(
        tx, found, state=state, problem=problem[:_DETAIL_CHARS_MAX], ended_at_ms=now_ms
    )


def _mismatch(found: Payment, status: Status) -> str:
    """Why what was paid isn't what was asked for; empty when it is."""
    if (status.amount_minor, status.currency) == (found.amount_minor, found.currency):
        return ""
    currency = CURRENCIES.get(status.currency)
    if currency is None:
        paid = f"{status.amount_minor} {status.currency[:8]}"
    else:
        paid = f"{formatted(status.amount_minor, currency)} ({currency.code})"
    wanted = formatted(found.amount_minor, CURRENCIES[found.currency])
    return f"{paid} was paid instead of {wanted} ({found.currency})."


def _review(tx: Transaction, found: Payment, problem: str, rules: Rules, now_ms: int) -> Payment:
    """It waits for somebody; told once. What an admin has closed for that stays closed."""
    problem = problem[:_REVIEW_CHARS_MAX]
    is_closed = found.state == "failed" and found.problem.startswith(problem)
    if is_closed or (found.state == "review" and found.problem == problem):
        return found
    is_news = found.state != "review"
    found = payments.change(tx, found, state="review", problem=problem, ended_at_ms=None)
    if is_news:
        payment_letters.in_review(tx, rules.letterhead, found, now_ms)
    return found


def _pay(tx: Transaction, found: Payment, rules: Rules, now_ms: int) -> Payment:
    """Book it, once for ever. `found` is locked, and what it was for is locked here."""
    given = contributions.of_payment(tx, found.id)
    if given is not None:
        given = contributions.get(tx, given.id, locks=True)
    remarks: list[str] = []
    if given is None:
        entry_id = _credit_wallet(tx, found, remarks, now_ms)
    elif find_by_id(tx, given.recipient_id) is None:
        remarks.append("the streamer's account is gone; the money waits as unclaimed.")
        if given.state == "open":
            contributions.end(tx, given, "failed")
        entry_id = _unclaimed(tx, found, now_ms)
        given = None
    else:
        given = _contribute(tx, found, given, rules, remarks, now_ms)
        assert given.entry_id is not None
        entry_id = given.entry_id
    paid = payments.change(
        tx,
        found,
        state="paid",
        problem="",
        entry_id=entry_id,
        paid_at_ms=now_ms,
        ended_at_ms=now_ms,
    )
    payment_watch.watch_on(tx, paid, now_ms)
    for remark in remarks:
        payment_letters.needs_eyes(tx, rules.letterhead, paid, remark, now_ms)
    if given is not None or paid.purpose == "topup":
        payment_letters.paid(tx, rules.letterhead, paid, given, now_ms)
    return paid


def _credit_wallet(tx: Transaction, found: Payment, remarks: list[str], now_ms: int) -> str:
    if found.user_id is None:
        remarks.append("the account is gone; the money waits as unclaimed.")
        return _unclaimed(tx, found, now_ms)
    wallet = ledger.wallet_of(found.user_id, found.currency)
    return _book(tx, found, wallet, now_ms)


def _unclaimed(tx: Transaction, found: Payment, now_ms: int) -> str:
    return _book(tx, found, ledger.site_account(Kind.UNCLAIMED, found.currency), now_ms)


def _book(tx: Transaction, found: Payment, to: ledger.Account, now_ms: int) -> str:
    clearing = ledger.clearing_of(found.gateway, found.currency)
    entry, is_new = ledger.post(
        tx,
        Posting(
            found.purpose,
            f"payment:{found.id}",
            (Transfer(clearing, to, found.amount_minor),),
            subject=found.id,
            actor_id=found.user_id,
            external_ref=found.charge_ref or found.provider_ref,
        ),
        now_ms,
    )
    assert is_new, found.id
    return entry.id


def _contribute(
    tx: Transaction,
    found: Payment,
    given: Contribution,
    rules: Rules,
    remarks: list[str],
    now_ms: int,
) -> Contribution:
    """Late money pays a contribution that was given up; what may no longer be seen isn't shown."""
    trouble = _trouble(tx, given, now_ms)
    if trouble:
        remarks.append(f"{trouble} It is booked for the streamer, and not shown.")
    shown = replace(given, state="open", channel_id=None if trouble else given.channel_id)
    clearing = ledger.clearing_of(found.gateway, found.currency)
    return contributions.pay(tx, shown, clearing, now_ms, maturity_days=rules.maturity_days)


def _trouble(tx: Transaction, given: Contribution, now_ms: int) -> str:
    """Why the donation couldn't be begun any more as things are now; empty when it could."""
    if given.channel_id is None:
        return "The channel was deleted meanwhile."
    try:
        channel = channels.get_by_id(tx, given.channel_id)
        sender = contributions.sender_of(tx, given)
        contributions.check_may_receive(tx, channel, sender, now_ms)
    except NotFound:
        return "The channel is deleted or hidden by now."
    except MediaserverError as error:
        return error.message
    return ""


def _after(tx: Transaction, paid: Payment, status: Status, rules: Rules, now_ms: int) -> Payment:
    """What happens to a payment that is booked: fee, refunds, disputes, or all of it taken back."""
    if status.standing in _ENDINGS:
        why = status.detail or status.standing
        take_back.reverse_payment(tx, paid, why, now_ms, letterhead=rules.letterhead)
        what = "its gateway took it back."
        reversed_ = payments.change(
            tx, paid, state="reversed", problem=status.detail[:_DETAIL_CHARS_MAX]
        )
        payment_letters.needs_eyes(tx, rules.letterhead, reversed_, what, now_ms)
        return reversed_
    if status.standing != "paid":
        return paid
    _book_fee(tx, paid, status.fee_minor, now_ms)
    if status.refunded_minor > paid.refunded_minor:
        refunded = status.refunded_minor
        refunds.book_outside(tx, paid, refunded, now_ms, letterhead=rules.letterhead)
    refunds.look_again(tx, paid, status.refunded_minor, rules.letterhead, now_ms)
    for dispute in status.disputes:
        disputes.book(tx, paid, dispute, now_ms, letterhead=rules.letterhead)
    return payments.get(tx, paid.id)


def _book_fee(tx: Transaction, paid: Payment, fee_minor: int, now_ms: int) -> None:
    """What the gateway keeps of it; known late with some, and booked once."""
    key = f"fee:{paid.id}"
    if fee_minor <= 0 or ledger.entry_by_key(tx, key) is not None:
        return
    fees = ledger.site_account(Kind.GATEWAY_FEES, paid.currency)
    clearing = ledger.clearing_of(paid.gateway, paid.currency)
    transfers = (Transfer(fees, clearing, fee_minor),)
    ledger.post(tx, Posting("gateway_fee", key, transfers, subject=paid.id), now_ms)
