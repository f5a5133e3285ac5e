"""Notices: what somebody is told in the site and, as far as they want it, by mail.

Features call `tell` inside their transaction. Owns the tables `notice` and `notice_choice`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    delete,
    func,
    insert,
    select,
    update,
)

from mediaserver.accounts.users import User, find_by_id, user_account
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.ids import new_id, same
from mediaserver.kernel.mail import Letterhead, send

notice = table(
    "notice",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE")),
    text("topic"),
    text("title"),
    text("body"),
    text("path"),
    int64("created_at_ms", index=True),
    int64("read_at_ms", nullable=True),
)
Index(None, notice.c.user_id, notice.c.created_at_ms, notice.c.id)

notice_choice = table(
    "notice_choice",
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    text("topic", primary_key=True),
    int64("by_mail"),
    CheckConstraint("by_mail IN (0, 1)", name="by_mail"),
)


class Topic(StrEnum):
    """What a notice is about; each has its own switch for mail."""

    ACCOUNT = "account"
    VERIFICATION = "verification"
    MONEY = "money"
    GIFTS = "gifts"
    THANKS = "thanks"
    TEAMS = "teams"
    REPORTS = "reports"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"

    @property
    def is_always_mailed(self) -> bool:
        """Whether nobody can turn its mail off: what protects the account, decides on it,
        or says where money went."""
        return self in (Topic.ACCOUNT, Topic.VERIFICATION, Topic.MONEY)


TOPICS: Mapping[Topic, tuple[str, str]] = {
    Topic.ACCOUNT: ("Your account", "Log-ins, warnings and bans. It protects your account."),
    Topic.VERIFICATION: ("Your verification", "What was decided on the documents you sent."),
    Topic.MONEY: ("Your money", "Payments, refunds and payouts, and what became of them."),
    Topic.GIFTS: ("Tips and donations", "Somebody gave something to your channel."),
    Topic.THANKS: ("Thanks", "A streamer whom you gave to writes to thank you."),
    Topic.TEAMS: ("Teams", "Somebody invites you, or a team of yours changes."),
    Topic.REPORTS: ("Reports", "What became of something that you reported."),
    Topic.WEBHOOKS: ("Webhooks", "One of your webhooks was turned off."),
    Topic.ADMIN: ("Running the site", "Something waits for an admin."),
}
"""What each topic is called and about, for people, in the order of the switches."""

_UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice. `path` is the page of this site that it leads to."""

    id: str
    topic: Topic
    title: str
    body: str
    path: str
    created_at_ms: int
    is_read: bool


@dataclass(frozen=True, slots=True)
class NoticeMade:
    """Somebody was told something."""

    user_id: str
    notice: Notice


def tell(
    tx: Transaction,
    letterhead: Letterhead,
    user_id: str,
    topic: Topic,
    title: str,
    body: str,
    path: str,
    now_ms: int,
    *,
    mails: bool = True,
) -> None:
    """Leave a notice for somebody, and mail it unless they don't want that. `title` and `body` are
    plain text in whole sentences, `path` begins with a slash. Nothing happens for nobody.

    Without `mails` it is a notice only: of what was mailed already, or isn't worth a mail.
    """
    user = find_by_id(tx, user_id)
    if user is None:
        return
    made = Notice(new_id("ntc"), topic, title, body, path, now_ms, False)
    tx.execute(
        insert(notice).values(
            id=made.id,
            user_id=user_id,
            topic=topic,
            title=title,
            body=body,
            path=path,
            created_at_ms=now_ms,
        )
    )
    tx.emit(NoticeMade(user_id, made))
    if mails and is_mailed(tx, user_id, topic):
        paragraphs = [f"Hello {user.username},", body, f"{letterhead.url}{path}"]
        off = "" if topic.is_always_mailed else unsubscribe_url(letterhead, user_id, topic)
        if off:
            paragraphs.append(f"No mails like this any more:\n{off}")
        mail = letterhead.mail(user.email, title, *paragraphs)
        send(tx, replace(mail, unsubscribe_url=off), now_ms)


def tell_admins(
    tx: Transaction, letterhead: Letterhead, title: str, body: str, path: str, now_ms: int
) -> None:
    """`tell` every admin that something waits for them."""
    admins = select(user_account.c.id).where(user_account.c.is_admin == 1)
    for user_id in tx.execute(admins).scalars().all():
        tell(tx, letterhead, user_id, Topic.ADMIN, title, body, path, now_ms)


def unsubscribe_url(letterhead: Letterhead, user_id: str, topic: Topic) -> str:
    """The link that turns off mails of `topic`, good for ever; empty where none can be signed."""
    signature = letterhead.signature(f"{user_id}/{topic}", _UNSUBSCRIBE)
    if signature is None:
        return ""
    return f"{letterhead.url}/unsubscribe?who={user_id}&topic={topic}&signature={signature}"


def is_mailed(tx: Transaction, user_id: str, topic: Topic) -> bool:
    if topic.is_always_mailed:
        return True
    chosen = select(notice_choice.c.by_mail).where(
        notice_choice.c.user_id == user_id, notice_choice.c.topic == topic
    )
    return tx.execute(chosen).scalar() != 0


class Notices:
    """One's own notices, and the switches for their mail."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def page(self, user: User, *, after: str | None = None) -> list[Notice]:
        """Newest first, behind the one with the id `after`."""
        return await self._db.read(_page, user.id, after)

    async def count_unread(self, user: User) -> int:
        """How many, at most `NOTICES_COUNTED_MAX`."""
        return await self._db.read(_count_unread, user.id)

    async def read_all(self, user: User) -> None:
        """Mark every notice as read."""
        await self._db.write(_mark_read, user.id, None, self._clock.wall_ms())

    async def read_some(self, user: User, ids: Collection[str]) -> None:
        """Mark those with these ids as read; others' are left alone."""
        await self._db.write(_mark_read, user.id, ids, self._clock.wall_ms())

    async def mailed(self, user: User) -> dict[Topic, bool]:
        """Which topics are mailed too."""
        return await self._db.read(_mailed, user.id)

    async def choose(self, user: User, mailed: dict[Topic, bool]) -> None:
        """Change the topics in `mailed`; those that are always mailed stay so."""
        await self._db.write(_choose, user.id, mailed)

    async def unsubscribe(
        self, letterhead: Letterhead, user_id: str, topic: str, signature: str
    ) -> Topic:
        """Turn off mails of `topic`, as a link in one of them asks. Raises `NotFound`."""
        wanted = checked_link(letterhead, user_id, topic, signature)
        await self._db.write(_unsubscribe, user_id, wanted)
        return wanted

    async def delete_old(self) -> None:
        await self._db.write(_delete_old, self._clock.wall_ms() - limits.NOTICE_KEEP_MS)


def checked_link(letterhead: Letterhead, user_id: str, topic: str, signature: str) -> Topic:
    """The topic that a link in a mail turns off. Raises `NotFound` for one that isn't ours."""
    expected = letterhead.signature(f"{user_id}/{topic}", _UNSUBSCRIBE)
    if expected is None or not same(signature, expected) or topic not in set(Topic):
        raise NotFound("This link is not complete. Open it from the mail once more.")
    return Topic(topic)


def topics_for(user: User) -> list[Topic]:
    """Those that somebody may ever hear of, in the order of the switches."""
    return [topic for topic in TOPICS if user.is_admin or topic is not Topic.ADMIN]


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """What somebody was told, for their copy of their data."""
    rows = tx.execute(
        select(notice).where(notice.c.user_id == user_id).order_by(notice.c.created_at_ms)
    )
    return [
        {"title": row.title, "body": row.body, "created_at_ms": row.created_at_ms} for row in rows
    ]


def _page(tx: Transaction, user_id: str, after: str | None) -> list[Notice]:
    query = select(notice).where(notice.c.user_id == user_id)
    rows = rows_behind(tx, query, notice.c.created_at_ms, after, limits.NOTICES_LISTED_MAX)
    return [_to_notice(row) for row in rows]


def _count_unread(tx: Transaction, user_id: str) -> int:
    unread = (
        select(notice.c.id)
        .where(notice.c.user_id == user_id, notice.c.read_at_ms.is_(None))
        .limit(limits.NOTICES_COUNTED_MAX)
        .subquery()
    )
    return int(tx.execute(select(func.count()).select_from(unread)).scalar_one())


def _mark_read(tx: Transaction, user_id: str, ids: Collection[str] | None, now_ms: int) -> None:
    query = update(notice).where(notice.c.user_id == user_id, notice.c.read_at_ms.is_(None))
    if ids is not None:
        query = query.where(notice.c.id.in_(ids))
    tx.execute(query.values(read_at_ms=now_ms))


def _unsubscribe(tx: Transaction, user_id: str, topic: Topic) -> None:
    if find_by_id(tx, user_id) is not None:  # an account that is gone gets no mail anyway
        _choose(tx, user_id, {topic: False})


def _mailed(tx: Transaction, user_id: str) -> dict[Topic, bool]:
    return {topic: is_mailed(tx, user_id, topic) for topic in Topic}


def _choose(tx: Transaction, user_id: str, mailed: dict[Topic, bool]) -> None:
    for topic, by_mail in mailed.items():
        tx.execute(
            delete(notice_choice).where(
                notice_choice.c.user_id == user_id, notice_choice.c.topic == topic
            )
        )
        if not topic.is_always_mailed:
            tx.execute(
                insert(notice_choice).values(user_id=user_id, topic=topic, by_mail=int(by_mail))
            )


def _delete_old(tx: Transaction, before_ms: int) -> None:
    tx.execute(delete(notice).where(notice.c.created_at_ms < before_ms))


def _to_notice(row: Row[Any]) -> Notice:
    return Notice(
        row.id,
        Topic(row.topic),
        row.title,
        row.body,
        row.path,
        row.created_at_ms,
        row.read_at_ms is not None,
    )
