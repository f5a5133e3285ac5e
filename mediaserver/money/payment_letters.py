"""What payers and admins are told about payments: members by a notice and mail, guests by mail."""

from __future__ import annotations

from mediaserver.kernel.db import Transaction
from mediaserver.kernel.mail import Letterhead, send
from mediaserver.money.commission import percent
from mediaserver.money.contributions import Contribution
from mediaserver.money.currencies import money
from mediaserver.money.payments import Payment
from mediaserver.notifications.notices import Topic, tell, tell_admins


def path_of(found: Payment) -> str:
    """The page of a payment."""
    return f"/payments/{found.id}"


def paid(
    tx: Transaction,
    letterhead: Letterhead,
    found: Payment,
    given: Contribution | None,
    now_ms: int,
) -> None:
    """The receipt."""
    amount = money(found.amount_minor, found.currency)
    if given is None:
        title = f"{amount} is in your wallet"
        body = f"Your payment of {amount} has arrived, and the money is in your wallet."
    else:
        title = f"Receipt: {amount} for {given.channel_name}"
        body = (
            f"Your donation of {amount} to {given.channel_name} has arrived.\n"
            f"Given: {amount}\n"
            f"This site's commission ({percent(given.commission_bps)}): "
            f"{money(given.fee_minor, given.currency)}\n"
            f"For the streamer: {money(given.net_minor, given.currency)}"
        )
    _tell_payer(tx, letterhead, found, title, f"{body}\n\nPayment {found.id}", now_ms)


def failed(tx: Transaction, letterhead: Letterhead, found: Payment, now_ms: int) -> None:
    amount = money(found.amount_minor, found.currency)
    why = f" What we were told: {found.problem}" if found.problem else ""
    body = f"Your payment of {amount} didn't work, and nothing was booked here.{why}"
    _tell_payer(tx, letterhead, found, f"Your payment of {amount} failed", body, now_ms)


def expired(tx: Transaction, letterhead: Letterhead, found: Payment, now_ms: int) -> None:
    amount = money(found.amount_minor, found.currency)
    body = (
        f"Your payment of {amount} was not finished in time. If you did pay, it is booked as soon "
        "as the money arrives; you don't have to do anything."
    )
    _tell_payer(tx, letterhead, found, f"Your payment of {amount} has expired", body, now_ms)


def in_review(tx: Transaction, letterhead: Letterhead, found: Payment, now_ms: int) -> None:
    amount = money(found.amount_minor, found.currency)
    body = (
        f"Your payment of {amount} is being looked at before it is booked. You will hear from us "
        "when that is decided."
    )
    _tell_payer(tx, letterhead, found, f"Your payment of {amount} is under review", body, now_ms)
    body = f"The payment {found.id} of {amount} by {found.gateway} waits: {found.problem}"
    tell_admins(tx, letterhead, "A payment needs a look", body, f"/admin{path_of(found)}", now_ms)


def needs_eyes(
    tx: Transaction, letterhead: Letterhead, found: Payment, what: str, now_ms: int
) -> None:
    """Something that admins should know of a payment, though it is booked."""
    amount = money(found.amount_minor, found.currency)
    body = f"The payment {found.id} of {amount} by {found.gateway}: {what}"
    path = f"/admin{path_of(found)}"
    tell_admins(tx, letterhead, "A payment needs a look", body, path, now_ms)


def transfer_expected(
    tx: Transaction, letterhead: Letterhead, found: Payment, code: str, now_ms: int
) -> None:
    """Somebody wants to send money from their bank."""
    amount = money(found.amount_minor, found.currency)
    body = f"Somebody tops up {amount} by bank transfer, with the reference {code}."
    path = f"/admin{path_of(found)}"
    tell_admins(tx, letterhead, "A bank transfer is announced", body, path, now_ms)


def _tell_payer(
    tx: Transaction, letterhead: Letterhead, found: Payment, title: str, body: str, now_ms: int
) -> None:
    if found.user_id is not None:
        tell(tx, letterhead, found.user_id, Topic.MONEY, title, body, path_of(found), now_ms)
    elif found.email:
        link = f"{letterhead.url}{path_of(found)}"
        send(tx, letterhead.mail(found.email, title, "Hello,", body, link), now_ms)
