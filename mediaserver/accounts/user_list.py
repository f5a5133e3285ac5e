"""The list of all accounts for admins: searched, filtered, in pages that a hundred thousand of them
don't slow down.

Without a search the newest come first; with one they are sorted by what was searched for. Every
query walks one index and stops after a page. Reads the table of accounts/users.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, collate, select, tuple_
from sqlalchemy import text as sql

from mediaserver.accounts.users import User, find_by_id, to_user, user_account
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction

_NAME = re.compile(r"[a-z0-9_]{1,24}")
_ADDRESS = re.compile(r"[!-~]+")
_BEHIND_ALL = "\x7f"
"""Sorts behind every character of names and addresses."""


class Show(StrEnum):
    """Which accounts are listed."""

    ALL = "all"
    NORMAL = "normal"
    PREMIUM = "premium"
    ADMIN = "admin"
    BANNED = "banned"


_FILTERS: dict[Show, Sequence[str]] = {
    # Written out, not bound, as users.IS_ADMIN is.
    Show.ALL: (),
    Show.NORMAL: ("is_admin = 0", "is_premium = 0", "is_member = 0"),
    Show.PREMIUM: ("(is_premium = 1 OR is_member = 1)", "is_admin = 0"),
    Show.ADMIN: ("is_admin = 1",),
    Show.BANNED: ("banned_until_ms IS NOT NULL",),
}


def page(tx: Transaction, search: str, show: Show, after: str | None) -> list[User]:
    """At most `USERS_LISTED_MAX`, behind the one with the id `after`.

    `search`: how a name begins, or an address when it holds what names can't, such as an @.
    """
    last = None
    if after is not None and (last := find_by_id(tx, after)) is None:
        return []
    asked = query(tx.dialect, search, show, last)
    return [] if asked is None else [to_user(row) for row in tx.execute(asked)]


def query(dialect: str, search: str, show: Show, last: User | None) -> Select[Any] | None:
    """What `page` asks the database; None when nobody can be called that."""
    asked = select(user_account).limit(limits.USERS_LISTED_MAX)
    for condition in _FILTERS[show]:
        asked = asked.where(sql(condition))
    prefix = search.strip().removeprefix("@").lower()
    if not prefix:
        return _newest_first(asked, last)
    if not _ADDRESS.fullmatch(prefix) or len(prefix) > limits.EMAIL_CHARS_MAX:
        return None
    is_name = _NAME.fullmatch(prefix) is not None
    column: ColumnElement[Any] = user_account.c.username if is_name else user_account.c.email
    if dialect == "postgresql":  # its own order may pass over punctuation
        column = collate(column, "C")
    asked = asked.where(column >= prefix, column < prefix + _BEHIND_ALL).order_by(column)
    if last is not None:
        asked = asked.where(column > (last.username if is_name else last.email))
    return asked


def _newest_first(asked: Select[Any], last: User | None) -> Select[Any]:
    moment = (user_account.c.created_at_ms, user_account.c.id)
    if last is not None:
        asked = asked.where(tuple_(*moment) < tuple_(last.created_at_ms, last.id))
    return asked.order_by(*(column.desc() for column in moment))
