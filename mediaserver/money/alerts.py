"""Alerts: how a contribution is put before people, in the chat and on the streamer's overlay.

    none      a line in the chat alone: too little for an alert, or alerts are off
    held      neither line nor alert, until a moderator approves or denies; the money has moved
    waiting   for an overlay; one that was closed shows it when it opens
    shown     an overlay has begun to show it; `skipped`, `denied`: none ever will

`present` runs in the transaction of the money; what became of it is told after the commit. The
state stands in `contribution`; the rest of it in `alert`, which this module owns with `tip_scale`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Row, insert, select, update

from mediaserver.accounts.users import User, find_by_id
from mediaserver.channels.channels import Channel
from mediaserver.chat import log
from mediaserver.chat.line_text import has_link
from mediaserver.chat.log import NewEvent
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import flag, int64, table, text
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.moderation import ranks, restrictions, words
from mediaserver.moderation import rules as chat_rules
from mediaserver.money import (
    alert_looks,
    contributions,  # it calls `present`: used in functions only
    goals,
    tip_lines,
)
from mediaserver.money.currencies import money
from mediaserver.money.tip_lines import KeptLine

if TYPE_CHECKING:
    from mediaserver.money.contributions import Alert, Contribution

alert = table(
    "alert",
    text("contribution_id", ForeignKey("contribution.id", ondelete="CASCADE"), primary_key=True),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE")),
    text("line_id", nullable=True),
    flag("hides_message"),
    int64("turn"),
    int64("queued_at_ms", nullable=True),
    int64("shown_at_ms", nullable=True),
    int64("kept_until_ms", nullable=True),
    text("decided_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    int64("decided_at_ms", nullable=True),
    CheckConstraint("hides_message IN (0, 1)", name="hides_message"),
)
Index(None, alert.c.channel_id, alert.c.queued_at_ms)
Index("ix_alert_kept", alert.c.channel_id, alert.c.kept_until_ms)


@dataclass(frozen=True, slots=True)
class Showing:
    """An alert as an overlay shows it. `turn` counts replays; `goal` is what {goal} stands for."""

    id: str
    turn: int
    kind: str
    name: str
    amount_minor: int
    currency: str
    amount: str
    message: str
    goal: str
    line_id: str | None
    gap_ms: int
    look: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlertReady:
    """Overlays may show it now; also one that is just a test."""

    channel_id: str
    channel_slug: str
    showing: Showing


@dataclass(frozen=True, slots=True)
class AlertTaken:
    """Overlays must not show it any longer; without an id: whatever they show right now."""

    channel_id: str
    channel_slug: str
    contribution_id: str | None


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """What becomes of a contribution's alert is different now; `is_new`: it was just paid."""

    channel_id: str
    channel_slug: str
    given: Contribution
    is_new: bool = False


def present(tx: Transaction, found: Channel, paid: Contribution, now_ms: int) -> Contribution:
    """Show what was just paid, or hold it until somebody approves; it, as it is then."""
    rules = alert_looks.rules_of(tx, found.id)
    wants_alert = _wants_alert(rules, paid)
    is_held = (wants_alert and rules.approves_first) or _is_doubtful(tx, found, paid, now_ms)
    tx.execute(
        insert(alert).values(
            contribution_id=paid.id,
            channel_id=found.id,
            turn=0,
            queued_at_ms=now_ms if wants_alert and not is_held else None,
        )
    )
    if is_held:
        changed = _set_state(tx, paid, "held")
    else:
        line_id = _write_line(tx, found, paid, paid.message, now_ms)
        changed = _set_state(tx, paid, "waiting" if wants_alert else "none")
        if wants_alert:
            tx.emit(
                AlertReady(found.id, found.slug, _showing(tx, paid, rules, paid.message, line_id))
            )
    tx.emit(AlertChanged(found.id, found.slug, changed, is_new=True))
    return changed


def approve(
    tx: Transaction, found: Channel, actor: User, alert_id: str, now_ms: int, *, message: bool
) -> Contribution:
    """Write the line and show the alert of one that is held; without `message`, both are silent
    about what its giver wrote. Raises `NotFound` or `Conflict`, also when the money was taken back.
    """
    given, _ = _locked(tx, found, alert_id)
    _check_held(given)
    _check_kept(given)
    rules = alert_looks.rules_of(tx, found.id)
    wants_alert = _wants_alert(rules, given)
    said = given.message if message else ""
    line_id = _write_line(tx, found, given, said, now_ms)
    _decide(
        tx,
        given,
        actor,
        now_ms,
        hides_message=int(not message),
        queued_at_ms=now_ms if wants_alert else None,
    )
    if wants_alert:
        tx.emit(AlertReady(found.id, found.slug, _showing(tx, given, rules, said, line_id)))
    return _told(tx, found, _set_state(tx, given, "waiting" if wants_alert else "none"))


def deny(tx: Transaction, found: Channel, actor: User, alert_id: str, now_ms: int) -> Contribution:
    """Neither line nor alert for one that is held. Raises `NotFound` or `Conflict`."""
    given, _ = _locked(tx, found, alert_id)
    _check_held(given)
    _decide(tx, given, actor, now_ms)
    return _told(tx, found, _set_state(tx, given, "denied"))


def skip(tx: Transaction, found: Channel, alert_id: str) -> Contribution:
    """Take it off the overlay, whether it is shown or still waits. Raises `NotFound` or
    `Conflict`.
    """
    given, _ = _locked(tx, found, alert_id)
    if given.alert not in ("waiting", "shown"):
        raise Conflict("There is nothing to skip.", code="not_waiting")
    tx.emit(AlertTaken(found.id, found.slug, given.id))
    if given.alert == "shown":
        return given
    return _told(tx, found, _set_state(tx, given, "skipped"))


def replay(tx: Transaction, found: Channel, alert_id: str, now_ms: int) -> Contribution:
    """Show it once more, or after all. Raises `NotFound`, or `Conflict` for one that is held or was
    denied: those are approved first, or not at all.
    """
    given, row = _locked(tx, found, alert_id)
    if given.alert in ("held", "denied"):
        raise Conflict("This one isn't approved.", code="not_approved")
    _check_kept(given)
    tx.execute(
        update(alert)
        .where(alert.c.contribution_id == given.id)
        .values(turn=row.turn + 1, queued_at_ms=now_ms)
    )
    rules = alert_looks.rules_of(tx, found.id)
    message = _messages(tx, found.id, [(given, row)])[given.id]
    showing = _showing(tx, given, rules, message, row.line_id, row.turn + 1)
    tx.emit(AlertReady(found.id, found.slug, showing))
    return _told(tx, found, _set_state(tx, given, "waiting"))


def mark_shown(tx: Transaction, found: Channel, alert_id: str, turn: int, now_ms: int) -> bool:
    """An overlay begins to show it; False when that was known, or it isn't to be shown. Raises
    `NotFound`, also for one of another channel.
    """
    given, row = _locked(tx, found, alert_id)
    if given.alert != "waiting" or row.turn != turn:
        return False
    tx.execute(update(alert).where(alert.c.contribution_id == given.id).values(shown_at_ms=now_ms))
    _told(tx, found, _set_state(tx, given, "shown"))
    return True


def waiting(tx: Transaction, channel_id: str, now_ms: int) -> list[Showing]:
    """What an overlay that opens now has to show, oldest first: nothing older than a day, nothing
    that was taken back.
    """
    given = contributions.contribution
    rows = tx.execute(
        _joined()
        .where(
            alert.c.channel_id == channel_id,
            alert.c.queued_at_ms >= now_ms - limits.ALERT_WAITS_MS,
            given.c.alert == "waiting",
            given.c.taken_back_minor < given.c.amount_minor,
        )
        .order_by(alert.c.queued_at_ms, given.c.paid_at_ms, given.c.id)
        .limit(limits.ALERTS_WAITING_MAX)
    ).all()
    found = [(contributions.to_contribution(row), row) for row in rows]
    if not found:
        return []
    messages = _messages(tx, channel_id, found)
    rules, looks = alert_looks.rules_of(tx, channel_id), alert_looks.looks_of(tx, channel_id)
    goal = goal_text(tx, channel_id)
    return [
        showing_of(one, rules, looks, messages[one.id], goal, row.line_id, row.turn)
        for one, row in found
    ]


def kept(tx: Transaction, channel_id: str, now_ms: int) -> list[KeptLine]:
    """Lines that stay on top of the chat for now, newest first; none that was removed."""
    rows = tx.execute(
        _joined()
        .where(alert.c.channel_id == channel_id, alert.c.kept_until_ms > now_ms)
        .order_by(alert.c.kept_until_ms.desc(), alert.c.contribution_id)
        .limit(limits.TIPS_KEPT_MAX)
    ).all()
    room = log.room_of(tx, channel_id)
    lines = log.find_lines(tx, room, [row.line_id for row in rows])
    smallest = tip_lines.smallest_of(tx, channel_id, rows[0].currency) if rows else 1
    return [
        KeptLine(row.line_id, line.text, tip_lines.tip_of(one, smallest, row.kept_until_ms))
        for one, row in ((contributions.to_contribution(row), row) for row in rows)
        if (line := lines.get(row.line_id)) is not None and not line.is_removed
    ]


def showing_of(
    given: Contribution,
    rules: alert_looks.Rules,
    looks: list[alert_looks.Look],
    message: str,
    goal: str,
    line_id: str | None = None,
    turn: int = 0,
) -> Showing:
    """How an overlay shows a contribution."""
    return Showing(
        id=given.id,
        turn=turn,
        kind=given.kind,
        name=given.public_name,
        amount_minor=given.amount_minor,
        currency=given.currency,
        amount=money(given.amount_minor, given.currency),
        message=message,
        goal=goal,
        line_id=line_id,
        gap_ms=rules.gap_ms,
        look=alert_looks.look_for(looks, given.amount_minor).as_json(),
    )


def goal_text(tx: Transaction, channel_id: str) -> str:
    """What {goal} stands for; empty without one."""
    goal = goals.find(tx, channel_id)
    return "" if goal is None else goal.sentence


def _wants_alert(rules: alert_looks.Rules, given: Contribution) -> bool:
    return rules.is_on and given.amount_minor >= rules.amount_minor_min


def _is_doubtful(tx: Transaction, found: Channel, paid: Contribution, now_ms: int) -> bool:
    """Whether name or message hold what the chat wouldn't take, or their giver may not write."""
    said = [paid.message] if paid.is_anonymous else [paid.message, paid.sender_name]
    blocked = words.folded_words(tx, [found.id]).get(found.id, [])
    if any(words.contains_any(one, blocked) for one in said):
        return True
    if chat_rules.get(tx, found.id).links == "moderators" and any(map(has_link, said)):
        return True
    if paid.sender_id is None:
        return False
    return restrictions.find(tx, found.id, paid.sender_id, now_ms) is not None


def _write_line(
    tx: Transaction, found: Channel, given: Contribution, message: str, now_ms: int
) -> str:
    """The line in the chat. An anonymous giver isn't in it, not even for moderators."""
    room = log.lock_room(tx, found)
    sender = None
    if given.sender_id is not None and not given.is_anonymous:
        sender = find_by_id(tx, given.sender_id)
    smallest = tip_lines.smallest_of(tx, found.id, given.currency)
    _, kept_ms = tip_lines.tier_of(given.amount_minor, smallest)
    line_id = new_id(log.LINE_PREFIX)
    role = None
    if sender is not None:
        role = ranks.role_of(ranks.rank_of(tx, sender, found), sender.id, found)
    event = NewEvent(
        "notice",
        line_id,
        None if sender is None else sender.id,
        role,
        message,
        data={"tip": asdict(tip_lines.tip_of(given, smallest, now_ms + kept_ms))},
    )
    log.append(tx, found, room, [event], now_ms)
    tx.execute(
        update(alert)
        .where(alert.c.contribution_id == given.id)
        .values(line_id=line_id, kept_until_ms=now_ms + kept_ms if kept_ms else None)
    )
    return line_id


def _showing(
    tx: Transaction,
    given: Contribution,
    rules: alert_looks.Rules,
    message: str,
    line_id: str | None,
    turn: int = 0,
) -> Showing:
    assert given.channel_id is not None
    looks = alert_looks.looks_of(tx, given.channel_id)
    goal = goal_text(tx, given.channel_id)
    return showing_of(given, rules, looks, message, goal, line_id, turn)


def _messages(
    tx: Transaction, channel_id: str, found: Sequence[tuple[Contribution, Row[Any]]]
) -> dict[str, str]:
    """Id → message as it may be shown: not one that was approved without it, or whose line a
    moderator removed.
    """
    room = log.room_of(tx, channel_id)
    lines = log.find_lines(tx, room, [row.line_id for _, row in found if row.line_id])
    shown = {line.id for line in lines.values() if not line.is_removed}
    return {
        given.id: given.message if row.line_id in shown and not row.hides_message else ""
        for given, row in found
    }


def _joined() -> Any:
    given = contributions.contribution
    return select(
        given, alert.c.line_id, alert.c.hides_message, alert.c.turn, alert.c.kept_until_ms
    ).join(alert, alert.c.contribution_id == given.c.id)


def _locked(tx: Transaction, found: Channel, alert_id: str) -> tuple[Contribution, Row[Any]]:
    """A contribution of this channel that was presented, and its row of `alert`."""
    given = contributions.get(tx, alert_id, locks=True)
    row = tx.execute(select(alert).where(alert.c.contribution_id == given.id)).first()
    if row is None or given.channel_id != found.id:
        raise NotFound("There is no such contribution.", code="contribution_not_found")
    return given, row


def _check_held(given: Contribution) -> None:
    if given.alert != "held":
        raise Conflict("Somebody has decided on this one.", code="not_held")


def _check_kept(given: Contribution) -> None:
    if given.taken_back_minor >= given.amount_minor:
        raise Conflict("This money was taken back.", code="taken_back")


def _decide(tx: Transaction, given: Contribution, actor: User, now_ms: int, **values: Any) -> None:
    tx.execute(
        update(alert)
        .where(alert.c.contribution_id == given.id)
        .values(decided_by_id=actor.id, decided_at_ms=now_ms, **values)
    )


def _set_state(tx: Transaction, given: Contribution, state: Alert) -> Contribution:
    table = contributions.contribution
    row = tx.execute(
        update(table).where(table.c.id == given.id).values(alert=state).returning(*table.c)
    ).one()
    return contributions.to_contribution(row)


def _told(tx: Transaction, found: Channel, changed: Contribution) -> Contribution:
    tx.emit(AlertChanged(found.id, found.slug, changed))
    return changed
