"""Plans: what a membership costs, for how long, and whether it is sold. Every plan makes premium.

    on_sale     anybody may take it
    off_sale    whoever has it keeps it
    withdrawn   whoever has it has it to the end of what they paid

A new price counts for who comes new; members are told, and pay it later (renewals.py). Admins
change plans, with an entry in the audit log each time. Owns the table `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import CheckConstraint, Row, func, insert, select, update

from mediaserver.kernel import audit, jobs, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.texts import checked_line, checked_paragraphs
from mediaserver.memberships.periods import MONTHS, Period
from mediaserver.money.currencies import checked_amount, currency_of, formatted, parsed_amount

PREFIX = "pln"

TELL = "plan-changed"
"""The job that tells members of a new price, or that their plan ends."""

plan = table(
    "plan",
    identifier(),
    text("name"),
    text("description"),
    int64("price_minor"),
    text("currency"),
    text("period"),
    text("state"),
    int64("position"),
    int64("created_at_ms"),
    CheckConstraint("price_minor BETWEEN 1 AND 1000000000000", name="price_minor"),
    CheckConstraint("period IN ('month', 'year')", name="period"),
    CheckConstraint("state IN ('on_sale', 'off_sale', 'withdrawn')", name="state"),
)

State = Literal["on_sale", "off_sale", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan. `price_minor` is for one period."""

    id: str
    name: str
    description: str
    price_minor: int
    currency: str
    period: Period
    state: State
    position: int
    created_at_ms: int

    @property
    def months(self) -> int:
        return MONTHS[self.period]

    @property
    def target(self) -> Target:
        return Target("plan", self.id, self.name)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an admin wrote; None stays as it is."""

    name: str | None = None
    description: str | None = None
    price_minor: int | None = None
    state: str | None = None


class Plans:
    """What admins do with plans. The caller has checked that one asks."""

    def __init__(self, db: Database, clock: Clock, config: MoneyConfig) -> None:
        self._db = db
        self._clock = clock
        self._config = config

    async def on_sale(self) -> list[Plan]:
        """In the order in which they are shown."""
        found = await self._db.read(list_all)
        return [
            one for one in found if one.state == "on_sale" and one.currency == self._config.currency
        ]

    async def list_all(self) -> list[Plan]:
        return await self._db.read(list_all)

    async def make(
        self, actor: Actor, name: str, description: str, price_minor: int, period: str
    ) -> Plan:
        """A new one behind the others, on sale. Raises `Invalid` or `Conflict` (too many)."""
        if period not in MONTHS:
            raise Invalid("Choose month or year.", field="period")
        wanted = self._checked(Wanted(name, description, price_minor))
        values = {**wanted, "period": period, "currency": self._config.currency}
        return await self._db.write(_make, actor, values, self._clock.wall_ms())

    async def change(self, actor: Actor, plan_id: str, wanted: Wanted) -> Plan:
        """Members are told of a new price, and that a withdrawn plan ends, by a job.

        Raises `NotFound`, `Invalid` or `Conflict` (it is withdrawn).
        """
        values = self._checked(wanted)
        return await self._db.write(_change, actor, plan_id, values, self._clock.wall_ms())

    async def move(self, actor: Actor, plan_id: str, steps: int) -> None:
        """Show it that many places later; earlier with a negative number. Raises `NotFound`."""
        await self._db.write(_move, actor, plan_id, steps, self._clock.wall_ms())

    def _checked(self, wanted: Wanted) -> dict[str, Any]:
        """What is given, as it is stored. Raises `Invalid`."""
        values: dict[str, Any] = {}
        if wanted.name is not None:
            most = limits.PLAN_NAME_CHARS_MAX
            values["name"] = checked_line(wanted.name, "name", most, is_required=True)
        if wanted.description is not None:
            most = limits.PLAN_DESCRIPTION_CHARS_MAX
            values["description"] = checked_paragraphs(wanted.description, "description", most)
        if wanted.price_minor is not None:
            values["price_minor"] = self._checked_price(wanted.price_minor)
        if wanted.state is not None:
            if wanted.state not in get_args(State):
                raise Invalid("Choose one of the list.", field="state")
            values["state"] = wanted.state
        return values

    def _checked_price(self, price_minor: int) -> int:
        checked_amount(price_minor, "price_minor")
        currency = currency_of(self._config.currency)
        most = parsed_amount(self._config.wallet_max, currency)
        if price_minor > most:
            raise Invalid(
                f"A wallet holds {formatted(most, currency)} at most, and it is paid from there.",
                field="price_minor",
                code="amount_too_large",
            )
        return price_minor


def get(tx: Transaction, plan_id: str) -> Plan:
    """Raises `NotFound`."""
    if is_id(plan_id, PREFIX):
        row = tx.execute(select(plan).where(plan.c.id == plan_id)).first()
        if row is not None:
            return _to_plan(row)
    raise NotFound("There is no such plan.", code="plan_not_found")


def list_all(tx: Transaction) -> list[Plan]:
    """In the order in which they are shown."""
    rows = tx.execute(select(plan).order_by(plan.c.position, plan.c.id))
    return [_to_plan(row) for row in rows]


def _make(tx: Transaction, actor: Actor, values: dict[str, Any], now_ms: int) -> Plan:
    known = list_all(tx)
    if len(known) >= limits.PLANS_MAX:
        raise Conflict(f"There are {len(known)} plans: change one of them.", code="too_many")
    last = tx.execute(select(func.max(plan.c.position))).scalar()
    row = tx.execute(
        insert(plan)
        .values(
            id=new_id(PREFIX),
            state="on_sale",
            position=0 if last is None else last + 1,
            created_at_ms=now_ms,
            **values,
        )
        .returning(*plan.c)
    ).one()
    made = _to_plan(row)
    details = {"price_minor": made.price_minor, "period": made.period}
    audit.append(tx, actor, "plan.make", made.target, now_ms, details)
    return made


def _change(
    tx: Transaction, actor: Actor, plan_id: str, wanted: dict[str, Any], now_ms: int
) -> Plan:
    tx.execute(select(plan.c.id).where(plan.c.id == plan_id).with_for_update())
    before = get(tx, plan_id)
    changed = {key: value for key, value in wanted.items() if getattr(before, key) != value}
    if not changed:
        return before
    if before.state == "withdrawn":
        raise Conflict("This plan is withdrawn: make a new one.", code="plan_withdrawn")
    row = tx.execute(
        update(plan).where(plan.c.id == plan_id).values(changed).returning(*plan.c)
    ).one()
    details = {"before": {key: getattr(before, key) for key in changed}, "after": changed}
    audit.append(tx, actor, "plan.change", before.target, now_ms, details)
    if "price_minor" in changed or changed.get("state") == "withdrawn":
        jobs.enqueue(tx, TELL, {"plan": plan_id}, now_ms)
    return _to_plan(row)


def _move(tx: Transaction, actor: Actor, plan_id: str, steps: int, now_ms: int) -> None:
    moved = get(tx, plan_id)
    order = [one.id for one in list_all(tx)]
    place = order.index(plan_id)
    order.insert(max(place + steps, 0), order.pop(place))
    for position, one in enumerate(order):
        tx.execute(update(plan).where(plan.c.id == one).values(position=position))
    audit.append(tx, actor, "plan.move", moved.target, now_ms, {"to": order.index(plan_id)})


def _to_plan(row: Row[Any]) -> Plan:
    return Plan(
        row.id,
        row.name,
        row.description,
        row.price_minor,
        row.currency,
        row.period,
        row.state,
        row.position,
        row.created_at_ms,
    )
