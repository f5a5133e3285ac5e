"""Between the site's gateways, its bank account and its owner: what an admin enters by hand.

    settlement    a gateway has sent money to the bank account and kept its fee
    balance       what a gateway says it still holds, to compare with the books
    owner's share the owner takes money out of the bank account, or puts some in

A settlement and the owner's share are booked at once; a wrong one is reversed (corrections.py).
Owns the tables `settlement` and `gateway_balance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import CheckConstraint, Index, Row, UniqueConstraint, insert, select, update
from sqlalchemy import text as sql

from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.texts import checked_line
from mediaserver.money import ledger
from mediaserver.money.currencies import checked_amount, money
from mediaserver.money.idempotency import Request
from mediaserver.money.ledger import Kind, Posting, Transfer, clearing_of, ledger_account
from mediaserver.money.standing import standing

SETTLEMENT = "settlement"
PUT_IN, TAKEN_OUT = "owner.put_in", "owner.taken_out"

settlement = table(
    "settlement",
    identifier(),
    text("gateway"),
    text("currency"),
    text("arrived_on"),
    int64("amount_minor"),
    int64("fee_minor"),
    text("reference"),
    text("entry_id"),
    text("entered_by_id", nullable=True),
    text("entered_by"),
    int64("created_at_ms"),
    int64("reversed_at_ms", nullable=True),
    CheckConstraint("amount_minor >= 0 AND fee_minor >= 0", name="amounts"),
    CheckConstraint("amount_minor + fee_minor > 0", name="moves"),
    CheckConstraint("length(arrived_on) = 10", name="arrived_on"),
    UniqueConstraint("entry_id"),
)
Index(
    "ix_settlement_reference",
    settlement.c.gateway,
    settlement.c.reference,
    unique=True,
    sqlite_where=sql("reversed_at_ms IS NULL"),
    postgresql_where=sql("reversed_at_ms IS NULL"),
)
Index(None, settlement.c.created_at_ms, settlement.c.id)

gateway_balance = table(
    "gateway_balance",
    identifier(),
    text("gateway"),
    text("currency"),
    int64("reported_minor"),
    int64("booked_minor"),
    text("entered_by_id", nullable=True),
    text("entered_by"),
    int64("created_at_ms"),
)
Index(None, gateway_balance.c.created_at_ms, gateway_balance.c.id)

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Settlement:
    """`amount_minor` arrived at the bank on a day such as 2026-11-20; `fee_minor` was kept."""

    id: str
    gateway: str
    currency: str
    arrived_on: str
    amount_minor: int
    fee_minor: int
    reference: str
    entry_id: str
    entered_by: str
    created_at_ms: int
    reversed_at_ms: int | None


@dataclass(frozen=True, slots=True)
class GatewayBalance:
    """What a gateway said it holds for us, and what the books said at that moment."""

    id: str
    gateway: str
    currency: str
    reported_minor: int
    booked_minor: int
    entered_by: str
    created_at_ms: int

    @property
    def difference_minor(self) -> int:
        return self.reported_minor - self.booked_minor


@dataclass(frozen=True, slots=True)
class Arrived:
    """What an admin says of a settlement."""

    gateway: str
    arrived_on: str
    amount_minor: int
    fee_minor: int
    reference: str


class Settlements:
    """Enters them. Whoever calls has checked that the admin may."""

    def __init__(self, db: Database, clock: Clock, config: MoneyConfig) -> None:
        self._db = db
        self._clock = clock
        self._config = config

    async def enter(self, actor: Actor, arrived: Arrived) -> Settlement:
        """Raises `Invalid`, or `Conflict` when the gateway's reference was entered already."""
        now_ms = self._clock.wall_ms()
        return await self._db.write(enter, self._config.currency, actor, arrived, now_ms)

    async def note_balance(self, actor: Actor, gateway: str, reported_minor: int) -> GatewayBalance:
        """Raises `Invalid` for a gateway that the books don't know."""
        now_ms = self._clock.wall_ms()
        currency = self._config.currency
        return await self._db.write(note_balance, currency, actor, gateway, reported_minor, now_ms)

    async def move_owners_share(
        self,
        actor: Actor,
        direction: Direction,
        amount_minor: int,
        reference: str,
        reason: str,
        key: str | None = None,
    ) -> ledger.Entry:
        """Book what the owner put into the bank account or took out of it; the same `key` once.

        Raises `Invalid`, or `Conflict` ("owed_to_others") for more than is the owner's.
        """
        return await self._db.write(
            move_owners_share,
            self._config.currency,
            actor,
            direction,
            amount_minor,
            reference,
            reason,
            key,
            self._clock.wall_ms(),
        )

    async def page(self, *, after: str | None = None) -> list[Settlement]:
        """Newest first, behind the one with the id `after`."""
        return await self._db.read(page, after)

    async def balances(self) -> list[GatewayBalance]:
        """What gateways said lately, newest first."""
        return await self._db.read(balances)

    async def gateways(self) -> list[str]:
        """Those that the books know."""
        return await self._db.read(gateways)


def enter(
    tx: Transaction, currency: str, actor: Actor, arrived: Arrived, now_ms: int
) -> Settlement:
    """`Settlements.enter` inside a transaction."""
    _check_gateway(tx, arrived.gateway)
    checked_amount(arrived.amount_minor, "amount_minor", least=0)
    checked_amount(arrived.fee_minor, "fee_minor", least=0)
    if arrived.amount_minor + arrived.fee_minor == 0:
        raise Invalid("Write what arrived, or what was kept.", field="amount_minor")
    day = _checked_day(arrived.arrived_on)
    chars_max = limits.BOOKS_REFERENCE_CHARS_MAX
    reference = checked_line(arrived.reference, "reference", chars_max, is_required=True)
    known = select(settlement.c.id).where(
        settlement.c.gateway == arrived.gateway,
        settlement.c.reference == reference,
        settlement.c.reversed_at_ms.is_(None),
    )
    clearing = clearing_of(arrived.gateway, currency)
    bank, fees = (ledger.site_account(one, currency) for one in (Kind.BANK, Kind.GATEWAY_FEES))
    ledger.locked_balances(tx, [clearing, bank, fees])  # two with one reference take turns
    if tx.execute(known).first() is not None:
        raise Conflict(
            f"A settlement of {arrived.gateway} with that reference is in the books already.",
            field="reference",
            code="known_reference",
        )
    made_id = new_id("stl")
    entry, _ = ledger.post(
        tx,
        Posting(
            SETTLEMENT,
            f"settlement:{made_id}",
            (
                Transfer(bank, clearing, arrived.amount_minor),
                Transfer(fees, clearing, arrived.fee_minor),
            ),
            subject=made_id,
            actor_id=actor.id,
            external_ref=reference,
        ),
        now_ms,
    )
    row = tx.execute(
        insert(settlement)
        .values(
            id=made_id,
            gateway=arrived.gateway,
            currency=currency,
            arrived_on=day,
            amount_minor=arrived.amount_minor,
            fee_minor=arrived.fee_minor,
            reference=reference,
            entry_id=entry.id,
            entered_by_id=actor.id,
            entered_by=actor.name,
            created_at_ms=now_ms,
        )
        .returning(*settlement.c)
    ).one()
    details = {
        "arrived": money(arrived.amount_minor, currency),
        "fee": money(arrived.fee_minor, currency),
        "day": day,
        "reference": reference,
        "entry": entry.id,
    }
    target = Target("settlement", made_id, arrived.gateway)
    audit.append(tx, actor, "books.settle", target, now_ms, details)
    return _to_settlement(row)


def note_balance(
    tx: Transaction, currency: str, actor: Actor, gateway: str, reported_minor: int, now_ms: int
) -> GatewayBalance:
    """`Settlements.note_balance` inside a transaction."""
    _check_gateway(tx, gateway)
    if abs(reported_minor) > limits.AMOUNT_MINOR_MAX:
        raise Invalid("That is more than the books take.", field="reported_minor")
    booked = ledger.balance(tx, clearing_of(gateway, currency)).amount_minor
    row = tx.execute(
        insert(gateway_balance)
        .values(
            id=new_id("gwb"),
            gateway=gateway,
            currency=currency,
            reported_minor=reported_minor,
            booked_minor=booked,
            entered_by_id=actor.id,
            entered_by=actor.name,
            created_at_ms=now_ms,
        )
        .returning(*gateway_balance.c)
    ).one()
    noted = _to_balance(row)
    details = {"reported": money(reported_minor, currency), "booked": money(booked, currency)}
    target = Target("gateway", gateway, gateway)
    audit.append(tx, actor, "books.compare", target, now_ms, details)
    return noted


def move_owners_share(
    tx: Transaction,
    currency: str,
    actor: Actor,
    direction: Direction,
    amount_minor: int,
    reference: str,
    reason: str,
    key: str | None,
    now_ms: int,
) -> ledger.Entry:
    """`Settlements.move_owners_share` inside a transaction."""
    checked_amount(amount_minor)
    reference = checked_line(
        reference, "reference", limits.BOOKS_REFERENCE_CHARS_MAX, is_required=True
    )
    reason = checked_line(reason, "reason", limits.BOOKS_REASON_CHARS_MAX)
    bank = ledger.site_account(Kind.BANK, currency)
    owner = ledger.site_account(Kind.OWNERS_SHARE, currency)
    is_out = direction == "out"
    known = Request.of(key).key
    business_key = f"owner:{actor.id}:{known}" if known else f"owner:{new_id('own')}"
    moved = Transfer(owner, bank, amount_minor) if is_out else Transfer(bank, owner, amount_minor)
    entry, is_new = ledger.post(
        tx,
        Posting(
            TAKEN_OUT if is_out else PUT_IN,
            business_key,
            (moved,),
            actor_id=actor.id,
            reason=reason,
            external_ref=reference,
        ),
        now_ms,
    )
    if not is_new:
        return entry
    left_minor = standing(tx, currency).own_minor
    if is_out and left_minor < 0:
        most = money(max(0, left_minor + amount_minor), currency)
        raise Conflict(
            f"The rest belongs to viewers and streamers: take out at most {most}.",
            field="amount",
            code="owed_to_others",
        )
    details = {
        "amount": money(amount_minor, currency),
        "reference": reference,
        "reason": reason,
        "entry": entry.id,
    }
    action = "books.take_out" if is_out else "books.put_in"
    audit.append(tx, actor, action, Target("entry", entry.id, "owner's share"), now_ms, details)
    return entry


def mark_reversed(tx: Transaction, entry_id: str, now_ms: int) -> None:
    """The entry of a settlement was reversed: its reference may be entered again."""
    tx.execute(
        update(settlement).where(settlement.c.entry_id == entry_id).values(reversed_at_ms=now_ms)
    )


def page(tx: Transaction, after: str | None = None) -> list[Settlement]:
    query = select(settlement)
    found = rows_behind(tx, query, settlement.c.created_at_ms, after, limits.BOOKS_LISTED_MAX)
    return [_to_settlement(row) for row in found]


def balances(tx: Transaction) -> list[GatewayBalance]:
    moment = gateway_balance.c.created_at_ms
    rows = rows_behind(tx, select(gateway_balance), moment, None, limits.BOOKS_LISTED_MAX)
    return [_to_balance(row) for row in rows]


def gateways(tx: Transaction) -> list[str]:
    kind = Kind.CLEARING.label
    owners = select(ledger_account.c.owner).where(ledger_account.c.kind == kind).distinct()
    return sorted(tx.execute(owners).scalars())


def _check_gateway(tx: Transaction, gateway: str) -> None:
    if gateway not in gateways(tx):
        raise Invalid("Nothing was ever paid through that gateway.", field="gateway")


def _checked_day(day: str) -> str:
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError as error:
        raise Invalid("Write a day as 2026-11-20.", field="arrived_on") from error


def _to_settlement(row: Row[Any]) -> Settlement:
    return Settlement(
        row.id,
        row.gateway,
        row.currency,
        row.arrived_on,
        row.amount_minor,
        row.fee_minor,
        row.reference,
        row.entry_id,
        row.entered_by,
        row.created_at_ms,
        row.reversed_at_ms,
    )


def _to_balance(row: Row[Any]) -> GatewayBalance:
    return GatewayBalance(
        row.id,
        row.gateway,
        row.currency,
        row.reported_minor,
        row.booked_minor,
        row.entered_by,
        row.created_at_ms,
    )
