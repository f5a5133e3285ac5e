"""The ledger: double entry, and nothing in it is ever changed.

An entry is one business event (a top-up was settled, a tip given) and holds transfers, each of
which debits one account and credits another with the same amount. What was wrong is put right by an
entry that reverses it. Balances stand beside the transfers, where CHECK constraints make an
overdraft impossible; ledger_check.py computes them anew. Every module of money/ posts here, and
nobody else writes the tables `ledger_account`, `ledger_entry` and `ledger_transfer`.

Who posts the same business event twice under one `key` gets the first entry again. So the key is
that of the event, such as "payment:pay_…", never of the request that reported it.

Modelled on TigerBeetle (single debit and credit, immutable, balances that can't go below zero) and
Formance (accounts locked in one order). Locks: rows of documents first, then accounts, in the order
of their ids, then the chat's room.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import flag, identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.money.currencies import CURRENCIES

SITE = "site"
"""The owner of what belongs to no user and no gateway."""


class Kind(Enum):
    """What an account is for. `side`: +1 where credits add to it, -1 where debits do.

    A memo account stands outside the site's books: money that the site never held.
    """

    WALLET = "wallet", +1
    EARNINGS_PENDING = "earnings_pending", +1
    EARNINGS_AVAILABLE = "earnings_available", +1
    PAYOUT_HOLD = "payout_hold", +1
    REFUND_HOLD = "refund_hold", +1
    UNCLAIMED = "unclaimed", +1
    COMMISSION = "commission", +1
    OWNERS_SHARE = "owners_share", +1, "may_go_negative"
    CLEARING = "clearing", -1, "may_go_negative"
    BANK = "bank", -1, "may_go_negative"
    GATEWAY_FEES = "gateway_fees", -1
    LOSSES = "losses", -1
    DIRECT_RECEIVED = "direct_received", +1, "is_memo"
    DIRECT_GIVEN = "direct_given", -1, "is_memo"

    def __init__(self, label: str, side: int, *properties: str) -> None:
        self.label = label
        self.side = side
        self.may_go_negative = "may_go_negative" in properties
        self.is_memo = "is_memo" in properties


KINDS = {kind.label: kind for kind in Kind}
LIABILITIES = (
    Kind.WALLET,
    Kind.EARNINGS_PENDING,
    Kind.EARNINGS_AVAILABLE,
    Kind.PAYOUT_HOLD,
    Kind.REFUND_HOLD,
    Kind.UNCLAIMED,
)
"""What the site owes to others."""

ledger_account = table(
    "ledger_account",
    identifier(),
    text("owner"),
    text("kind"),
    text("currency"),
    int64("side"),
    flag("may_go_negative"),
    int64("debits"),
    int64("credits"),
    int64("frozen_at_ms", nullable=True),
    text("frozen_for", nullable=True),
    UniqueConstraint("owner", "kind", "currency"),
    CheckConstraint("id = kind || ':' || owner || ':' || currency", name="id"),
    CheckConstraint("side IN (-1, 1)", name="side"),
    CheckConstraint("may_go_negative IN (0, 1)", name="may_go_negative"),
    CheckConstraint("debits >= 0 AND credits >= 0", name="totals"),
    CheckConstraint("may_go_negative = 1 OR side * (credits - debits) >= 0", name="overdraft"),
    CheckConstraint("(frozen_at_ms IS NULL) = (frozen_for IS NULL)", name="frozen"),
)
Index(None, ledger_account.c.kind, ledger_account.c.currency)

ledger_entry = table(
    "ledger_entry",
    identifier(),
    text("kind"),
    text("key"),
    text("content_hash"),
    text("subject"),
    text("reverses_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT"), nullable=True),
    text("actor_id", nullable=True),
    text("reason"),
    text("external_ref"),
    int64("created_at_ms"),
    UniqueConstraint("key"),
    UniqueConstraint("reverses_id"),
    CheckConstraint("length(content_hash) = 64", name="content_hash"),
)
Index(None, ledger_entry.c.created_at_ms, ledger_entry.c.id)
Index(None, ledger_entry.c.kind, ledger_entry.c.created_at_ms, ledger_entry.c.id)
Index(None, ledger_entry.c.subject, ledger_entry.c.created_at_ms, ledger_entry.c.id)

ledger_transfer = table(
    "ledger_transfer",
    text("entry_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT"), primary_key=True),
    int64("place", primary_key=True),
    text("debit_id", ForeignKey("ledger_account.id", ondelete="RESTRICT")),
    text("credit_id", ForeignKey("ledger_account.id", ondelete="RESTRICT")),
    text("currency"),
    int64("amount_minor"),
    int64("created_at_ms"),
    CheckConstraint("place >= 1", name="place"),
    CheckConstraint("debit_id <> credit_id", name="accounts"),
    CheckConstraint(
        "debit_id LIKE '%:' || currency AND credit_id LIKE '%:' || currency", name="currency"
    ),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_minor"),
)
Index(None, ledger_transfer.c.debit_id, ledger_transfer.c.created_at_ms)
Index(None, ledger_transfer.c.credit_id, ledger_transfer.c.created_at_ms)


@dataclass(frozen=True, slots=True)
class Account:
    """An account by what it is; it comes into being with its first transfer."""

    kind: Kind
    owner: str
    currency: str

    @property
    def id(self) -> str:
        return f"{self.kind.label}:{self.owner}:{self.currency}"


@dataclass(frozen=True, slots=True)
class Transfer:
    """`amount_minor` from `debit` to `credit`, as accountants say it."""

    debit: Account
    credit: Account
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Posting:
    """What is to be posted: one business event, known by its `key`.

    `subject` is the id of the document it is about, `external_ref` what another system calls it.
    """

    kind: str
    key: str
    transfers: tuple[Transfer, ...]
    subject: str = ""
    reverses_id: str | None = None
    actor_id: str | None = None
    reason: str = ""
    external_ref: str = ""
    touches_frozen: bool = False

    @property
    def content_hash(self) -> str:
        """The same for the same event: its kind, subject and the transfers that move something."""
        content = [
            self.kind,
            self.subject,
            self.reverses_id,
            [
                [one.debit.id, one.credit.id, one.amount_minor]
                for one in self.transfers
                if one.amount_minor
            ],
        ]
        return sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """A posted business event."""

    id: str
    kind: str
    key: str
    subject: str
    reverses_id: str | None
    actor_id: str | None
    reason: str
    external_ref: str
    created_at_ms: int
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds, in minor units; as its kind counts, so that more is more."""

    account: Account
    debits: int
    credits: int
    frozen_for: str | None = None

    @property
    def amount_minor(self) -> int:
        return self.account.kind.side * (self.credits - self.debits)


def wallet_of(user_id: str, currency: str) -> Account:
    return Account(Kind.WALLET, user_id, currency)


def site_account(kind: Kind, currency: str) -> Account:
    return Account(kind, SITE, currency)


def clearing_of(gateway: str, currency: str) -> Account:
    """What a gateway has taken for us and not handed on yet."""
    return Account(Kind.CLEARING, gateway, currency)


def post(tx: Transaction, posting: Posting, now_ms: int) -> tuple[Entry, bool]:
    """The entry, and whether it is new: the same key again answers the first one.

    Raises `Conflict` with the code "insufficient_funds", "frozen", or "key_reused" when an earlier
    event of that key was another one.
    """
    transfers = tuple(one for one in posting.transfers if one.amount_minor)  # nothing moves nothing
    assert transfers, posting.kind
    assert all(0 < one.amount_minor <= limits.AMOUNT_MINOR_MAX for one in transfers), posting.kind
    assert all(one.debit.currency == one.credit.currency for one in transfers), posting.kind
    entry_id = new_id("ent")
    insert_unless_known = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    made = tx.execute(
        insert_unless_known(ledger_entry)
        .values(
            id=entry_id,
            kind=posting.kind,
            key=posting.key,
            content_hash=posting.content_hash,
            subject=posting.subject,
            reverses_id=posting.reverses_id,
            actor_id=posting.actor_id,
            reason=posting.reason,
            external_ref=posting.external_ref,
            created_at_ms=now_ms,
        )
        .on_conflict_do_nothing(index_elements=[ledger_entry.c.key])
    )
    if made.rowcount == 0:
        return _first_of_key(tx, posting), False
    _move(tx, transfers, touches_frozen=posting.touches_frozen)
    tx.execute(
        insert(ledger_transfer),
        [
            {
                "entry_id": entry_id,
                "place": place,
                "debit_id": one.debit.id,
                "credit_id": one.credit.id,
                "currency": one.debit.currency,
                "amount_minor": one.amount_minor,
                "created_at_ms": now_ms,
            }
            for place, one in enumerate(transfers, 1)
        ],
    )
    return (
        Entry(
            entry_id,
            posting.kind,
            posting.key,
            posting.subject,
            posting.reverses_id,
            posting.actor_id,
            posting.reason,
            posting.external_ref,
            now_ms,
            transfers,
        ),
        True,
    )


def reverse(
    tx: Transaction,
    entry_id: str,
    kind: str,
    now_ms: int,
    *,
    actor_id: str | None = None,
    reason: str = "",
    external_ref: str = "",
) -> tuple[Entry, bool]:
    """Move back everything that an entry moved; once, whoever asks how often.

    Raises `NotFound`, or `Conflict` when an account no longer has it.
    """
    entry = get_entry(tx, entry_id)
    return post(
        tx,
        Posting(
            kind,
            f"reverse:{entry.id}",
            tuple(
                Transfer(one.credit, one.debit, one.amount_minor)
                for one in reversed(entry.transfers)
            ),
            subject=entry.subject,
            reverses_id=entry.id,
            actor_id=actor_id,
            reason=reason,
            external_ref=external_ref,
            touches_frozen=True,
        ),
        now_ms,
    )


def balance(tx: Transaction, account: Account) -> Balance:
    """Zero for an account that nothing was ever posted to."""
    row = tx.execute(select(ledger_account).where(ledger_account.c.id == account.id)).first()
    return Balance(account, 0, 0) if row is None else _to_balance(row)


def locked_balances(tx: Transaction, accounts: Iterable[Account]) -> dict[Account, Balance]:
    """The balances of accounts, which nobody else moves before the transaction ends; those that
    were never posted to come into being.
    """
    wanted = {account.id: account for account in accounts}
    query = (
        select(ledger_account)
        .where(ledger_account.c.id.in_(sorted(wanted)))
        .order_by(ledger_account.c.id)
        .with_for_update()
    )
    rows = tx.execute(query).all()
    missing = sorted(wanted.keys() - {row.id for row in rows})
    if missing:
        insert_unless_known = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
        tx.execute(
            insert_unless_known(ledger_account)
            .values([_new_row(wanted[account_id]) for account_id in missing])
            .on_conflict_do_nothing(index_elements=[ledger_account.c.id])
        )
        rows = tx.execute(query).all()
    return {wanted[row.id]: _to_balance(row) for row in rows}


def balances_of(tx: Transaction, owner: str, currency: str) -> dict[Kind, Balance]:
    """Every account that an owner has in a currency."""
    rows = tx.execute(
        select(ledger_account).where(
            ledger_account.c.owner == owner, ledger_account.c.currency == currency
        )
    )
    return {found.account.kind: found for found in map(_to_balance, rows)}


def get_entry(tx: Transaction, entry_id: str) -> Entry:
    """Raises `NotFound`."""
    return _entry(tx, ledger_entry.c.id == entry_id)


def entry_by_key(tx: Transaction, key: str) -> Entry | None:
    """The entry of a business event, if it was posted."""
    try:
        return _entry(tx, ledger_entry.c.key == key)
    except NotFound:
        return None


def transfers_of(tx: Transaction, entry_ids: Sequence[str]) -> dict[str, tuple[Transfer, ...]]:
    """The transfers of some entries, in their order."""
    found: dict[str, list[Transfer]] = {entry_id: [] for entry_id in entry_ids}
    rows = tx.execute(
        select(ledger_transfer)
        .where(ledger_transfer.c.entry_id.in_(list(entry_ids)))
        .order_by(ledger_transfer.c.entry_id, ledger_transfer.c.place)
    )
    for row in rows:
        found[row.entry_id].append(_to_transfer(row))
    return {entry_id: tuple(transfers) for entry_id, transfers in found.items()}


def freeze(tx: Transaction, account: Account, why: str, now_ms: int) -> None:
    """Nothing is taken from it any more, but by what `touches_frozen`, such as a dispute."""
    locked_balances(tx, [account])
    tx.execute(
        update(ledger_account)
        .where(ledger_account.c.id == account.id, ledger_account.c.frozen_at_ms.is_(None))
        .values(frozen_at_ms=now_ms, frozen_for=why)
    )


def unfreeze(tx: Transaction, account: Account) -> None:
    tx.execute(
        update(ledger_account)
        .where(ledger_account.c.id == account.id)
        .values(frozen_at_ms=None, frozen_for=None)
    )


def account_of(account_id: str) -> Account:
    """The account with an id that the ledger made."""
    kind, owner, currency = account_id.split(":")
    return Account(KINDS[kind], owner, currency)


def currencies_used(tx: Transaction) -> set[str]:
    """Every currency that was ever posted in."""
    return set(tx.execute(select(ledger_account.c.currency).distinct()).scalars())


def _move(tx: Transaction, transfers: Sequence[Transfer], *, touches_frozen: bool) -> None:
    """Add the transfers to the balances of their accounts."""
    losses: dict[Account, int] = {}
    gains: dict[Account, int] = {}
    for one in transfers:
        assert one.debit.id != one.credit.id, one
        assert one.debit.currency in CURRENCIES, one
        losses[one.debit] = losses.get(one.debit, 0) + one.amount_minor
        gains[one.credit] = gains.get(one.credit, 0) + one.amount_minor
    held = locked_balances(tx, {*losses, *gains})
    for account, before in held.items():
        lost, gained = losses.get(account, 0), gains.get(account, 0)
        change = account.kind.side * (gained - lost)
        if change >= 0:
            continue
        if before.frozen_for is not None and not touches_frozen:
            raise Conflict("This money is on hold for now.", code="frozen")
        if not account.kind.may_go_negative and before.amount_minor + change < 0:
            raise Conflict("There isn't enough money for that.", code="insufficient_funds")
    tx.execute(
        update(ledger_account)
        .where(ledger_account.c.id == bindparam("account"))
        .values(
            debits=ledger_account.c.debits + bindparam("lost"),
            credits=ledger_account.c.credits + bindparam("gained"),
        ),
        [
            {
                "account": account.id,
                "lost": losses.get(account, 0),
                "gained": gains.get(account, 0),
            }
            for account in held
        ],
    )


def _first_of_key(tx: Transaction, posting: Posting) -> Entry:
    first = tx.execute(
        select(ledger_entry.c.id, ledger_entry.c.content_hash).where(
            ledger_entry.c.key == posting.key
        )
    ).one()
    if first.content_hash != posting.content_hash:
        raise Conflict("That was done already, in another way.", code="key_reused")
    return get_entry(tx, first.id)


def _entry(tx: Transaction, which: Any) -> Entry:
    row = tx.execute(select(ledger_entry).where(which)).first()
    if row is None:
        raise NotFound("There is no such entry.", code="entry_not_found")
    return to_entry(row, transfers_of(tx, [row.id])[row.id])


def to_entry(row: Row[Any], transfers: tuple[Transfer, ...]) -> Entry:
    """An entry of a row of `ledger_entry`."""
    return Entry(
        row.id,
        row.kind,
        row.key,
        row.subject,
        row.reverses_id,
        row.actor_id,
        row.reason,
        row.external_ref,
        row.created_at_ms,
        transfers,
    )


def _new_row(account: Account) -> dict[str, Any]:
    assert ":" not in account.owner, account
    return {
        "id": account.id,
        "owner": account.owner,
        "kind": account.kind.label,
        "currency": account.currency,
        "side": account.kind.side,
        "may_go_negative": int(account.kind.may_go_negative),
        "debits": 0,
        "credits": 0,
    }


def _to_balance(row: Row[Any]) -> Balance:
    return Balance(
        Account(KINDS[row.kind], row.owner, row.currency), row.debits, row.credits, row.frozen_for
    )


def _to_transfer(row: Row[Any]) -> Transfer:
    return Transfer(account_of(row.debit_id), account_of(row.credit_id), row.amount_minor)
