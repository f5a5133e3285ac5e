"""Disputes: a payer's bank takes a payment back (a chargeback), and may lose or win.

    open ──▶ lost ◀──▶ won
        └──▶ won

The provider takes the amount at once, so it is booked at once, and the fee as soon as it is known;
while it is open the payer's wallet is frozen, as what is in it may not be theirs. Won: exactly what
was taken goes back, but for the fee. Lost: it stays, and an admin decides when the wallet is opened
again. Called by the settlement of payments, with what the gateway answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict
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
from mediaserver.money.dispute_rows import Dispute, State
from mediaserver.money.gateways.gateway import DisputeStatus
from mediaserver.money.ledger import Kind, Posting, Transfer
from mediaserver.money.payments import Payment
from mediaserver.money.take_back import Part, Wanted
from mediaserver.notifications.notices import tell_admins

FROZEN_FOR = "A payment of yours is disputed by its bank."
"""Why a wallet is frozen, as its owner reads it."""


@dataclass(frozen=True, slots=True)
class Case:
    """A dispute as an admin sees it: with its payment, and why the wallet is frozen, if it is."""

    dispute: Dispute
    paid: Payment
    frozen_for: str | None


class Disputes:
    """What admins do about them."""

    def __init__(self, db: Database, clock: Clock, letterhead: Letterhead) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead

    async def page(self, states: Sequence[State], *, after: str | None = None) -> list[Dispute]:
        """Newest first, behind the one with the id `after`."""
        return await self._db.read(dispute_rows.page, states, after)

    async def get(self, dispute_id: str) -> Case:
        """Raises `NotFound`."""
        return await self._db.read(case, dispute_id)

    async def unfreeze(self, actor: Actor, dispute_id: str) -> Case:
        """Open the payer's wallet again. Raises `NotFound`, or `Conflict` while any dispute of
        theirs is open, or when it isn't frozen for one.
        """
        return await self._db.write(
            unfreeze, actor, dispute_id, self._letterhead, self._clock.wall_ms()
        )


def book(
    tx: Transaction,
    paid: Payment,
    status: DisputeStatus,
    now_ms: int,
    *,
    letterhead: Letterhead | None = None,
) -> None:
    """How a dispute stands; nothing happens when that is known. `paid` is locked.

    Of one that is decided "open" changes nothing: it comes late. One that was won before we heard
    of it cost its fee alone. Banks may decide again: what counts is what they said last.
    """
    paid = payments.get(tx, paid.id)  # another dispute may have been booked just before
    if paid.entry_id is None:
        return  # nothing was booked for it, so there is nothing to take back
    known = dispute_rows.find(tx, paid.gateway, status.provider_ref)
    if known is None:
        _open(tx, paid, status, letterhead, now_ms)
        return
    if not known.fee_minor and status.fee_minor:
        known = dispute_rows.set_fee(tx, known, status.fee_minor)
        _book_fee(tx, paid, known, now_ms)
    if known.state == "won" and status.state == "lost":
        booked = min(known.amount_minor, _left_minor(tx, paid))
        known = dispute_rows.lose_again(tx, known, booked, now_ms)
        _begin(tx, paid, known, letterhead, now_ms)
    elif known.state == "open" and status.state == "lost":
        _lose(tx, paid, known, letterhead, now_ms)
    elif known.state in ("open", "lost") and status.state == "won":
        _win(tx, paid, known, letterhead, now_ms)


def case(tx: Transaction, dispute_id: str) -> Case:
    """Raises `NotFound`."""
    found = dispute_rows.get(tx, dispute_id)
    paid = payments.get(tx, found.payment_id)
    frozen_for = None
    if paid.user_id is not None:
        wallet = ledger.wallet_of(paid.user_id, paid.currency)
        frozen_for = ledger.balance(tx, wallet).frozen_for
    return Case(found, paid, frozen_for)


def unfreeze(
    tx: Transaction, actor: Actor, dispute_id: str, letterhead: Letterhead, now_ms: int
) -> Case:
    """`Disputes.unfreeze` inside a transaction."""
    paid = payments.get(tx, dispute_rows.get(tx, dispute_id).payment_id, locks=True)
    if not _thaw(tx, paid):
        raise Conflict(
            "This wallet isn't frozen for a dispute, or another one is still open.",
            code="not_frozen",
        )
    target = Target("dispute", dispute_id, paid.id)
    audit.append(tx, actor, "dispute.unfreeze", target, now_ms, {"user_id": paid.user_id})
    body = "You can tip and pay from it again."
    reversal_letters.payer(tx, letterhead, paid, "Your wallet is open again", body, now_ms)
    return case(tx, dispute_id)


def _open(
    tx: Transaction,
    paid: Payment,
    status: DisputeStatus,
    letterhead: Letterhead | None,
    now_ms: int,
) -> None:
    """The first that we hear of it."""
    booked = 0 if status.state == "won" else min(status.amount_minor, _left_minor(tx, paid))
    found = dispute_rows.add(tx, paid, status, booked, now_ms)
    _book_fee(tx, paid, found, now_ms)
    if status.state != "won":
        _begin(tx, paid, found, letterhead, now_ms)


def _begin(
    tx: Transaction,
    paid: Payment,
    found: Dispute,
    letterhead: Letterhead | None,
    now_ms: int,
) -> None:
    """Its bank takes the money."""
    parts = _take(tx, paid, found, now_ms)
    if paid.user_id is not None:
        wallet = ledger.wallet_of(paid.user_id, paid.currency)
        ledger.freeze(tx, wallet, FROZEN_FOR, now_ms)
    if letterhead is not None:
        _tell_opened(tx, letterhead, paid, found, parts, now_ms)


def _left_minor(tx: Transaction, paid: Payment) -> int:
    """What of a payment wasn't given back yet, nor is about to be."""
    if paid.state != "paid":
        return 0
    gone = paid.refunded_minor + paid.disputed_minor + refund_rows.open_minor(tx, paid.id)
    return max(0, paid.amount_minor - gone)


def _take(tx: Transaction, paid: Payment, found: Dispute, now_ms: int) -> tuple[Part, ...]:
    """Book what its bank took: as much as is left of the payment, and the rest as a loss."""
    clearing = ledger.clearing_of(paid.gateway, paid.currency)
    beyond = Transfer(
        ledger.site_account(Kind.LOSSES, paid.currency),
        clearing,
        found.amount_minor - found.booked_minor,
    )
    if not found.amount_minor or paid.state != "paid":
        return ()  # a payment that its gateway took back as a whole is gone already
    again = "" if found.entry_id is None else f":{found.entry_id}"
    posting = Posting(
        "dispute",
        f"dispute:{found.id}{again}",
        (),
        reason=found.reason,
        external_ref=found.provider_ref,
    )
    entry, made = take_back.take(
        tx,
        Wanted(paid, found.booked_minor, clearing),
        posting,
        now_ms,
        is_open=found.state == "open",
        more=(beyond,),
    )
    dispute_rows.set_entry(tx, found, entry.id)
    payments.take_back(tx, paid.id, disputed_minor=found.booked_minor)
    return made.parts


def _book_fee(tx: Transaction, paid: Payment, found: Dispute, now_ms: int) -> None:
    """Providers keep it, whoever wins."""
    if not found.fee_minor:
        return
    fee = Transfer(
        ledger.site_account(Kind.GATEWAY_FEES, paid.currency),
        ledger.clearing_of(paid.gateway, paid.currency),
        found.fee_minor,
    )
    posting = Posting(
        "dispute.fee",
        f"dispute-fee:{found.id}",
        (fee,),
        subject=paid.id,
        external_ref=found.provider_ref,
    )
    ledger.post(tx, posting, now_ms)


def _lose(
    tx: Transaction,
    paid: Payment,
    found: Dispute,
    letterhead: Letterhead | None,
    now_ms: int,
) -> None:
    if found.entry_id is not None:
        takings.decide(tx, found.entry_id)
    dispute_rows.end(tx, found, "lost", now_ms)
    if letterhead is not None:
        amount = money(found.amount_minor, found.currency)
        body = f"{amount} are lost. The payer's wallet stays frozen until you open it again."
        path = f"/admin/disputes/{found.id}"
        tell_admins(tx, letterhead, "A dispute is lost", body, path, now_ms)


def _win(
    tx: Transaction,
    paid: Payment,
    found: Dispute,
    letterhead: Letterhead | None,
    now_ms: int,
) -> None:
    parts: tuple[Part, ...] = ()
    if found.entry_id is not None:
        parts = take_back.undo(tx, found.entry_id, "dispute.won", now_ms)
        payments.take_back(tx, paid.id, disputed_minor=-found.booked_minor)
    dispute_rows.end(tx, found, "won", now_ms)
    was_frozen = _thaw(tx, paid)
    if letterhead is None:
        return
    reversal_letters.given_back_to_streamers(tx, letterhead, parts, now_ms)
    if was_frozen:
        body = "The dispute about your payment is over, and your wallet can be used again."
        reversal_letters.payer(tx, letterhead, paid, "Your wallet is open again", body, now_ms)
    amount = money(found.amount_minor, found.currency)
    path = f"/admin/disputes/{found.id}"
    tell_admins(tx, letterhead, "A dispute is won", f"{amount} are back.", path, now_ms)


def _thaw(tx: Transaction, paid: Payment) -> bool:
    """Unfreeze the payer's wallet if a dispute froze it and none is open; whether it was so."""
    if paid.user_id is None:
        return False
    wallet = ledger.wallet_of(paid.user_id, paid.currency)
    # Locked first: who opens another dispute waits here, or is done and is seen below.
    if ledger.locked_balances(tx, [wallet])[wallet].frozen_for != FROZEN_FOR:
        return False
    if dispute_rows.has_open(tx, paid.user_id):
        return False
    ledger.unfreeze(tx, wallet)
    return True


def _tell_opened(
    tx: Transaction,
    letterhead: Letterhead,
    paid: Payment,
    found: Dispute,
    parts: tuple[Part, ...],
    now_ms: int,
) -> None:
    amount = money(found.amount_minor, found.currency)
    body = (
        f"The bank behind your payment of {money(paid.amount_minor, paid.currency)} took {amount} "
        "back."
    )
    if paid.user_id is not None:
        body += (
            " Until that is decided, your wallet is frozen. If it was a mistake, ask your bank to "
            "withdraw the dispute."
            if found.state == "open"
            else " Your wallet is frozen until an admin opens it again."
        )
    reversal_letters.payer(tx, letterhead, paid, "Your payment is disputed", body, now_ms)
    reversal_letters.taken_from_streamers(tx, letterhead, parts, "a dispute", now_ms)
    body = f"{amount} of payment {paid.id}. {found.reason}".strip()
    path = f"/admin/disputes/{found.id}"
    tell_admins(tx, letterhead, "A payment is disputed", body, path, now_ms)
