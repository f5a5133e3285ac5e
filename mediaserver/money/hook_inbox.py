"""The inbox of hooks: what gateways tell us, kept as it came, and what became of it.

A notification is stored before anybody acts on it, then its payment is checked (checks.py): at once
while the gateway waits, and again by a job when that didn't work. One that came before is counted.
Owns the table `gateway_notification`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ForeignKey, Index, Row, UniqueConstraint, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mediaserver.kernel import jobs, limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import MediaserverError, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.jobs import Payload
from mediaserver.money import payments
from mediaserver.money.checks import Checks
from mediaserver.money.gateways.gateway import Gateway, Hint, Notification
from mediaserver.money.gateways.gateways import Gateways

_log = structlog.get_logger(__name__)

JOB = "gateway-notification"

gateway_notification = table(
    "gateway_notification",
    identifier(),
    text("gateway"),
    text("event_ref"),
    text("kind"),
    text("payment_id", ForeignKey("payment.id", ondelete="SET NULL"), nullable=True),
    text("headers"),
    text("body"),
    int64("received_at_ms"),
    int64("processed_at_ms", nullable=True),
    text("error"),
    int64("attempts"),
    int64("repeats"),
    UniqueConstraint("gateway", "event_ref"),
)
Index(
    None,
    gateway_notification.c.payment_id,
    gateway_notification.c.received_at_ms,
    gateway_notification.c.id,
)
Index(None, gateway_notification.c.received_at_ms, gateway_notification.c.id)

_KEPT_HEADERS = frozenset({"content-type", "user-agent", "x-forwarded-for", "date"})
"""The others may hold keys and cookies."""

_UNKNOWN = "It is about no payment of ours."


@dataclass(frozen=True, slots=True)
class Received:
    """A notification as it was stored. `repeats`: how often it came again."""

    id: str
    gateway: str
    event_ref: str
    kind: str
    payment_id: str | None
    body: str
    received_at_ms: int
    processed_at_ms: int | None
    error: str
    attempts: int
    repeats: int


class HookInbox:
    """Takes notifications in."""

    def __init__(self, db: Database, clock: Clock, gateways: Gateways, checks: Checks) -> None:
        self._db = db
        self._clock = clock
        self._gateways = gateways
        self._checks = checks

    async def receive(self, gateway_name: str, notification: Notification) -> Received:
        """Keep it, and see to its payment. Raises `NotFound` for no such gateway, `Forbidden` for a
        wrong signature, `Invalid` for what can't be read; once stored, nothing.
        """
        gateway = self._gateways.get(gateway_name)
        try:
            hint = gateway.parse(notification)
        except MediaserverError as error:
            _log.warning("notification refused", gateway=gateway.name, reason=error.message)
            raise
        kept = await self._db.write(_keep, gateway, hint, notification, self._clock.wall_ms())
        if kept.payment_id is None:
            _log.warning(
                "notification of no payment", gateway=gateway.name, event_ref=hint.event_ref
            )
        elif kept.processed_at_ms is None and await self._checks.hurry(kept.payment_id):
            await self._db.write(_done, kept.id, self._clock.wall_ms())
        return kept

    async def process(self, payload: Payload) -> None:
        """The job behind `receive`: does what is still to do. Raises what the check does."""
        kept = await self._db.read(_get, payload["notification"])
        if kept is None or kept.processed_at_ms is not None or kept.payment_id is None:
            return
        try:
            await self._checks.run(kept.payment_id)
        except MediaserverError as error:
            await self._db.write(_failed, kept.id, error.message)
            raise
        await self._db.write(_done, kept.id, self._clock.wall_ms())

    async def of_payment(self, payment_id: str) -> list[Received]:
        """What came about a payment, newest first, at most `HOOKS_LISTED_MAX`."""
        return await self._db.read(_of_payment, payment_id)

    async def delete_old(self) -> None:
        await self._db.write(_delete_old, self._clock.wall_ms() - limits.HOOK_KEEP_MS)


def _keep(
    tx: Transaction, gateway: Gateway, hint: Hint, notification: Notification, now_ms: int
) -> Received:
    """The stored row: a new one with its job, or the earlier one, counted once more."""
    payment_id = _payment_of(tx, gateway.name, hint)
    values = {
        "id": new_id("ntf"),
        "gateway": gateway.name,
        "event_ref": hint.event_ref,
        "kind": hint.kind,
        "payment_id": payment_id,
        "headers": _kept_headers(notification),
        "body": _as_text(notification.body),
        "received_at_ms": now_ms,
        "processed_at_ms": now_ms if payment_id is None else None,
        "error": _UNKNOWN if payment_id is None else "",
        "attempts": 1,
        "repeats": 0,
    }
    insert_unless_known = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    key = [gateway_notification.c.gateway, gateway_notification.c.event_ref]
    made = tx.execute(
        insert_unless_known(gateway_notification)
        .values(values)
        .on_conflict_do_update(
            index_elements=key, set_={"repeats": gateway_notification.c.repeats + 1}
        )
        .returning(*gateway_notification.c)
    ).one()
    if made.id == values["id"] and payment_id is not None:
        payload = {"notification": made.id}
        jobs.enqueue(tx, JOB, payload, now_ms, delay_ms=limits.HOOK_RETRY_DELAY_MS)
    return _to_received(made)


def _payment_of(tx: Transaction, gateway: str, hint: Hint) -> str | None:
    """Which payment of this gateway it is about, if it is one of ours."""
    if hint.payment_id is not None:
        try:
            found = payments.get(tx, hint.payment_id)
        except NotFound:
            return None
        return found.id if found.gateway == gateway else None
    if hint.charge_ref:
        by_charge = payments.by_charge(tx, gateway, hint.charge_ref)
        return None if by_charge is None else by_charge.id
    return None


def _kept_headers(notification: Notification) -> str:
    kept = {
        name.lower(): value
        for name, value in notification.headers.items()
        if name.lower() in _KEPT_HEADERS
    }
    return json.dumps(kept)[: limits.HOOK_HEADERS_CHARS_MAX]


def _as_text(body: bytes) -> str:
    """For the record only: PostgreSQL takes no NUL, and no database what isn't UTF-8."""
    return body.decode(errors="backslashreplace").replace("\0", "\\x00")


def _get(tx: Transaction, notification_id: str) -> Received | None:
    query = select(gateway_notification).where(gateway_notification.c.id == notification_id)
    row = tx.execute(query).first()
    return None if row is None else _to_received(row)


def _of_payment(tx: Transaction, payment_id: str) -> list[Received]:
    rows = tx.execute(
        select(gateway_notification)
        .where(gateway_notification.c.payment_id == payment_id)
        .order_by(gateway_notification.c.received_at_ms.desc(), gateway_notification.c.id.desc())
        .limit(limits.HOOKS_LISTED_MAX)
    )
    return [_to_received(row) for row in rows]


def _done(tx: Transaction, notification_id: str, now_ms: int) -> None:
    tx.execute(
        update(gateway_notification)
        .where(gateway_notification.c.id == notification_id)
        .values(processed_at_ms=now_ms, error="")
    )


def _failed(tx: Transaction, notification_id: str, reason: str) -> None:
    tx.execute(
        update(gateway_notification)
        .where(gateway_notification.c.id == notification_id)
        .values(error=reason[:500], attempts=gateway_notification.c.attempts + 1)
    )


def _delete_old(tx: Transaction, before_ms: int) -> None:
    old = (
        select(gateway_notification.c.id)
        .where(gateway_notification.c.received_at_ms < before_ms)
        .limit(limits.HOOKS_DELETED_AT_ONCE)
    )
    tx.execute(
        delete(gateway_notification).where(gateway_notification.c.id.in_(old.scalar_subquery()))
    )


def _to_received(row: Row[Any]) -> Received:
    return Received(
        id=row.id,
        gateway=row.gateway,
        event_ref=row.event_ref,
        kind=row.kind,
        payment_id=row.payment_id,
        body=row.body,
        received_at_ms=row.received_at_ms,
        processed_at_ms=row.processed_at_ms,
        error=row.error,
        attempts=row.attempts,
        repeats=row.repeats,
    )
