"""The words in which migrations make tables: the same columns and names as kernel/db/schema.py."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def id_column() -> sa.Column[Any]:
    return sa.Column("id", sa.Text, nullable=False)


def text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def int64(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, INT64, nullable=nullable)


def create_table(name: str, *items: Any, key: str | tuple[str, ...] = "id") -> None:
    """`key`: the column or columns of the primary key."""
    columns = (key,) if isinstance(key, str) else key
    op.create_table(
        name, *items, sa.PrimaryKeyConstraint(*columns, name=f"pk_{name}"), sqlite_strict=True
    )


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{columns[0]}")


def check(name: str, condition: str) -> sa.CheckConstraint:
    """`name` begins with the table's."""
    return sa.CheckConstraint(condition, name=op.f(f"ck_{name}"))


def foreign(table: str, column: str, target: str, on_delete: str) -> sa.ForeignKeyConstraint:
    """A reference to the `id` of `target`."""
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=on_delete
    )


def create_index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{columns[0]}", table, list(columns))


def append_only(table: str) -> None:
    """Have the database refuse to change or remove rows, whoever asks."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
