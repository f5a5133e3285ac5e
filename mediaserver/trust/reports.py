"""Reports: somebody says that something breaks the rules, with evidence of that moment.

    new → assigned (an admin is on it) → decided

Owns the table `report`; what admins do with it is in trust/cases.py. Called by routes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sqlalchemy import CheckConstraint, ForeignKey, Index, Row, func, insert, select, update

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User, user_account
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import (
    Conflict,
    Invalid,
    MediaserverError,
    NotFound,
    Unavailable,
)
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.images import ImageFolder
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_paragraphs
from mediaserver.notifications.notices import tell_admins
from mediaserver.trust import evidence, targets
from mediaserver.trust.evidence import LiveStatus
from mediaserver.trust.reasons import Reason, checked_reason
from mediaserver.trust.targets import Kind, Target, checked_kind

report = table(
    "report",
    identifier(),
    text("reporter_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    text("kind"),
    text("target_id"),
    text("target"),
    text("channel_id", ForeignKey("channel.id", ondelete="SET NULL"), nullable=True),
    text("owner_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    text("reason"),
    text("text"),
    text("state"),
    text("assignee_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    text("outcome", nullable=True),
    text("outcome_text"),
    int64("created_at_ms"),
    int64("decided_at_ms", nullable=True),
    text("decided_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    CheckConstraint("state IN ('new', 'assigned', 'decided')", name="state"),
    CheckConstraint("(state = 'decided') = (outcome IS NOT NULL)", name="decided"),
    CheckConstraint("(state = 'decided') = (decided_at_ms IS NOT NULL)", name="decided_at"),
)
Index(None, report.c.state, report.c.created_at_ms, report.c.id)
Index(None, report.c.created_at_ms, report.c.id)
Index(None, report.c.reporter_id, report.c.created_at_ms, report.c.id)
Index(None, report.c.owner_id, report.c.created_at_ms, report.c.id)

PREFIX = "rpt"
_RULE = Rule("report-user", limits.REPORTS_BURST, limits.REPORTS_INTERVAL_MS)

State = Literal["new", "assigned", "decided"]


@dataclass(frozen=True, slots=True)
class Report:
    """One report. `target` says what it was about in words; people are user names, None when the
    account is gone.
    """

    id: str
    kind: Kind
    target_id: str
    target: str
    reason: Reason
    text: str
    state: State
    outcome: str | None
    outcome_text: str
    created_at_ms: int
    decided_at_ms: int | None
    reporter_id: str | None
    reporter: str | None
    owner_id: str | None
    owner: str | None
    assignee_id: str | None
    assignee: str | None
    channel_id: str | None


class Live(Protocol):
    """The engine's registry, as far as evidence needs it."""

    def status(self, channel: str) -> LiveStatus | None: ...


@dataclass(frozen=True, slots=True)
class Reported:
    """There is a new report in the queue. `target` is what people call the thing."""

    report_id: str
    kind: str
    target: str
    channel_id: str | None
    reason: str


class Avatars(Protocol):
    """accounts/avatars.py, as far as evidence needs it."""

    async def read(self, image_id: str) -> bytes: ...


class Reports:
    """What people report, and what they see of it. `thumbnail`: the newest picture of a live
    stream, as a JPEG, by the slug of its channel.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        throttles: Throttles,
        letterhead: Letterhead,
        live: Live,
        thumbnail: Callable[[str], bytes | None],
        avatars: Avatars,
        folder: ImageFolder,
    ) -> None:
        self._db = db
        self._clock = clock
        self._throttles = throttles
        self._letterhead = letterhead
        self._live = live
        self._thumbnail = thumbnail
        self._avatars = avatars
        self._folder = folder

    async def target(self, actor: User, kind: str, target_id: str) -> Target:
        """What is about to be reported. Raises `Forbidden`, `Invalid`, `NotFound` or `Conflict`
        (one's own).
        """
        check(actor, Action.REPORT)
        found = await self._db.read(targets.find, checked_kind(kind), target_id)
        _check_not_own(found, actor)
        return found

    async def make(self, actor: User, kind: str, target_id: str, reason: str, text: str) -> Report:
        """Report something, with how it is now. Within a day of reporting the same thing for the
        same reason it is the report that there is, unless that is decided. Raises what `target`
        raises, and `RateLimited`.
        """
        why = checked_reason(reason)
        words = checked_paragraphs(text, "text", limits.REPORT_TEXT_CHARS_MAX)
        if why is Reason.OTHER and not words:
            raise Invalid("Say in a few words what is wrong.", field="text")
        target = await self.target(actor, kind, target_id)
        await self._throttles.charge((_RULE, _RULE.key(actor.id)))
        report_id = new_id(PREFIX)
        has_picture = await self._keep_picture(report_id, target)
        try:
            made = await self._db.write(
                self._make, report_id, actor, target, why, words, has_picture
            )
        except MediaserverError as error:
            if not isinstance(error, Unavailable):  # after that one it may yet be committed
                await self._folder.remove(report_id)
            raise
        if made.id != report_id:
            await self._folder.remove(report_id)
        return made

    async def mine(self, user: User, *, after: str | None = None) -> list[Report]:
        """What somebody has reported, newest first, behind the one with the id `after`."""
        return await self._db.read(page_of, report.c.reporter_id == user.id, after)

    async def _keep_picture(self, report_id: str, target: Target) -> bool:
        picture = await self._picture(target)
        if picture is None:
            return False
        try:
            await self._folder.put(report_id, picture)
        except Unavailable:  # a full disk keeps nobody from reporting
            return False
        return True

    async def _picture(self, target: Target) -> bytes | None:
        """What of it there is to see now: the stream as a JPEG, or the avatar as a WebP."""
        if target.avatar is not None:
            with suppress(NotFound):  # changed just now
                return await self._avatars.read(target.avatar)
        status = self._status(target)
        if target.channel is None or status is None or not status.is_public:
            return None
        return self._thumbnail(target.channel.slug)

    def _status(self, target: Target) -> LiveStatus | None:
        """What the engine says of it; None unless it is on air."""
        if target.channel is None or not target.is_on_air:
            return None
        return self._live.status(target.channel.slug)

    def _make(
        self,
        tx: Transaction,
        report_id: str,
        actor: User,
        target: Target,
        reason: Reason,
        text: str,
        has_picture: bool,
    ) -> Report:
        now_ms = self._clock.wall_ms()
        # Locking the reporter makes two clicks at once one report.
        tx.execute(select(user_account.c.id).where(user_account.c.id == actor.id).with_for_update())
        if (known := _repeated(tx, actor.id, target, reason, now_ms)) is not None:
            return get(tx, known)
        waiting = count_new(tx)
        tx.execute(
            insert(report).values(
                id=report_id,
                reporter_id=actor.id,
                kind=target.kind,
                target_id=target.id,
                target=target.name,
                channel_id=None if target.channel is None else target.channel.id,
                owner_id=target.owner_id,
                reason=reason,
                text=text,
                state="new",
                outcome_text="",
                created_at_ms=now_ms,
            )
        )
        evidence.keep(tx, report_id, target, self._status(target), now_ms, has_picture=has_picture)
        if waiting == 0 or reason.is_urgent:  # else the queue shows it beside the others
            title = f"Reported: {target.name}"
            body = f"{actor.username} says: {reason.label}."
            path = f"/admin/reports/{report_id}"
            tell_admins(tx, self._letterhead, title, body, path, now_ms)
        channel_id = None if target.channel is None else target.channel.id
        tx.emit(Reported(report_id, target.kind, target.name, channel_id, reason))
        return get(tx, report_id)


def get(tx: Transaction, report_id: str) -> Report:
    """Raises `NotFound`."""
    if is_id(report_id, PREFIX):
        row = tx.execute(_select().where(report.c.id == report_id)).first()
        if row is not None:
            return _to_report(row)
    raise NotFound("There is no such report.", code="report_not_found")


def page_of(
    tx: Transaction,
    condition: Any,
    after: str | None,
    *,
    is_oldest_first: bool = False,
    most: int = limits.REPORTS_LISTED_MAX,
) -> list[Report]:
    """Reports that fit, newest first or the other way, behind the one with the id `after`."""
    query, moment = _select().where(condition), report.c.created_at_ms
    rows = rows_behind(tx, query, moment, after, most, is_oldest_first=is_oldest_first)
    return [_to_report(row) for row in rows]


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """What somebody has reported, for their copy of their data."""
    rows = tx.execute(
        _select().where(report.c.reporter_id == user_id).order_by(report.c.created_at_ms)
    )
    return [
        {
            "kind": row.kind,
            "about": row.target,
            "reason": row.reason,
            "text": row.text,
            "state": row.state,
            "answer": row.outcome_text,
            "created_at_ms": row.created_at_ms,
        }
        for row in rows
    ]


def erase(tx: Transaction, user_id: str, now_ms: int) -> None:
    """Somebody's account goes: what was reported of theirs loses their name, and its evidence as
    soon as it is decided.
    """
    decided = select(report.c.id).where(report.c.owner_id == user_id, report.c.state == "decided")
    evidence.delete_all_later(tx, decided, now_ms)
    tx.execute(
        update(report)
        .where(report.c.owner_id == user_id)
        .values(target="something of an account that is deleted")
    )


def _check_not_own(target: Target, actor: User) -> None:
    if target.owner_id == actor.id:
        raise Conflict("That is your own.", code="own")


def _repeated(
    tx: Transaction, reporter_id: str, target: Target, reason: Reason, now_ms: int
) -> str | None:
    """The same report by the same person, if it is from the last day and nobody has decided it."""
    return tx.execute(
        select(report.c.id)
        .where(
            report.c.reporter_id == reporter_id,
            report.c.created_at_ms > now_ms - limits.REPORT_REPEATED_MS,
            report.c.kind == target.kind,
            report.c.target_id == target.id,
            report.c.reason == reason,
            report.c.state != "decided",
        )
        .limit(1)
    ).scalar()


def count_new(tx: Transaction) -> int:
    """How many no admin has taken yet."""
    count = select(func.count()).select_from(report).where(report.c.state == "new")
    return int(tx.execute(count).scalar_one())


_reporter, _owner = user_account.alias("reporter"), user_account.alias("owner")
_assignee = user_account.alias("assignee")


def _select() -> Any:
    return (
        select(
            report,
            _reporter.c.username.label("reporter"),
            _owner.c.username.label("owner"),
            _assignee.c.username.label("assignee"),
        )
        .outerjoin(_reporter, _reporter.c.id == report.c.reporter_id)
        .outerjoin(_owner, _owner.c.id == report.c.owner_id)
        .outerjoin(_assignee, _assignee.c.id == report.c.assignee_id)
    )


def _to_report(row: Row[Any]) -> Report:
    return Report(
        id=row.id,
        kind=Kind(row.kind),
        target_id=row.target_id,
        target=row.target,
        reason=Reason(row.reason),
        text=row.text,
        state=row.state,
        outcome=row.outcome,
        outcome_text=row.outcome_text,
        created_at_ms=row.created_at_ms,
        decided_at_ms=row.decided_at_ms,
        reporter_id=row.reporter_id,
        reporter=row.reporter,
        owner_id=row.owner_id,
        owner=row.owner,
        assignee_id=row.assignee_id,
        assignee=row.assignee,
        channel_id=row.channel_id,
    )
