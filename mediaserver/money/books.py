"""The books as admins read them: accounts, entries with their transfers, and the journal as a file.

Reads what ledger.py wrote and changes nothing. Called by the admin desk and the API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, or_, select, tuple_, union

from mediaserver.accounts.users import user_account
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import NotFound
from mediaserver.money.ledger import (
    KINDS,
    SITE,
    Account,
    Balance,
    Entry,
    Kind,
    account_of,
    balance,
    ledger_account,
    ledger_entry,
    ledger_transfer,
    to_entry,
    transfers_of,
)
from mediaserver.money.nightly_check import Outcome, last
from mediaserver.money.standing import Standing, standings

LABELS: Mapping[Kind, str] = {
    Kind.WALLET: "Wallet",
    Kind.EARNINGS_PENDING: "Earnings, not yet due",
    Kind.EARNINGS_AVAILABLE: "Earnings, can be withdrawn",
    Kind.PAYOUT_HOLD: "Payouts under way",
    Kind.REFUND_HOLD: "Refunds under way",
    Kind.UNCLAIMED: "Of accounts that are gone",
    Kind.COMMISSION: "Commission",
    Kind.OWNERS_SHARE: "Owner’s share",
    Kind.CLEARING: "At a gateway",
    Kind.BANK: "Bank account",
    Kind.GATEWAY_FEES: "Fees of gateways",
    Kind.LOSSES: "Losses",
    Kind.DIRECT_RECEIVED: "Received directly",
    Kind.DIRECT_GIVEN: "Given directly",
}
"""What each kind of account is called on pages."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are asked for; everything that is given must be so.

    `owner`: a user's name or id, a gateway, or "site". `search`: an entry's id or key, its subject
    or what another system calls it, exactly. `from_ms` and `until_ms` bound the time, the end not
    included.
    """

    kind: str = ""
    owner: str = ""
    account_id: str = ""
    search: str = ""
    from_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """Rows with the names of the users in them, by id."""

    names: Mapping[str, str]

    def name(self, owner: str) -> str:
        """Of whom an account is, for people."""
        return "the site" if owner == SITE else self.names.get(owner, owner)

    def label(self, account: Account) -> str:
        """An account, for people."""
        label = LABELS[account.kind]
        return label if account.owner == SITE else f"{label}: {self.name(account.owner)}"


@dataclass(frozen=True, slots=True)
class Accounts(Named):
    accounts: Sequence[Balance]


@dataclass(frozen=True, slots=True)
class Entries(Named):
    entries: Sequence[Entry]
    reversed_by: Mapping[str, str]


class Books:
    """Reads them. Whoever calls has checked that the admin may."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def overview(self) -> tuple[list[Standing], Outcome | None]:
        """How the site stands in each currency, and the last check."""
        return await self._db.read(lambda tx: (standings(tx), last(tx)))

    async def accounts(
        self, *, kind: str = "", owner: str = "", after: str | None = None
    ) -> Accounts:
        """In the order of their ids, behind the account `after`."""
        return await self._db.read(accounts, kind, owner, after)

    async def account(self, account_id: str) -> Accounts:
        """Raises `NotFound`."""
        return await self._db.read(_account, account_id)

    async def entries(self, wanted: Wanted, *, after: str | None = None) -> Entries:
        """Newest first, behind the entry with the id `after`."""
        return await self._db.read(entries, wanted, after)

    async def entry(self, entry_id: str) -> Entries:
        """Raises `NotFound`."""
        return await self._db.read(_one_entry, entry_id)

    async def kinds(self) -> list[str]:
        """Every kind of entry that was ever posted."""
        return await self._db.read(_kinds)

    async def labels(self, account_ids: Iterable[str]) -> dict[str, str]:
        """What accounts are called, with whose they are, by their ids."""
        return await self._db.read(_labels, tuple(account_ids))

    async def export(self, actor: Actor, wanted: Wanted) -> AsyncIterator[Entries]:
        """Everything that is wanted, newest first, in batches; that it was taken along is written
        down first.
        """
        await self._db.write(_record_export, actor, wanted, self._clock.wall_ms())
        after = None
        while True:
            found = await self._db.read(entries, wanted, after, limits.BOOKS_EXPORT_BATCH)
            if found.entries:
                yield found
            if len(found.entries) < limits.BOOKS_EXPORT_BATCH:
                return
            after = found.entries[-1].id


def accounts(tx: Transaction, kind: str, owner: str, after: str | None) -> Accounts:
    """`Books.accounts` inside a transaction."""
    query = select(ledger_account).order_by(ledger_account.c.id).limit(limits.BOOKS_LISTED_MAX)
    if kind:
        query = query.where(ledger_account.c.kind == kind)
    if owner:
        query = query.where(ledger_account.c.owner.in_(owners_called(tx, owner)))
    if after:
        query = query.where(ledger_account.c.id > after)
    found = [_to_balance(row) for row in tx.execute(query)]
    return Accounts(_names(tx, (one.account for one in found)), found)


def entries(
    tx: Transaction, wanted: Wanted, after: str | None, most: int = limits.BOOKS_LISTED_MAX
) -> Entries:
    """`Books.entries` inside a transaction."""
    place = (ledger_entry.c.created_at_ms, ledger_entry.c.id)
    conditions = list(_conditions(tx, wanted))
    if after is not None:
        behind = tx.execute(select(*place).where(ledger_entry.c.id == after)).first()
        if behind is None:
            return Entries({}, [], {})
        conditions.append(tuple_(*place) < tuple_(*behind))
    order = [column.desc() for column in place]
    query = select(ledger_entry).where(*conditions).order_by(*order).limit(most)
    return _to_entries(tx, tx.execute(query).all())


def _conditions(tx: Transaction, wanted: Wanted) -> Iterable[ColumnElement[bool]]:
    entry = ledger_entry.c
    if wanted.kind:
        yield entry.kind == wanted.kind
    if wanted.search:
        columns = (entry.id, entry.key, entry.subject, entry.external_ref)
        yield or_(*(column == wanted.search for column in columns))
    if wanted.from_ms is not None:
        yield entry.created_at_ms >= wanted.from_ms
    if wanted.until_ms is not None:
        yield entry.created_at_ms < wanted.until_ms
    if wanted.account_id:
        yield entry.id.in_(_touching([wanted.account_id], wanted))
    if wanted.owner:
        owners = owners_called(tx, wanted.owner)
        ids = select(ledger_account.c.id).where(ledger_account.c.owner.in_(owners))
        yield entry.id.in_(_touching(tx.execute(ids).scalars().all(), wanted))


def _touching(account_ids: Sequence[str], wanted: Wanted) -> Select[Any]:
    """The entries that move something to or from accounts, within the time that is wanted."""
    transfer = ledger_transfer.c
    within = []
    if wanted.from_ms is not None:
        within.append(transfer.created_at_ms >= wanted.from_ms)
    if wanted.until_ms is not None:
        within.append(transfer.created_at_ms < wanted.until_ms)
    sides = (
        select(transfer.entry_id).where(side.in_(account_ids), *within)
        for side in (transfer.debit_id, transfer.credit_id)
    )
    return select(union(*sides).subquery().c.entry_id)


def owners_called(tx: Transaction, name: str) -> list[str]:
    """The owners that somebody means: what is written, and the user of that name."""
    name = name.removeprefix("@")
    users = select(user_account.c.id).where(user_account.c.username == name.lower())
    return [name, *tx.execute(users).scalars()]


def _names(tx: Transaction, found: Iterable[Account]) -> dict[str, str]:
    owners = {account.owner for account in found}
    rows = tx.execute(
        select(user_account.c.id, user_account.c.username).where(user_account.c.id.in_(owners))
    )
    return {row.id: row.username for row in rows}


def _account(tx: Transaction, account_id: str) -> Accounts:
    if tx.execute(select(ledger_account.c.id).where(ledger_account.c.id == account_id)).first():
        account = account_of(account_id)
        return Accounts(_names(tx, [account]), [balance(tx, account)])
    raise NotFound("There is no such account in the books.", code="account_not_found")


def _one_entry(tx: Transaction, entry_id: str) -> Entries:
    rows = tx.execute(select(ledger_entry).where(ledger_entry.c.id == entry_id)).all()
    if not rows:
        raise NotFound("There is no such entry.", code="entry_not_found")
    return _to_entries(tx, rows)


def _to_entries(tx: Transaction, rows: Sequence[Row[Any]]) -> Entries:
    ids = [row.id for row in rows]
    moved = transfers_of(tx, ids)
    reversals = tx.execute(
        select(ledger_entry.c.id, ledger_entry.c.reverses_id).where(
            ledger_entry.c.reverses_id.in_(ids)
        )
    )
    touched = (
        account
        for transfers in moved.values()
        for one in transfers
        for account in (one.debit, one.credit)
    )
    names = _names(tx, touched) | _actors(tx, rows)
    return Entries(
        names,
        [to_entry(row, moved[row.id]) for row in rows],
        {row.reverses_id: row.id for row in reversals},
    )


def _actors(tx: Transaction, rows: Sequence[Row[Any]]) -> dict[str, str]:
    ids = {row.actor_id for row in rows if row.actor_id is not None}
    found = tx.execute(
        select(user_account.c.id, user_account.c.username).where(user_account.c.id.in_(ids))
    )
    return {row.id: row.username for row in found}


def _labels(tx: Transaction, account_ids: Sequence[str]) -> dict[str, str]:
    found = {one: account_of(one) for one in account_ids}
    named = Named(_names(tx, found.values()))
    return {account_id: named.label(account) for account_id, account in found.items()}


def _kinds(tx: Transaction) -> list[str]:
    """By leaps over the index, as there are few kinds and many entries."""
    found: list[str] = []
    while True:
        behind = ledger_entry.c.kind > (found[-1] if found else "")
        query = select(ledger_entry.c.kind).where(behind).order_by(ledger_entry.c.kind).limit(1)
        kind = tx.execute(query).scalar()
        if kind is None:
            return found
        found.append(kind)


def _to_balance(row: Row[Any]) -> Balance:
    account = Account(KINDS[row.kind], row.owner, row.currency)
    return Balance(account, row.debits, row.credits, row.frozen_for)


def _record_export(tx: Transaction, actor: Actor, wanted: Wanted, now_ms: int) -> None:
    target = Target("books", "books", "the books")
    asked = {
        name: value
        for name in Wanted.__slots__
        if (value := getattr(wanted, name)) not in ("", None)
    }
    audit.append(tx, actor, "books.export", target, now_ms, asked)
