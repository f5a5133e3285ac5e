"""Profiles: what people show of themselves — a picture, a few words, links.

Owns the table `profile`; the pictures themselves are accounts/avatars.py's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import CheckConstraint, ForeignKey, Row, insert, select, update

from mediaserver.accounts.users import User, lock
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.texts import checked_line, checked_paragraphs

profile = table(
    "profile",
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    text("about"),
    text("links"),
    text("avatar", nullable=True),
    int64("updated_at_ms"),
    CheckConstraint("length(about) <= 1000", name="about"),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A web address with a name for it."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Profile:
    """`avatar` names a picture, or is None."""

    about: str = ""
    links: tuple[Link, ...] = ()
    avatar: str | None = None


class Profiles:
    """Reads and changes them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def of(self, user: User) -> Profile:
        return await self._db.read(find, user.id)

    async def change(
        self, user: User, *, about: str | None = None, links: Sequence[Link] | None = None
    ) -> Profile:
        """None leaves a part as it is. Raises `Invalid`."""
        values: dict[str, Any] = {}
        if about is not None:
            values["about"] = checked_paragraphs(about, "about", limits.PROFILE_ABOUT_CHARS_MAX)
        if links is not None:
            values["links"] = json.dumps(
                [[link.name, link.url] for link in checked_links(links)], ensure_ascii=False
            )
        return await self._db.write(_change, user.id, values, self._clock.wall_ms())

    async def set_avatar(self, user: User, avatar: str | None) -> str | None:
        """Show another picture; the name of the one that was shown before."""
        return await self._db.write(_set_avatar, user.id, avatar, self._clock.wall_ms())


def checked_links(links: Sequence[Link]) -> list[Link]:
    """As they are stored. Raises `Invalid`."""
    if len(links) > limits.PROFILE_LINKS_MAX:
        raise Invalid(f"Use at most {limits.PROFILE_LINKS_MAX} links.", field="links")
    checked = []
    for link in links:
        url = link.url.strip()
        try:
            parts = urlsplit(url)
        except ValueError:
            raise Invalid("That isn't a web address.", field="links") from None
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or "." not in parts.hostname
            or parts.username is not None
            or len(url) > limits.PROFILE_URL_CHARS_MAX
            or not url.isascii()
            or not url.isprintable()
            or any(char in url for char in " \"'<>\\")
        ):
            raise Invalid("Links begin with https:// and name a site.", field="links")
        name = checked_line(link.name, "links", limits.PROFILE_LINK_NAME_CHARS_MAX)
        checked.append(Link(name or parts.hostname, url))
    return checked


def find(tx: Transaction, user_id: str) -> Profile:
    """An empty one for who has none."""
    row = tx.execute(select(profile).where(profile.c.user_id == user_id)).first()
    return Profile() if row is None else _to_profile(row)


def avatar_ids(tx: Transaction) -> set[str]:
    """The pictures that are shown."""
    shown = select(profile.c.avatar).where(profile.c.avatar.is_not(None))
    return set(tx.execute(shown).scalars())


def _ensure(tx: Transaction, user_id: str, now_ms: int) -> Row[Any]:
    """The row of a user, locked."""
    lock(tx, user_id)  # two first changes at once come one after the other
    query = select(profile).where(profile.c.user_id == user_id).with_for_update()
    row = tx.execute(query).first()
    if row is None:
        tx.execute(
            insert(profile).values(user_id=user_id, about="", links="[]", updated_at_ms=now_ms)
        )
        row = tx.execute(query).one()
    return row


def _change(tx: Transaction, user_id: str, values: dict[str, Any], now_ms: int) -> Profile:
    _ensure(tx, user_id, now_ms)
    tx.execute(
        update(profile).where(profile.c.user_id == user_id).values(updated_at_ms=now_ms, **values)
    )
    return find(tx, user_id)


def _set_avatar(tx: Transaction, user_id: str, avatar: str | None, now_ms: int) -> str | None:
    before: str | None = _ensure(tx, user_id, now_ms).avatar
    tx.execute(
        update(profile)
        .where(profile.c.user_id == user_id)
        .values(avatar=avatar, updated_at_ms=now_ms)
    )
    return before


def _to_profile(row: Row[Any]) -> Profile:
    links = tuple(Link(name, url) for name, url in json.loads(row.links))
    return Profile(row.about, links, row.avatar)
