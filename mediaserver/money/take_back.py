"""Taking back: whose money it is when a payment is refunded, disputed or reversed.

    top-up     what is still unspent comes out of the wallet; then what it paid for (funding.py),
               newest first, as long as those earnings haven't matured
    donation   its one contribution, as long as it hasn't matured

Of a contribution the net part comes out of the streamer's pending earnings, the commission out of
the site's. Matured earnings are the streamer's: for them, for memberships and for all else that is
gone the site bears the loss.

Each entry keeps what it took of which contribution (takings.py), so that undoing it gives back
exactly that. Called by refunds and disputes, with the payment's row locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select

from mediaserver.channels import channels
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import (
    contributions,
    ledger,
    payments,
    refund_rows,
    reversal_letters,
    takings,
)
from mediaserver.money.commission import fee_of_part
from mediaserver.money.contributions import Contribution
from mediaserver.money.funding import Lot, Movement, lots_of
from mediaserver.money.ledger import (
    Account,
    Entry,
    Kind,
    Posting,
    Transfer,
    ledger_entry,
    ledger_transfer,
)
from mediaserver.money.payments import Payment
from mediaserver.money.support import SupportChanged
from mediaserver.money.takings import Taking


@dataclass(frozen=True, slots=True)
class Part:
    """What is taken of one contribution, and how much of that out of the streamer's earnings."""

    contribution: Contribution
    amount_minor: int
    net_minor: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Where an amount would come from: what an admin sees before they decide."""

    transfers: tuple[Transfer, ...]
    parts: tuple[Part, ...]

    def from_kind(self, kind: Kind) -> int:
        """How much of it comes out of accounts of one kind."""
        return sum(one.amount_minor for one in self.transfers if one.debit.kind is kind)


@dataclass(frozen=True, slots=True)
class Wanted:
    """So much of a payment, credited to the account `to`."""

    paid: Payment
    amount_minor: int
    to: Account


def plan(tx: Transaction, wanted: Wanted) -> Plan:
    """As things stand now; nothing is locked."""
    candidates = _contributions(tx, _candidate_ids(tx, wanted.paid), locks=False)
    accounts = _accounts(tx, wanted, candidates)
    held = {account: ledger.balance(tx, account).amount_minor for account in accounts}
    return _Maker(tx, wanted, candidates, held).make()


def take(
    tx: Transaction,
    wanted: Wanted,
    posting: Posting,
    now_ms: int,
    *,
    is_open: bool,
    more: tuple[Transfer, ...] = (),
) -> tuple[Entry, Plan]:
    """Post what `wanted` asks for, with the words of `posting`, whose transfers are left out.

    `more` is posted with it. `is_open`: somebody decides later whether it stays so. The payment's
    row is locked, and the caller has seen that the key wasn't posted yet.
    """
    candidates = _contributions(tx, _candidate_ids(tx, wanted.paid), locks=True)
    balances = ledger.locked_balances(tx, _accounts(tx, wanted, candidates))
    known = {one.id for one in candidates}
    # Nothing moves in the wallet any more: what was given a moment ago is found now.
    candidates += _contributions(tx, _candidate_ids(tx, wanted.paid) - known, locks=True)
    balances |= ledger.locked_balances(tx, _accounts(tx, wanted, candidates))
    held = {account: one.amount_minor for account, one in balances.items()}
    made = _Maker(tx, wanted, candidates, held).make()
    entry, is_new = ledger.post(
        tx,
        Posting(
            posting.kind,
            posting.key,
            made.transfers + more,
            subject=wanted.paid.id,
            actor_id=posting.actor_id,
            reason=posting.reason,
            external_ref=posting.external_ref,
            touches_frozen=True,
        ),
        now_ms,
    )
    assert is_new, posting.key
    for part in made.parts:
        one = Taking(part.contribution.id, part.amount_minor, part.net_minor)
        takings.write_down(tx, entry, wanted.paid, one, is_open=is_open)
        contributions.take_back(tx, part.contribution.id, part.amount_minor)
    _tell_channels(tx, (part.contribution for part in made.parts))
    return entry, made


def undo(
    tx: Transaction, entry_id: str, kind: str, now_ms: int, *, actor_id: str | None = None
) -> tuple[Part, ...]:
    """Give back exactly what an entry took, once; what that was of contributions."""
    taken = {one.contribution_id: one for one in takings.of_entry(tx, entry_id)}
    given = contributions.locked(tx, taken)
    back, is_new = ledger.reverse(tx, entry_id, kind, now_ms, actor_id=actor_id)
    if not is_new:
        return ()
    takings.undo(tx, entry_id)
    for one in given:
        contributions.take_back(tx, one.id, -taken[one.id].amount_minor)
        if one.matured_at_ms is not None and taken[one.id].net_minor:
            _mature_again(tx, one, taken[one.id].net_minor, back, now_ms)
    _tell_channels(tx, given)
    return tuple(Part(one, taken[one.id].amount_minor, taken[one.id].net_minor) for one in given)


def reverse_payment(
    tx: Transaction, paid: Payment, why: str, now_ms: int, *, letterhead: Letterhead | None = None
) -> None:
    """Its gateway took back the whole payment. `paid` is locked.

    What is on hold for a refund is left to that: refunds.py knows that it can't be paid any more.
    """
    paid = payments.get(tx, paid.id)
    key = f"reversed:{paid.id}"
    gone = paid.refunded_minor + paid.disputed_minor + refund_rows.open_minor(tx, paid.id)
    left = paid.amount_minor - gone
    if left <= 0 or ledger.entry_by_key(tx, key) is not None:
        return
    clearing = ledger.clearing_of(paid.gateway, paid.currency)
    posting = Posting("payment.reversed", key, (), reason=why)
    _, made = take(tx, Wanted(paid, left, clearing), posting, now_ms, is_open=False)
    if letterhead is not None:
        reversal_letters.taken_from_streamers(tx, letterhead, made.parts, why, now_ms)


def movements_of(tx: Transaction, wallet: Account) -> list[Movement]:
    """All that ever moved in a wallet, in order; at the same moment first what came in."""
    is_debit = ledger_transfer.c.debit_id == wallet.id
    rows = tx.execute(
        select(
            ledger_entry.c.subject,
            ledger_transfer.c.amount_minor,
            is_debit.label("is_debit"),
        )
        .join(ledger_entry, ledger_entry.c.id == ledger_transfer.c.entry_id)
        .where(or_(is_debit, ledger_transfer.c.credit_id == wallet.id))
        .order_by(
            ledger_transfer.c.created_at_ms,
            is_debit,
            ledger_transfer.c.entry_id,
            ledger_transfer.c.place,
        )
    )
    return [
        Movement(row.subject, -row.amount_minor if row.is_debit else row.amount_minor)
        for row in rows
    ]


class _Maker:
    """Makes one plan, from what the accounts hold."""

    def __init__(
        self,
        tx: Transaction,
        wanted: Wanted,
        candidates: Sequence[Contribution],
        held: dict[Account, int],
    ) -> None:
        self._tx = tx
        self._wanted = wanted
        self._candidates = {one.id: one for one in candidates}
        self._held = held

        self._left = wanted.amount_minor
        self._drawn: dict[Account, int] = {}
        self._parts: list[Part] = []

    def make(self) -> Plan:
        paid = self._wanted.paid
        if _waits_unclaimed(self._tx, paid):
            unclaimed = ledger.site_account(Kind.UNCLAIMED, paid.currency)
            self._draw(unclaimed, self._left)
        elif paid.purpose == "donation":
            for one in self._candidates.values():
                self._take_contribution(one, one.amount_minor)
        else:
            self._take_topup(_lot_of(self._tx, paid))
        losses = ledger.site_account(Kind.LOSSES, paid.currency)
        to = self._wanted.to
        drawn = [Transfer(account, to, amount) for account, amount in self._drawn.items()]
        lost = self._wanted.amount_minor - sum(self._drawn.values())
        return Plan(
            (*drawn, *([Transfer(losses, to, lost)] if lost else [])),
            tuple(self._parts),
        )

    def _take_topup(self, lot: Lot) -> None:
        paid = self._wanted.paid
        if paid.user_id is not None:
            wallet = ledger.wallet_of(paid.user_id, paid.currency)
            self._left -= self._draw(wallet, min(self._left, lot.unspent_minor))
        funded: dict[str, int] = {}
        for spent in reversed(lot.spent):
            funded[spent.subject] = funded.get(spent.subject, 0) + spent.amount_minor
        for subject, amount_minor in funded.items():
            given = self._candidates.get(subject)
            if given is not None:
                self._take_contribution(given, amount_minor)
            elif subject.startswith("usr_"):  # the account is gone, the money waits for its owner
                unclaimed = ledger.site_account(Kind.UNCLAIMED, paid.currency)
                self._left -= self._draw(unclaimed, min(self._left, amount_minor))

    def _take_contribution(self, given: Contribution, funded_minor: int) -> None:
        """Take what is left to take of it, and was paid by this payment, unless it matured."""
        earned, fee_minor = _booked(self._tx, given)
        if given.matured_at_ms is not None and earned.kind is Kind.EARNINGS_PENDING:
            return
        by_this = takings.sum_by_payment(self._tx, given.id, self._wanted.paid.id)
        room = min(funded_minor - by_this, given.amount_minor - given.taken_back_minor)
        amount = min(self._left, room)
        if amount <= 0:
            return
        self._left -= amount
        net = amount - _fee_in(self._tx, given, fee_minor, amount)
        drawn = self._draw(earned, net)
        self._draw(ledger.site_account(Kind.COMMISSION, given.currency), amount - net)
        self._parts.append(Part(given, amount, drawn))

    def _draw(self, account: Account, most_minor: int) -> int:
        """As much of it as the account has; what it lacks is the site's loss."""
        part = max(0, min(most_minor, self._held.get(account, 0)))
        if part:
            self._held[account] -= part
            self._drawn[account] = self._drawn.get(account, 0) + part
        return part


def _lot_of(tx: Transaction, paid: Payment) -> Lot:
    """What came into the payer's wallet by a top-up."""
    owner_id = paid.user_id or _first_owner(tx, paid)
    if owner_id is None:
        return Lot()
    wallet = ledger.wallet_of(owner_id, paid.currency)
    return lots_of(movements_of(tx, wallet)).get(paid.id, Lot())


def _first_owner(tx: Transaction, paid: Payment) -> str | None:
    """Whose wallet a top-up went into, though their account is gone."""
    assert paid.entry_id is not None, paid.id
    for one in ledger.get_entry(tx, paid.entry_id).transfers:
        if one.credit.kind is Kind.WALLET:
            return one.credit.owner
    return None


def _candidate_ids(tx: Transaction, paid: Payment) -> set[str]:
    """Contributions that the payment may have paid for."""
    if paid.purpose == "donation":
        given = contributions.of_payment(tx, paid.id)
        return {given.id} if given is not None and given.state == "paid" else set()
    spent = _lot_of(tx, paid).spent
    return {one.subject for one in spent if one.subject.startswith(f"{contributions.PREFIX}_")}


def _contributions(tx: Transaction, wanted_ids: set[str], *, locks: bool) -> list[Contribution]:
    if not wanted_ids:
        return []
    if locks:
        return contributions.locked(tx, wanted_ids)
    table = contributions.contribution
    rows = tx.execute(select(table).where(table.c.id.in_(sorted(wanted_ids))))
    return [contributions.to_contribution(row) for row in rows]


def _accounts(tx: Transaction, wanted: Wanted, candidates: Iterable[Contribution]) -> set[Account]:
    """Every account that a plan may touch."""
    paid = wanted.paid
    found = {wanted.to}
    for kind in (Kind.COMMISSION, Kind.LOSSES, Kind.UNCLAIMED):
        found.add(ledger.site_account(kind, paid.currency))
    if paid.user_id is not None:
        found.add(ledger.wallet_of(paid.user_id, paid.currency))
    for given in candidates:
        found.add(_booked(tx, given)[0])
    return found


def _waits_unclaimed(tx: Transaction, paid: Payment) -> bool:
    """Whether a payment came when the account that it was for was gone already."""
    assert paid.entry_id is not None, paid.id
    credited = {one.credit.kind for one in ledger.get_entry(tx, paid.entry_id).transfers}
    return credited == {Kind.UNCLAIMED}


def _booked(tx: Transaction, given: Contribution) -> tuple[Account, int]:
    """Where the net part of a contribution went, pending earnings or unclaimed money, and how much
    went to commission.
    """
    earned = Account(Kind.EARNINGS_PENDING, given.recipient_id, given.currency)
    fee_minor = 0
    assert given.entry_id is not None, given.id
    for one in ledger.transfers_of(tx, [given.entry_id])[given.entry_id]:
        if one.credit.kind is Kind.COMMISSION:
            fee_minor += one.amount_minor
        elif one.credit.kind is Kind.UNCLAIMED:
            earned = one.credit
    return earned, fee_minor


def _fee_in(tx: Transaction, given: Contribution, fee_minor: int, part_minor: int) -> int:
    """The commission in a part that is taken. After something was undone the shares of earlier
    parts may be off by one; never is more taken of either than there was.
    """
    taken, net = takings.sums(tx, given.id)
    fee_left = fee_minor - (taken - net)
    net_left = given.amount_minor - fee_minor - net
    fee = fee_of_part(fee_minor, given.amount_minor, given.taken_back_minor, part_minor)
    return min(max(fee, part_minor - net_left), fee_left, part_minor)


def _mature_again(
    tx: Transaction, given: Contribution, net_minor: int, back: Entry, now_ms: int
) -> None:
    """The rest of it matured meanwhile: what came back is available too."""
    if not any(one.credit.kind is Kind.EARNINGS_PENDING for one in back.transfers):
        return
    pending = Account(Kind.EARNINGS_PENDING, given.recipient_id, given.currency)
    available = Account(Kind.EARNINGS_AVAILABLE, given.recipient_id, given.currency)
    posting = Posting(
        "maturity",
        f"maturity:{given.id}:{back.id}",
        (Transfer(pending, available, net_minor),),
        subject=given.id,
    )
    ledger.post(tx, posting, now_ms)


def _tell_channels(tx: Transaction, given: Iterable[Contribution]) -> None:
    """Goals and boards of tippers count what wasn't taken back."""
    ids = {one.channel_id for one in given if one.channel_id is not None}
    for found in channels.by_ids(tx, ids).values():
        tx.emit(SupportChanged(found.id, found.slug))
