"""Payouts: earnings on their way to a streamer's bank.

    requested ──▶ paid ──▶ failed          (the bank sent it back)
        │  └──▶ approved ──▶ paid          (above a limit: by a second admin)
        ├──▶ rejected
        └──▶ cancelled

A request puts the amount on hold; an admin sends it from the site's bank and enters the bank's
reference. One may be open for each streamer, which the database sees to. Owns the table `payout`;
payout_desk.py is what admins do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.accounts import second_factor, users
from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.money import ledger, payout_accounts
from mediaserver.money.currencies import currency_of, money, parsed_amount
from mediaserver.money.idempotency import Request
from mediaserver.money.ledger import Account, Kind, Posting, Transfer
from mediaserver.money.payout_accounts import BankDetails, PayoutAccounts
from mediaserver.notifications.notices import Topic, tell, tell_admins

PREFIX = "pyo"

payout = table(
    "payout",
    identifier(),
    text("user_id"),
    text("username"),
    int64("amount_minor"),
    text("currency"),
    text("state"),
    text("details"),
    text("hint"),
    text("entry_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT")),
    text("paid_entry_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT"), nullable=True),
    text("approved_by", nullable=True),
    text("approved_by_name"),
    text("decided_by", nullable=True),
    text("decided_by_name"),
    text("bank_reference"),
    text("reason"),
    text("idempotency_key", nullable=True),
    text("request_hash", nullable=True),
    int64("created_at_ms"),
    int64("approved_at_ms", nullable=True),
    int64("decided_at_ms", nullable=True),
    UniqueConstraint("user_id", "idempotency_key"),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_minor"),
    CheckConstraint(
        "state IN ('requested', 'approved', 'paid', 'rejected', 'cancelled', 'failed')",
        name="state",
    ),
    CheckConstraint(
        "(state IN ('requested', 'approved')) = (decided_at_ms IS NULL)", name="decided"
    ),
    CheckConstraint("(state IN ('paid', 'failed')) = (paid_entry_id IS NOT NULL)", name="paid"),
    CheckConstraint("paid_entry_id IS NULL OR bank_reference <> ''", name="bank_reference"),
)
Index(None, payout.c.user_id, payout.c.created_at_ms, payout.c.id)
Index(None, payout.c.state, payout.c.created_at_ms, payout.c.id)
Index(None, payout.c.created_at_ms, payout.c.id)
_IS_OPEN = sql("state IN ('requested', 'approved')")
Index(
    "ix_payout_open",
    payout.c.user_id,
    unique=True,
    sqlite_where=_IS_OPEN,
    postgresql_where=_IS_OPEN,
)

State = Literal["requested", "approved", "paid", "rejected", "cancelled", "failed"]
OPEN: tuple[State, ...] = ("requested", "approved")
STATES: tuple[State, ...] = (*OPEN, "paid", "rejected", "cancelled", "failed")


@dataclass(frozen=True, slots=True)
class Payout:
    """One payout. `hint`: the last digits of the account; `approved_by`: the first of two admins;
    `decided_by_name`: who paid, rejected or failed it. The details are opened for admins only.
    """

    id: str
    user_id: str
    username: str
    amount_minor: int
    currency: str
    state: State
    hint: str
    entry_id: str
    paid_entry_id: str | None
    approved_by: str | None
    approved_by_name: str
    decided_by_name: str
    bank_reference: str
    reason: str
    created_at_ms: int
    approved_at_ms: int | None
    decided_at_ms: int | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class Readiness:
    """What stands between a streamer and a payout. `open_payout`: the one that is under way."""

    available_minor: int
    min_minor: int
    is_verified: bool
    has_second_factor: bool
    has_account: bool
    open_payout: Payout | None

    @property
    def is_ready(self) -> bool:
        return (
            self.is_verified
            and self.has_second_factor
            and self.has_account
            and self.open_payout is None
            and self.available_minor >= self.min_minor
        )


class Payouts:
    """What streamers do about theirs."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        letterhead: Letterhead,
        accounts: PayoutAccounts,
        config: MoneyConfig,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._letterhead = letterhead
        self._accounts = accounts
        self._config = config

    async def readiness(self, user: User) -> Readiness:
        return await self._db.read(self._readiness, user)

    async def page(self, user: User, *, after: str | None = None) -> list[Payout]:
        """Their own, newest first, behind the one with the id `after`."""
        return await self._db.read(page_of, user.id, after)

    async def request(self, user: User, amount_minor: int, key: str | None = None) -> Payout:
        """Ask for earnings. The caller has confirmed who asks. The same `key` answers the first.

        Raises `Forbidden` ("banned", "not_verified", "second_factor"), `Invalid` (the amount),
        `Conflict` ("no_payout_account", "payout_open", "insufficient_funds", "idempotency_key").
        """
        check(user, Action.WITHDRAW)
        asked = Request.of(key, "payout", amount_minor)
        return await self._db.write(
            self._request, user.id, amount_minor, asked, self._clock.wall_ms()
        )

    async def cancel(self, user: User, payout_id: str) -> Payout:
        """Think better of it, as long as no admin has begun. Raises `NotFound` or `Conflict`."""
        return await self._db.write(self._cancel, user, payout_id, self._clock.wall_ms())

    def _readiness(self, tx: Transaction, user: User) -> Readiness:
        currency = self._config.currency
        available = Account(Kind.EARNINGS_AVAILABLE, user.id, currency)
        return Readiness(
            ledger.balance(tx, available).amount_minor,
            self._min_minor(),
            user.is_verified,
            second_factor.standing(tx, user.id).is_on,
            payout_accounts.find(tx, user.id) is not None,
            open_of(tx, user.id),
        )

    def _request(
        self, tx: Transaction, user_id: str, amount_minor: int, asked: Request, now_ms: int
    ) -> Payout:
        users.lock(tx, user_id)  # of two tabs at once, the second one finds the first one's payout
        if (first := _first_of(tx, user_id, asked)) is not None:
            return first
        user = users.find_by_id(tx, user_id)
        check(user, Action.WITHDRAW)
        assert user is not None
        details = self._checked(tx, user, amount_minor)
        payout_id = new_id(PREFIX)
        currency = self._config.currency
        entry, _ = ledger.post(
            tx,
            Posting(
                "payout.held",
                f"payout:{payout_id}",
                (
                    Transfer(
                        Account(Kind.EARNINGS_AVAILABLE, user.id, currency),
                        hold_of(user.id, currency),
                        amount_minor,
                    ),
                ),
                subject=payout_id,
                actor_id=user.id,
            ),
            now_ms,
        )
        row = tx.execute(
            insert(payout)
            .values(
                id=payout_id,
                user_id=user.id,
                username=user.username,
                amount_minor=amount_minor,
                currency=currency,
                state="requested",
                details=payout_accounts.seal(self._vault, details, context_of(payout_id)),
                hint=details.hint,
                entry_id=entry.id,
                approved_by_name="",
                decided_by_name="",
                bank_reference="",
                reason="",
                idempotency_key=asked.key,
                request_hash=asked.hash,
                created_at_ms=now_ms,
            )
            .returning(*payout.c)
        ).one()
        made = to_payout(row)
        self._tell_requested(tx, made, now_ms)
        return made

    def _checked(self, tx: Transaction, user: User, amount_minor: int) -> BankDetails:
        """Where the money goes, if they may have it. Raises as `request` does."""
        if not user.is_verified:
            raise Forbidden("Only verified streamers can be paid out.", code="not_verified")
        if not second_factor.standing(tx, user.id).is_on:
            raise Forbidden(
                "Turn on two-step log-in before money leaves your account.", code="second_factor"
            )
        details = self._accounts.details_of(tx, user.id)
        if details is None:
            raise Conflict("Say first where the money goes.", code="no_payout_account")
        if open_of(tx, user.id) is not None:
            raise Conflict(
                "You have asked for a payout already: wait until it is decided.",
                code="payout_open",
            )
        currency = currency_of(self._config.currency)
        if amount_minor < self._min_minor():
            raise Invalid(
                f"The smallest payout is {money(self._min_minor(), currency.code)}.",
                field="amount",
                code="amount_too_small",
            )
        if amount_minor > limits.AMOUNT_MINOR_MAX:
            raise Invalid("That is too much.", field="amount", code="amount_too_large")
        return details

    def _cancel(self, tx: Transaction, user: User, payout_id: str, now_ms: int) -> Payout:
        found = get(tx, payout_id, locks=True)
        if found.user_id != user.id:
            raise NotFound("There is no such payout.", code="payout_not_found")
        if found.state != "requested":
            raise Conflict("It is too late for that.", code="already_decided")
        ledger.reverse(tx, found.entry_id, "payout.cancelled", now_ms, actor_id=user.id)
        cancelled = change(tx, found, state="cancelled", decided_at_ms=now_ms)
        tell_streamer(
            tx,
            self._letterhead,
            cancelled,
            "You cancelled your payout",
            "It is available again.",
            now_ms,
        )
        return cancelled

    def _tell_requested(self, tx: Transaction, made: Payout, now_ms: int) -> None:
        amount = money(made.amount_minor, made.currency)
        body = (
            f"{amount} are on hold for it. An admin sends them to your account that ends in "
            f"{made.hint}. If it wasn't you, change your password and write to the admins at once."
        )
        tell_streamer(tx, self._letterhead, made, "You asked for a payout", body, now_ms)
        tell_admins(
            tx,
            self._letterhead,
            f"{made.username} asks for {amount}",
            "Send it from the site's bank and enter the reference, or say why not.",
            f"/admin/payouts/{made.id}",
            now_ms,
        )

    def _min_minor(self) -> int:
        currency = currency_of(self._config.currency)
        return parsed_amount(self._config.payout_min, currency, "payout_min")


def hold_of(user_id: str, currency: str) -> Account:
    return Account(Kind.PAYOUT_HOLD, user_id, currency)


def context_of(payout_id: str) -> str:
    """Where the details of a payout are sealed to."""
    return f"payout/{payout_id}"


def get(tx: Transaction, payout_id: str, *, locks: bool = False) -> Payout:
    """Raises `NotFound`. With `locks` nobody else changes it before the transaction ends."""
    if is_id(payout_id, PREFIX):
        query = select(payout).where(payout.c.id == payout_id)
        row = tx.execute(query.with_for_update() if locks else query).first()
        if row is not None:
            return to_payout(row)
    raise NotFound("There is no such payout.", code="payout_not_found")


def open_of(tx: Transaction, user_id: str) -> Payout | None:
    """The one that somebody waits for."""
    row = tx.execute(
        select(payout).where(payout.c.user_id == user_id, payout.c.state.in_(OPEN))
    ).first()
    return None if row is None else to_payout(row)


def page_of(tx: Transaction, user_id: str, after: str | None) -> list[Payout]:
    """Of one streamer, newest first, behind the one with the id `after`."""
    query = select(payout).where(payout.c.user_id == user_id)
    rows = rows_behind(tx, query, payout.c.created_at_ms, after, limits.PAYOUTS_LISTED_MAX)
    return [to_payout(row) for row in rows]


def page(tx: Transaction, states: Sequence[State], after: str | None) -> list[Payout]:
    """Of everybody: open ones oldest first, others newest first, behind the one with `after`."""
    query = select(payout).where(payout.c.state.in_(states))
    rows = rows_behind(
        tx,
        query,
        payout.c.created_at_ms,
        after,
        limits.PAYOUTS_LISTED_MAX,
        is_oldest_first=set(states) <= set(OPEN),
    )
    return [to_payout(row) for row in rows]


def count_open(tx: Transaction) -> int:
    """How many wait for an admin."""
    waiting = select(func.count()).where(payout.c.state.in_(OPEN))
    return int(tx.execute(waiting).scalar_one())


def change(tx: Transaction, found: Payout, **values: Any) -> Payout:
    """Write what is new of a payout that the caller has locked."""
    row = tx.execute(
        update(payout).where(payout.c.id == found.id).values(**values).returning(*payout.c)
    ).one()
    return to_payout(row)


def sealed_details(tx: Transaction, payout_id: str) -> str:
    """For payout_desk.py, which opens them for admins; empty once they were deleted."""
    kept = select(payout.c.details).where(payout.c.id == payout_id)
    return str(tx.execute(kept).scalar_one())


def forget(tx: Transaction, user_id: str) -> None:
    """Delete the details of somebody's payouts, and the name: the amounts stay in the books."""
    gone = update(payout).where(payout.c.user_id == user_id)
    tx.execute(gone.values(details="", hint="", username=""))


def tell_streamer(
    tx: Transaction, letterhead: Letterhead, found: Payout, title: str, body: str, now_ms: int
) -> None:
    tell(tx, letterhead, found.user_id, Topic.MONEY, title, body, "/studio", now_ms)


def to_payout(row: Row[Any]) -> Payout:
    return Payout(
        id=row.id,
        user_id=row.user_id,
        username=row.username,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=row.state,
        hint=row.hint,
        entry_id=row.entry_id,
        paid_entry_id=row.paid_entry_id,
        approved_by=row.approved_by,
        approved_by_name=row.approved_by_name,
        decided_by_name=row.decided_by_name,
        bank_reference=row.bank_reference,
        reason=row.reason,
        created_at_ms=row.created_at_ms,
        approved_at_ms=row.approved_at_ms,
        decided_at_ms=row.decided_at_ms,
    )


def _first_of(tx: Transaction, user_id: str, asked: Request) -> Payout | None:
    if asked.key is None:
        return None
    row = tx.execute(
        select(payout).where(payout.c.user_id == user_id, payout.c.idempotency_key == asked.key)
    ).first()
    if row is None:
        return None
    asked.check_same(row.request_hash)
    return to_payout(row)
