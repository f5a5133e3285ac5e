"""Deliveries: what each webhook was told, or is still to be told, and how that went.

    waiting ── taken (2xx) ──▶ taken
        └───── tried too often, or the webhook was turned off ──▶ failed

Each attempt is one job (kernel/jobs.py). Owns the table `webhook_delivery`; sender.py sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import structlog
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.jobs import enqueue
from mediaserver.kernel.mail import Letterhead
from mediaserver.notifications.notices import Topic, tell, tell_admins
from mediaserver.webhooks import webhooks
from mediaserver.webhooks.envelopes import ChannelRef, Data, EventType, render
from mediaserver.webhooks.webhooks import OffReason, Webhook

_log = structlog.get_logger(__name__)

webhook_delivery = table(
    "webhook_delivery",
    identifier(),
    text("webhook_id", ForeignKey("webhook.id", ondelete="CASCADE")),
    text("event_id", index=True),
    text("event"),
    text("body"),
    text("state"),
    int64("attempts"),
    int64("status", nullable=True),
    text("last_error", nullable=True),
    text("response_excerpt", nullable=True),
    int64("next_at_ms", nullable=True),
    int64("created_at_ms", index=True),
    int64("ended_at_ms", nullable=True),
    CheckConstraint("state IN ('waiting', 'taken', 'failed')", name="state"),
    CheckConstraint("(state = 'waiting') = (ended_at_ms IS NULL)", name="ended"),
    CheckConstraint("(state = 'waiting') = (next_at_ms IS NOT NULL)", name="next"),
)
Index(None, webhook_delivery.c.webhook_id, webhook_delivery.c.created_at_ms, webhook_delivery.c.id)

JOB = "webhook"
GONE = 410
_ID, _EVENT_ID = "dlv", "evt"
_TURNED_OFF = "The webhook was turned off."

State = Literal["waiting", "taken", "failed"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook. `status` and `response_excerpt` are of the last answer, and
    `last_error` says in a sentence why it wasn't taken. `next_at_ms`: when it is tried next.
    """

    id: str
    webhook_id: str
    event_id: str
    event: EventType
    body: str
    state: State
    attempts: int
    status: int | None
    last_error: str | None
    response_excerpt: str | None
    next_at_ms: int | None
    created_at_ms: int
    ended_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went: an answer with its beginning, or an error; and how long it took."""

    status: int | None = None
    answer: str | None = None
    error: str | None = None
    took_ms: int = 0

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def reason(self) -> str | None:
        """Why it wasn't taken, as a sentence."""
        if self.is_taken or self.error is not None:
            return None if self.is_taken else self.error
        if self.status == GONE:
            return "The other site says that this address is gone for good (410)."
        if self.status is not None and 300 <= self.status < 400:
            return f"The other site redirects ({self.status}), which isn't followed."
        return f"The other site answered with status {self.status}."


def new_event_id() -> str:
    return new_id(_EVENT_ID)


def event_id_of(document_id: str) -> str:
    """The event of a document, such as a payment: always the same."""
    return f"{_EVENT_ID}_{document_id.partition('_')[2]}"


def announce(
    tx: Transaction,
    letterhead: Letterhead,
    event_id: str,
    event: EventType,
    channel: Channel | None,
    data: Data,
    at_ms: int,
    now_ms: int,
) -> int:
    """Have everybody told who wants to know; how many those are. Twice is as good as once."""
    told = select(webhook_delivery.c.id).where(webhook_delivery.c.event_id == event_id).limit(1)
    if tx.execute(told).first() is not None:
        return 0
    ready = [
        one
        for one in webhooks.wanting(tx, event, channel.id if channel else None)
        if _has_room(tx, one)
    ]
    if ready:
        body = render(event_id, event, at_ms, _ref(letterhead, channel), data)
        for one in ready:
            add(tx, one.id, event_id, event, body, now_ms)
    return len(ready)


def send_one(
    tx: Transaction,
    letterhead: Letterhead,
    found: Webhook,
    event: EventType,
    data: Data,
    at_ms: int,
) -> Delivery:
    """Have one webhook told now, whatever it wants to know."""
    channel = channels.get_by_id(tx, found.channel_id) if found.channel_id else None
    event_id = new_event_id()
    body = render(event_id, event, at_ms, _ref(letterhead, channel), data)
    return add(tx, found.id, event_id, event, body, at_ms, is_by_hand=True)


def add(
    tx: Transaction,
    webhook_id: str,
    event_id: str,
    event: EventType,
    body: str,
    now_ms: int,
    *,
    is_by_hand: bool = False,
) -> Delivery:
    """A new delivery, and the job of its first attempt: with `is_by_hand` also while it rests."""
    made = Delivery(
        new_id(_ID),
        webhook_id,
        event_id,
        event,
        body,
        "waiting",
        attempts=0,
        status=None,
        last_error=None,
        response_excerpt=None,
        next_at_ms=now_ms,
        created_at_ms=now_ms,
        ended_at_ms=None,
    )
    tx.execute(
        insert(webhook_delivery).values(
            id=made.id,
            webhook_id=webhook_id,
            event_id=event_id,
            event=event,
            body=body,
            state=made.state,
            attempts=0,
            next_at_ms=now_ms,
            created_at_ms=now_ms,
        )
    )
    _enqueue(tx, made.id, 1, now_ms, is_by_hand=is_by_hand)
    return made


def get(tx: Transaction, webhook_id: str, delivery_id: str) -> Delivery:
    """Raises `NotFound`."""
    found = find(tx, delivery_id) if is_id(delivery_id, _ID) else None
    if found is None or found.webhook_id != webhook_id:
        raise NotFound("There is no such delivery.", code="delivery_not_found")
    return found


def find(tx: Transaction, delivery_id: str, *, locking: bool = False) -> Delivery | None:
    query = select(webhook_delivery).where(webhook_delivery.c.id == delivery_id)
    row = tx.execute(query.with_for_update() if locking else query).first()
    return None if row is None else _to_delivery(row)


def page(tx: Transaction, webhook_id: str, after: str | None) -> list[Delivery]:
    """Newest first, behind the one with the id `after`."""
    log = webhook_delivery.c
    query = select(webhook_delivery).where(log.webhook_id == webhook_id)
    most = limits.WEBHOOK_DELIVERIES_LISTED_MAX
    rows = rows_behind(tx, query, log.created_at_ms, after, most)
    return [_to_delivery(row) for row in rows]


def record(
    tx: Transaction, letterhead: Letterhead, tried: Delivery, outcome: Outcome, now_ms: int
) -> None:
    """Write down how an attempt went, and what follows from it. Twice is as good as once."""
    hook = webhooks.find(tx, tried.webhook_id, locking=True)
    current = find(tx, tried.id, locking=True)
    if hook is None or current is None or current.state != "waiting":
        return
    if current.attempts != tried.attempts:
        return  # this attempt was written down already
    attempts = tried.attempts + 1
    is_last = attempts > len(limits.WEBHOOK_PAUSES_MS)
    pause_ms = 0 if is_last else limits.WEBHOOK_PAUSES_MS[attempts - 1]
    state: State = "taken" if outcome.is_taken else "failed" if is_last else "waiting"
    tx.execute(
        update(webhook_delivery)
        .where(webhook_delivery.c.id == tried.id)
        .values(
            state=state,
            attempts=attempts,
            status=outcome.status,
            last_error=outcome.reason,
            response_excerpt=outcome.answer,
            next_at_ms=now_ms + pause_ms if state == "waiting" else None,
            ended_at_ms=None if state == "waiting" else now_ms,
        )
    )
    failing_since_ms = None if outcome.is_taken else hook.failing_since_ms or now_ms
    rest_ms = _rest_ms(outcome, failing_since_ms, now_ms)
    rests_until_ms = now_ms + rest_ms if rest_ms else None
    webhooks.set_standing(tx, hook.id, failing_since_ms, rests_until_ms)
    if failing_since_ms is None:
        return
    if outcome.status == GONE:
        _turn_off(tx, letterhead, hook, "gone", now_ms)
    elif is_last and now_ms - failing_since_ms >= limits.WEBHOOK_FAILING_MS_MAX:
        _turn_off(tx, letterhead, hook, "failing", now_ms)
    elif state == "waiting":
        _enqueue(tx, tried.id, attempts + 1, now_ms, pause_ms)


def postpone(tx: Transaction, delivery_id: str, until_ms: int) -> None:
    """Its webhook rests: the next attempt is made then."""
    log = webhook_delivery.c
    tx.execute(
        update(webhook_delivery)
        .where(log.id == delivery_id, log.state == "waiting")
        .values(next_at_ms=until_ms)
    )


def drop_waiting(tx: Transaction, webhook_id: str, now_ms: int) -> None:
    """Nothing of it is tried any more: it is off."""
    tx.execute(
        update(webhook_delivery)
        .where(webhook_delivery.c.webhook_id == webhook_id, webhook_delivery.c.state == "waiting")
        .values(state="failed", last_error=_TURNED_OFF, next_at_ms=None, ended_at_ms=now_ms)
    )


def delete_old(tx: Transaction, now_ms: int) -> None:
    """Forget what is older than two weeks."""
    before_ms = now_ms - limits.WEBHOOK_DELIVERY_KEEP_MS
    tx.execute(delete(webhook_delivery).where(webhook_delivery.c.created_at_ms < before_ms))


def with_surplus(tx: Transaction) -> list[str]:
    """Webhooks of which more than the newest thousand are kept."""
    log = webhook_delivery.c
    counted = select(log.webhook_id).group_by(log.webhook_id)
    surplus = counted.having(func.count() > limits.WEBHOOK_DELIVERIES_KEPT_MAX)
    return list(tx.execute(surplus).scalars())


def delete_surplus(tx: Transaction, webhook_id: str) -> None:
    """Forget all but the newest thousand of one webhook."""
    log = webhook_delivery.c
    last = tx.execute(
        select(log.created_at_ms, log.id)
        .where(log.webhook_id == webhook_id)
        .order_by(log.created_at_ms.desc(), log.id.desc())
        .offset(limits.WEBHOOK_DELIVERIES_KEPT_MAX)
        .limit(1)
    ).first()
    if last is not None:
        tx.execute(
            delete(webhook_delivery).where(
                log.webhook_id == webhook_id,
                log.state != "waiting",
                tuple_(log.created_at_ms, log.id) <= tuple_(*last),
            )
        )


def _turn_off(
    tx: Transaction, letterhead: Letterhead, hook: Webhook, reason: OffReason, now_ms: int
) -> None:
    """And tell the channel's owner, or the admins where it is the site's."""
    webhooks.turn_off(tx, hook, reason)
    drop_waiting(tx, hook.id, now_ms)
    why = (
        "It said that this address is gone for good."
        if reason == "gone"
        else "It has taken nothing for five days."
    )
    title = "A webhook was turned off"
    body = f"{hook.url} is told nothing any more. {why} You can turn it on again."
    if hook.channel_id is None:
        tell_admins(tx, letterhead, title, body, f"/admin/webhooks/{hook.id}", now_ms)
        return
    channel = channels.get_by_id(tx, hook.channel_id)
    path = f"/studio/{channel.slug}/webhooks/{hook.id}"
    tell(tx, letterhead, channel.owner_id, Topic.WEBHOOKS, title, body, path, now_ms)


def _has_room(tx: Transaction, hook: Webhook) -> bool:
    waiting = tx.execute(
        select(func.count())
        .select_from(webhook_delivery)
        .where(webhook_delivery.c.webhook_id == hook.id, webhook_delivery.c.state == "waiting")
    ).scalar_one()
    if waiting >= limits.WEBHOOK_WAITING_MAX:
        _log.warning("a webhook isn't told: too much waits for it", webhook=hook.id)
    return bool(waiting < limits.WEBHOOK_WAITING_MAX)


def _rest_ms(outcome: Outcome, failing_since_ms: int | None, now_ms: int) -> int:
    """How long to leave a webhook alone, so that it doesn't keep places from others."""
    is_slow = outcome.took_ms > limits.WEBHOOK_SLOW_MS
    slow_ms = outcome.took_ms * limits.WEBHOOK_SLOW_RESTS if is_slow else 0
    if failing_since_ms is None:
        return slow_ms
    failing_ms = max(now_ms - failing_since_ms, limits.WEBHOOK_REST_MS_MIN)
    return max(slow_ms, min(failing_ms, limits.WEBHOOK_REST_MS_MAX))


def _enqueue(
    tx: Transaction,
    delivery_id: str,
    attempt: int,
    now_ms: int,
    delay_ms: int = 0,
    *,
    is_by_hand: bool = False,
) -> None:
    payload = {"delivery_id": delivery_id, "is_by_hand": is_by_hand}
    key = f"{JOB}/{delivery_id}/{attempt}"
    enqueue(tx, JOB, payload, now_ms, key=key, delay_ms=delay_ms)


def _ref(letterhead: Letterhead, channel: Channel | None) -> ChannelRef | None:
    if channel is None:
        return None
    return ChannelRef(slug=channel.slug, name=channel.name, url=f"{letterhead.url}/@{channel.slug}")


def _to_delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.id,
        row.webhook_id,
        row.event_id,
        EventType(row.event),
        row.body,
        row.state,
        row.attempts,
        row.status,
        row.last_error,
        row.response_excerpt,
        row.next_at_ms,
        row.created_at_ms,
        row.ended_at_ms,
    )
