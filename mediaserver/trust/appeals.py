"""Appeals: somebody who is banned says why they shouldn't be, once for each ban.

Owns the table `appeal`. Called by routes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User, user_account
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_paragraphs
from mediaserver.notifications.notices import tell_admins
from mediaserver.trust import bans, letters
from mediaserver.trust.bans import Ban, ban

appeal = table(
    "appeal",
    identifier(),
    text("ban_id", ForeignKey("ban.id", ondelete="CASCADE")),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE")),
    text("text"),
    text("state"),
    text("answer"),
    int64("created_at_ms"),
    int64("decided_at_ms", nullable=True),
    text("decided_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    UniqueConstraint("ban_id"),
    CheckConstraint("state IN ('open', 'accepted', 'refused')", name="state"),
    CheckConstraint("(state = 'open') = (decided_at_ms IS NULL)", name="decided"),
)
Index(None, appeal.c.state, appeal.c.created_at_ms, appeal.c.id)

PREFIX = "apl"

State = Literal["open", "accepted", "refused"]


@dataclass(frozen=True, slots=True)
class Appeal:
    """One appeal with the ban that it is against. `username`: whose it is."""

    id: str
    ban: Ban
    username: str
    text: str
    state: State
    answer: str
    created_at_ms: int
    decided_at_ms: int | None


class Appeals:
    """Made by the banned, decided by admins."""

    def __init__(self, db: Database, clock: Clock, letterhead: Letterhead) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead

    async def make(self, actor: User, ban_id: str, text: str) -> Appeal:
        """Appeal against one's own ban.

        Raises `NotFound` (also for somebody else's), `Invalid` or `Conflict` (over, or appealed
        against already).
        """
        check(actor, Action.APPEAL)
        words = checked_paragraphs(text, "text", limits.APPEAL_TEXT_CHARS_MAX)
        if not words:
            raise Invalid("Say why the ban should be lifted.", field="text")
        return await self._db.write(self._make, actor, ban_id, words, self._clock.wall_ms())

    async def against(self, ban_id: str) -> Appeal | None:
        """The appeal against a ban, if there is one."""
        return await self._db.read(_against, ban_id)

    async def page(self, state: State | None, *, after: str | None = None) -> list[Appeal]:
        """Open ones oldest first, all others newest first, behind the one named `after`."""
        return await self._db.read(_page, state, after)

    async def get(self, appeal_id: str) -> Appeal:
        """Raises `NotFound`."""
        return await self._db.read(get, appeal_id)

    async def count_open(self) -> int:
        return await self._db.read(count_open)

    async def decide(
        self, actor: Actor, appeal_id: str, *, is_accepted: bool, answer: str
    ) -> Appeal:
        """Lift the ban, or let it stand, and say why. Raises `NotFound`, `Invalid` or `Conflict`
        (decided already).
        """
        words = checked_paragraphs(answer, "answer", limits.SANCTION_TEXT_CHARS_MAX)
        now_ms = self._clock.wall_ms()
        return await self._db.write(self._decide, actor, appeal_id, is_accepted, words, now_ms)

    def _make(self, tx: Transaction, actor: User, ban_id: str, text: str, now_ms: int) -> Appeal:
        if is_id(ban_id, "ban"):  # two clicks at once take turns
            tx.execute(select(ban.c.id).where(ban.c.id == ban_id).with_for_update())
        found = bans.get(tx, ban_id)
        if found.user_id != actor.id:
            raise NotFound("There is no such ban.", code="ban_not_found")
        if not found.stands:
            raise Conflict("This ban is over already.", code="ban_over")
        if _against(tx, ban_id) is not None:
            raise Conflict("You have appealed against this ban already.", code="appealed")
        appeal_id = new_id(PREFIX)
        tx.execute(
            insert(appeal).values(
                id=appeal_id,
                ban_id=ban_id,
                user_id=actor.id,
                text=text,
                state="open",
                answer="",
                created_at_ms=now_ms,
            )
        )
        title = f"{actor.username} appeals against a ban"
        path = f"/admin/reports/appeals/{appeal_id}"
        tell_admins(tx, self._letterhead, title, text, path, now_ms)
        return get(tx, appeal_id)

    def _decide(
        self,
        tx: Transaction,
        actor: Actor,
        appeal_id: str,
        is_accepted: bool,
        answer: str,
        now_ms: int,
    ) -> Appeal:
        if is_id(appeal_id, PREFIX):
            tx.execute(select(appeal.c.id).where(appeal.c.id == appeal_id).with_for_update())
        found = get(tx, appeal_id)
        if found.state != "open":
            raise Conflict("This appeal is decided already.", code="already_decided")
        state: State = "accepted" if is_accepted else "refused"
        tx.execute(
            update(appeal)
            .where(appeal.c.id == appeal_id)
            .values(state=state, answer=answer, decided_at_ms=now_ms, decided_by_id=actor.id)
        )
        user_id = found.ban.user_id
        if not is_accepted:
            letters.appeal_refused(tx, self._letterhead, user_id, answer, now_ms)
        else:
            letters.appeal_accepted(tx, self._letterhead, user_id, answer, now_ms)
            if found.ban.stands:
                bans.lift_silently(tx, actor, found.ban.id, now_ms)
        target = Target("appeal", appeal_id, found.username)
        audit.append(tx, actor, f"appeal.{state}", target, now_ms, {"ban": found.ban.id})
        return get(tx, appeal_id)


def get(tx: Transaction, appeal_id: str) -> Appeal:
    """Raises `NotFound`."""
    if is_id(appeal_id, PREFIX):
        row = tx.execute(_select().where(appeal.c.id == appeal_id)).first()
        if row is not None:
            return _to_appeal(tx, row)
    raise NotFound("There is no such appeal.", code="appeal_not_found")


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """What somebody has written, for their copy of their data."""
    rows = tx.execute(
        select(appeal).where(appeal.c.user_id == user_id).order_by(appeal.c.created_at_ms)
    )
    return [
        {
            "text": row.text,
            "state": row.state,
            "answer": row.answer,
            "created_at_ms": row.created_at_ms,
        }
        for row in rows
    ]


def _against(tx: Transaction, ban_id: str) -> Appeal | None:
    row = tx.execute(_select().where(appeal.c.ban_id == ban_id)).first()
    return None if row is None else _to_appeal(tx, row)


def _page(tx: Transaction, state: State | None, after: str | None) -> list[Appeal]:
    query = _select() if state is None else _select().where(appeal.c.state == state)
    rows = rows_behind(
        tx,
        query,
        appeal.c.created_at_ms,
        after,
        limits.APPEALS_LISTED_MAX,
        is_oldest_first=state == "open",
    )
    return [_to_appeal(tx, row) for row in rows]


def count_open(tx: Transaction) -> int:
    """How many wait for an admin."""
    count = select(func.count()).select_from(appeal).where(appeal.c.state == "open")
    return int(tx.execute(count).scalar_one())


def _select() -> Any:
    return select(appeal, user_account.c.username).join(
        user_account, user_account.c.id == appeal.c.user_id
    )


def _to_appeal(tx: Transaction, row: Row[Any]) -> Appeal:
    return Appeal(
        row.id,
        bans.get(tx, row.ban_id),
        row.username,
        row.text,
        row.state,
        row.answer,
        row.created_at_ms,
        row.decided_at_ms,
    )
