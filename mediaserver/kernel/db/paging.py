"""Long lists in pages: the rows behind the last one that was shown, by a moment and the id.

Nothing is counted or skipped, so the last page of a million rows comes as fast as the first, and a
row that is added meanwhile moves no other to the next page. Wants an index that ends in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Row, Select, select, tuple_

from mediaserver.kernel.db.database import Transaction


def rows_behind(
    tx: Transaction,
    query: Select[Any],
    moment: Column[Any],
    after: str | None,
    most: int,
    *,
    is_oldest_first: bool = False,
) -> Sequence[Row[Any]]:
    """At most `most` rows of `query`, newest first by `moment`, a column of the table whose rows
    are listed, behind the one with the id `after`; none if that doesn't exist.
    """
    place = (moment, moment.table.c.id)
    if after is not None:
        last = _place_of(tx, place, after)
        if last is None:
            return []
        behind = tuple_(*place) > last if is_oldest_first else tuple_(*place) < last
        query = query.where(behind)
    order = place if is_oldest_first else tuple(column.desc() for column in place)
    return tx.execute(query.order_by(*order).limit(most)).all()


def _place_of(tx: Transaction, place: tuple[Column[Any], ...], after: str) -> Any:
    if not (after.isascii() and after.isprintable()):
        return None  # no id, and PostgreSQL takes no NUL
    row = tx.execute(select(*place).where(place[-1] == after)).first()
    return None if row is None else tuple_(*row)
