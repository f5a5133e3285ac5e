"""Categories as admins change them: new ones, other names, another order, hidden, two made one.

Each change is one transaction with its entry in the audit log; the caller has checked that an admin
asks. Writes the table of channels/categories.py. Called by the admin desk.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from mediaserver.channels import categories
from mediaserver.channels.categories import Category, category
from mediaserver.channels.channels import ChannelChanged, channel
from mediaserver.channels.schedule import schedule_entry
from mediaserver.channels.streams import stream
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.texts import checked_line

_ICONS = """
activity archive at-sign bell book-open calendar captions chart-line chef-hat clapperboard clock
code coffee cpu crown dices dumbbell film flag flask-conical folder gamepad-2 gift graduation-cap
hammer headphones heart image laptop leaf megaphone messages-square mic monitor moon music
newspaper palette paw-print pen plane radio scale server smartphone smile snail star sun tag
trophy tv users video wand-sparkles wifi zap
"""
ICONS = tuple(_ICONS.split())
"""What a category may show, of the sprite of the pages."""


@dataclass(frozen=True, slots=True)
class Used:
    """A category and how many channels are in it."""

    category: Category
    channels: int


class CategoryChanges:
    """Changes categories."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def list_all(self) -> list[Used]:
        """All, the hidden ones too, in the order in which they are shown."""
        return await self._db.read(_list_used)

    async def make(self, actor: Actor, name: str, icon: str) -> Category:
        """A new one behind the others. Raises `Invalid` or `Conflict` (taken, or too many)."""
        return await self._db.write(_make, actor, name, icon, self._clock.wall_ms())

    async def change(
        self,
        actor: Actor,
        slug: str,
        *,
        name: str | None = None,
        icon: str | None = None,
        is_hidden: bool | None = None,
    ) -> Category:
        """What isn't given stays, and so does the address. Raises `NotFound` or `Invalid`."""
        wanted: dict[str, Any] = {}
        if name is not None:
            wanted["name"] = _checked_name(name)
        if icon is not None:
            wanted["icon"] = _checked_icon(icon)
        if is_hidden is not None:
            wanted["is_hidden"] = is_hidden
        return await self._db.write(_change, actor, slug, wanted, self._clock.wall_ms())

    async def move(self, actor: Actor, slug: str, steps: int) -> None:
        """Show it that many places later, or earlier with a negative number. Raises `NotFound`."""
        await self._db.write(_move, actor, slug, steps, self._clock.wall_ms())

    async def merge(self, actor: Actor, slug: str, into: str) -> Category:
        """Everything in it is in `into` from now on, and it is gone.

        Raises `NotFound`, or `Invalid` when both are the same.
        """
        return await self._db.write(_merge, actor, slug, into, self._clock.wall_ms())


def _list_used(tx: Transaction) -> list[Used]:
    rows = tx.execute(
        select(channel.c.category_id, func.count().label("channels"))
        .where(channel.c.category_id.is_not(None))
        .group_by(channel.c.category_id)
    )
    counts = {row.category_id: row.channels for row in rows}
    return [Used(one, counts.get(one.id, 0)) for one in categories.list_all(tx)]


def _make(tx: Transaction, actor: Actor, name: str, icon: str, now_ms: int) -> Category:
    name = _checked_name(name)
    made = Category(new_id("cat"), _slug(name), name, _checked_icon(icon))
    known = categories.list_all(tx)
    if len(known) >= limits.CATEGORIES_MAX:
        raise Conflict(f"There are {len(known)} categories. Merge two first.", code="too_many")
    if categories.find(tx, made.slug) is not None:
        raise Conflict("There is a category with that name.", field="name")
    last = tx.execute(select(func.max(category.c.position))).scalar()
    tx.execute(
        insert(category).values(
            id=made.id,
            slug=made.slug,
            name=made.name,
            icon=made.icon,
            position=0 if last is None else last + 1,
        )
    )
    audit.append(tx, actor, "category.make", _target(made), now_ms)
    return made


def _change(
    tx: Transaction, actor: Actor, slug: str, wanted: dict[str, Any], now_ms: int
) -> Category:
    before = categories.get(tx, slug)
    changed = {key: value for key, value in wanted.items() if getattr(before, key) != value}
    if not changed:
        return before
    stored = {key: int(value) if key == "is_hidden" else value for key, value in changed.items()}
    tx.execute(update(category).where(category.c.id == before.id).values(stored))
    details = {"before": {key: getattr(before, key) for key in changed}, "after": changed}
    audit.append(tx, actor, "category.change", _target(before), now_ms, details)
    _tell(tx, before.id)
    return categories.get(tx, slug)


def _move(tx: Transaction, actor: Actor, slug: str, steps: int, now_ms: int) -> None:
    moved = categories.get(tx, slug)
    order = [one.id for one in categories.list_all(tx)]
    before = order.index(moved.id)
    order.remove(moved.id)
    after = min(max(before + steps, 0), len(order))
    order.insert(after, moved.id)
    if after == before:
        return
    for position, category_id in enumerate(order):
        tx.execute(update(category).where(category.c.id == category_id).values(position=position))
    details = {"before": before + 1, "after": after + 1}
    audit.append(tx, actor, "category.move", _target(moved), now_ms, details)


def _merge(tx: Transaction, actor: Actor, slug: str, into: str, now_ms: int) -> Category:
    merged = categories.get(tx, slug)
    target = categories.find(tx, into)
    if target is None or target.id == merged.id:
        raise Invalid("Choose another category.", field="into")
    _tell(tx, merged.id)
    for table in (channel, stream, schedule_entry):
        tx.execute(
            update(table).where(table.c.category_id == merged.id).values(category_id=target.id)
        )
    tx.execute(delete(category).where(category.c.id == merged.id))
    audit.append(tx, actor, "category.merge", _target(merged), now_ms, {"into": target.slug})
    return target


def _tell(tx: Transaction, category_id: str) -> None:
    """The channels in it look different to their viewers."""
    rows = tx.execute(
        select(channel.c.id, channel.c.slug).where(channel.c.category_id == category_id)
    )
    for row in rows:
        tx.emit(ChannelChanged(row.id, row.slug))


def _slug(name: str) -> str:
    """Crème brûlée → creme-brulee. Raises `Invalid` when nothing is left of the name."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    slug = re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")
    slug = slug[: limits.CATEGORY_SLUG_CHARS_MAX].strip("-")
    if not slug:
        raise Invalid("Use at least one letter from a to z, for its address.", field="name")
    return slug


def _checked_name(name: str) -> str:
    return checked_line(name, "name", limits.CATEGORY_NAME_CHARS_MAX, is_required=True)


def _checked_icon(icon: str) -> str:
    if icon not in ICONS:
        raise Invalid("Choose one of the list.", field="icon")
    return icon


def _target(one: Category) -> Target:
    return Target("category", one.id, one.slug)
