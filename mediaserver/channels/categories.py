"""Categories: what streams are sorted by. Owns the table `category`, which a migration fills and
channels/category_changes.py changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CheckConstraint, Row, UniqueConstraint, select

from mediaserver.kernel import limits
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import flag, identifier, int64, table, text
from mediaserver.kernel.errors import NotFound

category = table(
    "category",
    identifier(),
    text("slug"),
    text("name"),
    text("icon"),
    int64("position"),
    flag("is_hidden"),
    UniqueConstraint("slug"),
    CheckConstraint("is_hidden IN (0, 1)", name="is_hidden"),
)

_SLUG = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Category:
    """One of them. `icon` is a name in the sprite of the pages. A hidden one is offered to nobody,
    and what is in it already stays.
    """

    id: str
    slug: str
    name: str
    icon: str
    is_hidden: bool = False


class Categories:
    """Reads them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_all(self) -> list[Category]:
        """All but the hidden ones, in the order in which they are shown."""
        return [one for one in await self._db.read(list_all) if not one.is_hidden]

    async def get(self, slug: str) -> Category:
        """Raises `NotFound`."""
        return await self._db.read(get, slug)


def get(tx: Transaction, slug: str) -> Category:
    """Raises `NotFound`."""
    found = find(tx, slug)
    if found is None:
        raise NotFound("There is no such category.", code="category_not_found")
    return found


def find(tx: Transaction, slug: str) -> Category | None:
    if len(slug) > limits.CATEGORY_SLUG_CHARS_MAX or not _SLUG.fullmatch(slug):
        return None
    row = tx.execute(_SELECT.where(category.c.slug == slug)).first()
    return None if row is None else _to_category(row)


_SELECT = select(
    category.c.id, category.c.slug, category.c.name, category.c.icon, category.c.is_hidden
)


def list_all(tx: Transaction) -> list[Category]:
    """All, the hidden ones too."""
    rows = tx.execute(_SELECT.order_by(category.c.position).limit(limits.CATEGORIES_MAX))
    return [_to_category(row) for row in rows]


def _to_category(row: Row[Any]) -> Category:
    return Category(row.id, row.slug, row.name, row.icon, bool(row.is_hidden))
