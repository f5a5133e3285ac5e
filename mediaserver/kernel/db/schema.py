"""What every table shares: the metadata, column types, naming of constraints.

A table is declared in the module that owns it; migrations/versions creates it. A test holds the
two against each other.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text
from sqlalchemy import text as sql
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

Int64 = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both engines: times in ms, counts, amounts, and flags as 0 or 1."""


def table(name: str, *items: SchemaItem) -> Table:
    """A table with typed columns: STRICT on SQLite, as PostgreSQL is by nature."""
    return Table(name, metadata, *items, sqlite_strict=True)


def text(
    name: str,
    *items: SchemaItem,
    nullable: bool = False,
    primary_key: bool = False,
    index: bool = False,
) -> Column[Any]:
    return Column(
        name, Text, *items, nullable=nullable, primary_key=primary_key, index=index or None
    )


def int64(
    name: str, *, nullable: bool = False, primary_key: bool = False, index: bool = False
) -> Column[Any]:
    return Column(
        name,
        Int64,
        nullable=nullable,
        primary_key=primary_key,
        autoincrement=False,
        index=index or None,
    )


def flag(name: str, *, default: int = 0) -> Column[Any]:
    """A column with 0 or 1; the table checks that it is no other number."""
    return Column(name, Int64, nullable=False, server_default=sql(str(default)))


def identifier() -> Column[Any]:
    """The primary key: a text of kernel/ids.py."""
    return text("id", primary_key=True)
