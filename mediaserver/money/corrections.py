"""Corrections: an admin moves money between two accounts, or reverses what an admin has entered.

Nothing in the ledger is edited; a correction is one more entry, with its reason. Above
`money.two_admins_above`, or when it is an admin's own account, it waits until another admin agrees.
Accounts that follow documents
(pending earnings, payouts and refunds under way) aren't corrected by hand: their documents are
decided instead. Owns the table `correction`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import CheckConstraint, Index, Row, UniqueConstraint, func, insert, select, update

from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_line
from mediaserver.money import books, ledger, settlements
from mediaserver.money.currencies import checked_amount, currency_of, money, parsed_amount
from mediaserver.money.idempotency import Request
from mediaserver.money.ledger import KINDS, Account, Kind, Posting, Transfer, ledger_account
from mediaserver.notifications.notices import tell_admins

PAGE = "/admin/books/corrections"
CORRECTION, REVERSAL = "correction", "correction.reversal"

CORRECTABLE = (
    Kind.WALLET,
    Kind.EARNINGS_AVAILABLE,
    Kind.UNCLAIMED,
    Kind.COMMISSION,
    Kind.OWNERS_SHARE,
    Kind.CLEARING,
    Kind.BANK,
    Kind.GATEWAY_FEES,
    Kind.LOSSES,
)
"""Kinds of accounts that an admin may move money between. Never a memo: nobody holds that money."""

OWNED = (Kind.WALLET, Kind.EARNINGS_AVAILABLE, Kind.UNCLAIMED, Kind.CLEARING)
"""Those of which there are many: one is named by its owner, a user or a gateway."""

REVERSIBLE = frozenset(
    {settlements.SETTLEMENT, settlements.PUT_IN, settlements.TAKEN_OUT, CORRECTION}
)
"""Kinds of entries that admins enter by hand. All others belong to a document: a payment is
refunded, a payout marked as failed."""

correction = table(
    "correction",
    identifier(),
    text("debit_id"),
    text("credit_id"),
    text("currency"),
    int64("amount_minor"),
    text("reverses_id", nullable=True),
    text("reason"),
    text("state"),
    text("asked_by_id"),
    text("asked_by"),
    text("decided_by_id", nullable=True),
    text("decided_by"),
    text("entry_id", nullable=True),
    text("idempotency_key", nullable=True),
    text("request_hash", nullable=True),
    int64("created_at_ms"),
    int64("decided_at_ms", nullable=True),
    UniqueConstraint("asked_by_id", "idempotency_key"),
    CheckConstraint("state IN ('waiting', 'booked', 'rejected')", name="state"),
    CheckConstraint("(state = 'booked') = (entry_id IS NOT NULL)", name="entry"),
    CheckConstraint("(state = 'waiting') = (decided_at_ms IS NULL)", name="decided"),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_minor"),
)
Index(None, correction.c.created_at_ms, correction.c.id)
Index(None, correction.c.state, correction.c.created_at_ms, correction.c.id)

State = Literal["waiting", "booked", "rejected"]


@dataclass(frozen=True, slots=True)
class Correction:
    """From the account `debit_id` to `credit_id`. `reverses_id`: the entry that it undoes; then the
    accounts and the amount are those of its first transfer.
    """

    id: str
    debit_id: str
    credit_id: str
    currency: str
    amount_minor: int
    reverses_id: str | None
    reason: str
    state: State
    asked_by_id: str
    asked_by: str
    decided_by: str
    entry_id: str | None
    created_at_ms: int
    decided_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What an admin wants: accounts as kind and owner, such as "wallet" and a user's name or id."""

    debit_kind: str
    debit_owner: str
    credit_kind: str
    credit_owner: str
    amount_minor: int
    reason: str


class Corrections:
    """Makes them. Whoever calls has checked that the admin may."""

    def __init__(
        self, db: Database, clock: Clock, config: MoneyConfig, letterhead: Letterhead
    ) -> None:
        self._db = db
        self._clock = clock
        self._config = config
        self._letterhead = letterhead

    async def ask(self, actor: Actor, asked: Asked, key: str | None = None) -> Correction:
        """Book it, or have it wait for another admin; the same `key` answers the first one.

        Raises `Invalid` (an account, the amount) or `Conflict` ("insufficient_funds").
        """
        return await self._db.write(
            ask, self._config, self._letterhead, actor, asked, key, self._clock.wall_ms()
        )

    async def reverse(self, actor: Actor, entry_id: str, reason: str) -> Correction:
        """Undo what an admin entered, in the same way. Raises `NotFound`, `Invalid`, `Conflict`."""
        return await self._db.write(
            reverse,
            self._config,
            self._letterhead,
            actor,
            entry_id,
            reason,
            self._clock.wall_ms(),
        )

    async def approve(self, actor: Actor, correction_id: str) -> Correction:
        """Book what waits. Raises `NotFound`, `Conflict`, or `Forbidden` for who asked for it."""
        return await self._db.write(approve, actor, correction_id, self._clock.wall_ms())

    async def reject(self, actor: Actor, correction_id: str) -> Correction:
        """Drop what waits; who asked for it may, too. Raises `NotFound` or `Conflict`."""
        return await self._db.write(reject, actor, correction_id, self._clock.wall_ms())

    async def page(self, *, after: str | None = None) -> list[Correction]:
        """Newest first, behind the one with the id `after`."""
        return await self._db.read(page, after)

    async def waiting(self) -> list[Correction]:
        """Those that wait for another admin, the oldest first."""
        return await self._db.read(waiting)


def ask(
    tx: Transaction,
    config: MoneyConfig,
    letterhead: Letterhead,
    actor: Actor,
    asked: Asked,
    key: str | None,
    now_ms: int,
) -> Correction:
    """`Corrections.ask` inside a transaction."""
    request = Request.of(key, "correction", asked)
    if (first := _first(tx, actor, request)) is not None:
        return first
    debit = _account(tx, asked.debit_kind, asked.debit_owner, config.currency, "debit")
    credit = _account(tx, asked.credit_kind, asked.credit_owner, config.currency, "credit")
    if debit == credit:
        raise Invalid("Choose two accounts.", field="credit_kind")
    checked_amount(asked.amount_minor)
    made = _insert(
        tx, actor, Transfer(debit, credit, asked.amount_minor), asked.reason, None, request, now_ms
    )
    return _book_or_wait(tx, config, letterhead, actor, made, now_ms)


def reverse(
    tx: Transaction,
    config: MoneyConfig,
    letterhead: Letterhead,
    actor: Actor,
    entry_id: str,
    reason: str,
    now_ms: int,
) -> Correction:
    """`Corrections.reverse` inside a transaction."""
    entry = ledger.get_entry(tx, entry_id)
    if entry.kind not in REVERSIBLE:
        raise Conflict(
            "This entry belongs to a payment, a contribution or a payout: decide there.",
            code="not_reversible",
        )
    query = select(correction.c.id).where(
        correction.c.reverses_id == entry_id, correction.c.state != "rejected"
    )
    ledger.locked_balances(tx, {one.debit for one in entry.transfers})  # of two at once one waits
    if tx.execute(query).first() is not None:
        raise Conflict("This entry is reversed already, or will be.", code="already_reversed")
    total = sum(one.amount_minor for one in entry.transfers)
    first = entry.transfers[0]
    shown = Transfer(first.credit, first.debit, total)
    made = _insert(tx, actor, shown, reason, entry_id, Request.of(None), now_ms)
    return _book_or_wait(tx, config, letterhead, actor, made, now_ms)


def approve(tx: Transaction, actor: Actor, correction_id: str, now_ms: int) -> Correction:
    """`Corrections.approve` inside a transaction."""
    found = _get_waiting(tx, correction_id)
    if found.asked_by_id == actor.id:
        raise Forbidden("Another admin has to agree with this one.", code="same_admin")
    return _book(tx, actor, found, now_ms)


def reject(tx: Transaction, actor: Actor, correction_id: str, now_ms: int) -> Correction:
    """`Corrections.reject` inside a transaction."""
    found = _get_waiting(tx, correction_id)
    _record(tx, actor, "books.correction_rejected", found, now_ms)
    return _decide(tx, actor, found, now_ms, state="rejected")


def page(tx: Transaction, after: str | None = None) -> list[Correction]:
    moment = correction.c.created_at_ms
    rows = rows_behind(tx, select(correction), moment, after, limits.BOOKS_LISTED_MAX)
    return [_to_correction(row) for row in rows]


def waiting(tx: Transaction) -> list[Correction]:
    rows = tx.execute(
        select(correction)
        .where(correction.c.state == "waiting")
        .order_by(correction.c.created_at_ms, correction.c.id)
        .limit(limits.BOOKS_LISTED_MAX)
    )
    return [_to_correction(row) for row in rows]


def count_waiting(tx: Transaction) -> int:
    """How many wait for another admin."""
    query = select(func.count()).where(correction.c.state == "waiting")
    return int(tx.execute(query).scalar_one())


def _book_or_wait(
    tx: Transaction,
    config: MoneyConfig,
    letterhead: Letterhead,
    actor: Actor,
    made: Correction,
    now_ms: int,
) -> Correction:
    above = parsed_amount(config.two_admins_above, currency_of(config.currency))
    if not above or (made.amount_minor <= above and not _is_own(made, actor)):
        return _book(tx, actor, made, now_ms)
    _record(tx, actor, "books.correction_asked", made, now_ms)
    amount = money(made.amount_minor, made.currency)
    body = f"{actor.name} wants to correct the books by {amount}: {made.reason}"
    tell_admins(tx, letterhead, "A correction waits for a second admin", body, PAGE, now_ms)
    return made


def _is_own(made: Correction, actor: Actor) -> bool:
    """Whether it moves money of the admin who asks."""
    touched = (made.debit_id, made.credit_id)
    return any(ledger.account_of(account_id).owner == actor.id for account_id in touched)


def _book(tx: Transaction, actor: Actor, found: Correction, now_ms: int) -> Correction:
    if found.reverses_id is not None:
        entry, _ = ledger.reverse(
            tx, found.reverses_id, REVERSAL, now_ms, actor_id=actor.id, reason=found.reason
        )
        settlements.mark_reversed(tx, found.reverses_id, now_ms)
    else:
        debit, credit = map(ledger.account_of, (found.debit_id, found.credit_id))
        entry, _ = ledger.post(
            tx,
            Posting(
                CORRECTION,
                f"correction:{found.id}",
                (Transfer(debit, credit, found.amount_minor),),
                subject=found.id,
                actor_id=actor.id,
                reason=found.reason,
                touches_frozen=True,
            ),
            now_ms,
        )
    booked = _decide(tx, actor, found, now_ms, state="booked", entry_id=entry.id)
    _record(tx, actor, "books.correct", booked, now_ms)
    return booked


def _decide(
    tx: Transaction, actor: Actor, found: Correction, now_ms: int, **values: str
) -> Correction:
    row = tx.execute(
        update(correction)
        .where(correction.c.id == found.id)
        .values(decided_by_id=actor.id, decided_by=actor.name, decided_at_ms=now_ms, **values)
        .returning(*correction.c)
    ).one()
    return _to_correction(row)


def _insert(
    tx: Transaction,
    actor: Actor,
    moved: Transfer,
    reason: str,
    reverses_id: str | None,
    request: Request,
    now_ms: int,
) -> Correction:
    reason = checked_line(reason, "reason", limits.BOOKS_REASON_CHARS_MAX, is_required=True)
    row = tx.execute(
        insert(correction)
        .values(
            id=new_id("cor"),
            debit_id=moved.debit.id,
            credit_id=moved.credit.id,
            currency=moved.debit.currency,
            amount_minor=moved.amount_minor,
            reverses_id=reverses_id,
            reason=reason,
            state="waiting",
            asked_by_id=actor.id,
            asked_by=actor.name,
            decided_by="",
            idempotency_key=request.key,
            request_hash=request.hash,
            created_at_ms=now_ms,
        )
        .returning(*correction.c)
    ).one()
    return _to_correction(row)


def _first(tx: Transaction, actor: Actor, request: Request) -> Correction | None:
    """What the same request made before. Raises `Conflict` when it was another request."""
    if request.key is None:
        return None
    row = tx.execute(
        select(correction).where(
            correction.c.asked_by_id == actor.id, correction.c.idempotency_key == request.key
        )
    ).first()
    if row is None:
        return None
    request.check_same(row.request_hash)
    return _to_correction(row)


def _account(tx: Transaction, kind: str, owner: str, currency: str, side: str) -> Account:
    """The account that is meant, if it is in the books, or may be, as there is such a user."""
    found = KINDS.get(kind)
    if found not in CORRECTABLE:
        raise Invalid("That account isn't corrected by hand.", field=f"{side}_kind")
    if found not in OWNED:
        return ledger.site_account(found, currency)
    called = books.owners_called(tx, owner)
    known = select(ledger_account.c.owner).where(
        ledger_account.c.kind == kind,
        ledger_account.c.currency == currency,
        ledger_account.c.owner.in_(called),
    )
    there = tx.execute(known).scalar()
    if there is not None:
        return Account(found, str(there), currency)
    if found in (Kind.WALLET, Kind.EARNINGS_AVAILABLE) and len(called) > 1:
        return Account(found, called[1], currency)
    raise Invalid("There is no such account.", field=f"{side}_owner")


def _get_waiting(tx: Transaction, correction_id: str) -> Correction:
    query = select(correction).where(correction.c.id == correction_id).with_for_update()
    row = tx.execute(query).first()
    if row is None:
        raise NotFound("There is no such correction.", code="correction_not_found")
    if row.state != "waiting":
        raise Conflict("That correction is decided already.", code="decided")
    return _to_correction(row)


def _record(tx: Transaction, actor: Actor, action: str, found: Correction, now_ms: int) -> None:
    details: dict[str, Any] = {
        "from": found.debit_id,
        "to": found.credit_id,
        "amount": money(found.amount_minor, found.currency),
        "reason": found.reason,
    }
    if found.reverses_id is not None:
        details["reverses"] = found.reverses_id
    if found.entry_id is not None:
        details["entry"] = found.entry_id
    if found.asked_by_id != actor.id:
        details["asked_by"] = found.asked_by
    audit.append(tx, actor, action, Target("correction", found.id, "the books"), now_ms, details)


def _to_correction(row: Row[Any]) -> Correction:
    return Correction(
        row.id,
        row.debit_id,
        row.credit_id,
        row.currency,
        row.amount_minor,
        row.reverses_id,
        row.reason,
        row.state,
        row.asked_by_id,
        row.asked_by,
        row.decided_by,
        row.entry_id,
        row.created_at_ms,
        row.decided_at_ms,
    )
