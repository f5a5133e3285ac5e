"""Webhooks: addresses that are told what happens in one channel, or on the whole site.

A secret is shown once and kept sealed; the one before a new one counts for a day more. Owns the
table `webhook`. Called by the routes; the log of what was sent is in deliveries.py.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sqlalchemy import CheckConstraint, ForeignKey, Index, Row, delete, func, insert, select, update

from mediaserver.accounts.permissions import SITE, Action, check
from mediaserver.accounts.users import User
from mediaserver.channels import channels, oversight
from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction, values
from mediaserver.kernel.db.schema import flag, identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.vault import Vault
from mediaserver.webhooks import signature
from mediaserver.webhooks.envelopes import EventType, choices

webhook = table(
    "webhook",
    identifier(),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), nullable=True),
    text("owner_id", ForeignKey("user_account.id", ondelete="SET NULL"), index=True, nullable=True),
    text("url"),
    text("events"),
    text("secret"),
    text("old_secret", nullable=True),
    int64("old_secret_until_ms", nullable=True),
    flag("is_on", default=1),
    text("off_reason", nullable=True),
    int64("created_at_ms"),
    int64("failing_since_ms", nullable=True),
    int64("rests_until_ms", nullable=True),
    CheckConstraint("is_on IN (0, 1)", name="is_on"),
    CheckConstraint("off_reason IN ('asked', 'gone', 'failing')", name="off_reason"),
    CheckConstraint("(is_on = 0) = (off_reason IS NOT NULL)", name="off"),
    CheckConstraint("(old_secret IS NULL) = (old_secret_until_ms IS NULL)", name="old_secret"),
)
Index(None, webhook.c.channel_id, webhook.c.created_at_ms)

_ID = "whk"
_SITE_LOCK = "webhooks"

OffReason = Literal["asked", "gone", "failing"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address without its secret. Without a `channel_id` it is told of the whole site.

    `failing_since_ms`: nothing was taken since then. `rests_until_ms`: it is left alone as long,
    because it failed or was slow. `off_reason`: somebody asked for it, the other site said that it
    is gone for good, or it failed for too long.
    """

    id: str
    channel_id: str | None
    owner_id: str | None
    url: str
    events: tuple[EventType, ...]
    is_on: bool
    off_reason: OffReason | None
    created_at_ms: int
    failing_since_ms: int | None
    rests_until_ms: int | None


@dataclass(frozen=True, slots=True)
class WebhooksChanged:
    """Other events are wanted now in a channel, or, without one, of the site."""

    channel_id: str | None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who works on webhooks: on those of the channel `slug`, or, without one, on the site's."""

    user: User
    slug: str | None = None
    address: str | None = None


class Urls(Protocol):
    """What says which addresses are ever asked: kernel/outbound.py."""

    def checked_url(self, url: str, field: str) -> str: ...


class Webhooks:
    """Makes, lists, changes and removes them, for those who manage the channel or the site."""

    def __init__(self, db: Database, clock: Clock, vault: Vault, urls: Urls) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._urls = urls

    async def list(self, asker: Asker) -> list[Webhook]:
        """Oldest first. Raises `NotFound` or `Forbidden`."""
        return await self._db.read(_list, asker)

    async def get(self, asker: Asker, webhook_id: str) -> Webhook:
        """Raises `NotFound` or `Forbidden`."""
        return await self._db.read(get, asker, webhook_id)

    async def create(self, asker: Asker, url: str, events: Sequence[str]) -> tuple[Webhook, str]:
        """A webhook and its secret, which can't be had again.

        Raises `NotFound`, `Forbidden`, `Invalid` or `Conflict` (too many of them).
        """
        return await self._db.write(self._create, asker, url, events, self._clock.wall_ms())

    async def change(
        self,
        asker: Asker,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        is_on: bool | None = None,
    ) -> Webhook:
        """Change what is given. Raises `NotFound`, `Forbidden` or `Invalid`."""
        return await self._db.write(
            self._change, asker, webhook_id, url, events, is_on, self._clock.wall_ms()
        )

    async def rotate(self, asker: Asker, webhook_id: str) -> tuple[Webhook, str]:
        """A new secret; the old one counts besides for a day. Raises `NotFound` or `Forbidden`."""
        return await self._db.write(self._rotate, asker, webhook_id, self._clock.wall_ms())

    async def remove(self, asker: Asker, webhook_id: str) -> None:
        """With its log. Raises `NotFound` or `Forbidden`."""
        await self._db.write(_remove, asker, webhook_id, self._clock.wall_ms())

    def _create(
        self, tx: Transaction, asker: Asker, url: str, events: Sequence[str], now_ms: int
    ) -> tuple[Webhook, str]:
        found = open_place(tx, asker)
        url = self._urls.checked_url(url, "url")
        wanted = _checked_events(events, of_site=found is None)
        if found is not None:
            channels.lock(tx, found.id)
        else:
            values.put(tx, _SITE_LOCK, "", now_ms)  # others that do it wait
        count = tx.execute(
            select(func.count()).select_from(webhook).where(_is_of(found))
        ).scalar_one()
        if count >= limits.WEBHOOKS_MAX:
            raise Conflict(
                f"There are {count} webhooks. Delete one first.", code="too_many_webhooks"
            )
        made_id, secret = new_id(_ID), signature.new_secret()
        tx.execute(
            insert(webhook).values(
                id=made_id,
                channel_id=None if found is None else found.id,
                owner_id=asker.user.id,
                url=url,
                events=_stored(wanted),
                secret=self._vault.seal(secret, _place(made_id)),
                created_at_ms=now_ms,
            )
        )
        made = get(tx, asker, made_id)
        _record(tx, asker, "create", made, now_ms)
        tx.emit(WebhooksChanged(made.channel_id))
        return made, secret

    def _change(
        self,
        tx: Transaction,
        asker: Asker,
        webhook_id: str,
        url: str | None,
        events: Sequence[str] | None,
        is_on: bool | None,
        now_ms: int,
    ) -> Webhook:
        before = get(tx, asker, webhook_id)
        changed: dict[str, Any] = {}
        if url is not None:
            changed["url"] = self._urls.checked_url(url, "url")
        if events is not None:
            wanted = _checked_events(events, of_site=before.channel_id is None)
            changed["events"] = _stored(wanted)
        if is_on is not None and is_on != before.is_on:
            changed |= {"is_on": int(is_on), "off_reason": None if is_on else "asked"}
        if changed.get("is_on") or "url" in changed:
            changed |= {"failing_since_ms": None, "rests_until_ms": None}
        if changed:
            tx.execute(update(webhook).where(webhook.c.id == before.id).values(changed))
            tx.emit(WebhooksChanged(before.channel_id))
        after = get(tx, asker, webhook_id)
        if after != before:
            _record(tx, asker, "change", after, now_ms)
        return after

    def _rotate(
        self, tx: Transaction, asker: Asker, webhook_id: str, now_ms: int
    ) -> tuple[Webhook, str]:
        found = get(tx, asker, webhook_id)
        secret = signature.new_secret()
        tx.execute(
            update(webhook)
            .where(webhook.c.id == found.id)
            .values(
                old_secret=webhook.c.secret,
                old_secret_until_ms=now_ms + limits.WEBHOOK_OLD_SECRET_MS,
                secret=self._vault.seal(secret, _place(found.id)),
            )
        )
        _record(tx, asker, "rotate", found, now_ms)
        return found, secret


def open_place(tx: Transaction, asker: Asker) -> Channel | None:
    """The channel, None for the site, if `asker` may. Raises `NotFound` or `Forbidden`."""
    if asker.slug is not None:
        return channels.get_managed(tx, asker.user, asker.slug)
    check(asker.user, Action.CHANGE_SITE_WEBHOOKS, SITE)
    return None


def get(tx: Transaction, asker: Asker, webhook_id: str) -> Webhook:
    """Raises `NotFound` or `Forbidden`."""
    found = open_place(tx, asker)
    if is_id(webhook_id, _ID):
        row = tx.execute(select(webhook).where(_is_of(found), webhook.c.id == webhook_id)).first()
        if row is not None:
            return _to_webhook(row)
    raise NotFound("There is no such webhook.", code="webhook_not_found")


def find(tx: Transaction, webhook_id: str, *, locking: bool = False) -> Webhook | None:
    """For deliveries.py."""
    query = select(webhook).where(webhook.c.id == webhook_id)
    row = tx.execute(query.with_for_update() if locking else query).first()
    return None if row is None else _to_webhook(row)


def wanting(tx: Transaction, event: EventType, channel_id: str | None) -> list[Webhook]:
    """The webhooks that are told of `event` in the channel, or, without one, on the site."""
    query = select(webhook).where(
        webhook.c.is_on == 1,
        webhook.c.channel_id.is_(None) | (webhook.c.channel_id == (channel_id or "")),
    )
    return [one for one in map(_to_webhook, tx.execute(query)) if event in one.events]


def wanted(tx: Transaction) -> dict[str | None, set[EventType]]:
    """What webhooks are told of, by channel (None: those of the site)."""
    found: defaultdict[str | None, set[EventType]] = defaultdict(set)
    for one in map(_to_webhook, tx.execute(select(webhook).where(webhook.c.is_on == 1))):
        found[one.channel_id].update(one.events)
    return dict(found)


def wanted_in(tx: Transaction, channel_id: str | None) -> set[EventType]:
    """The same of one channel, or, without one, of the site."""
    query = select(webhook).where(webhook.c.is_on == 1, webhook.c.channel_id == channel_id)
    return {event for one in map(_to_webhook, tx.execute(query)) for event in one.events}


def sealed_secrets(tx: Transaction, webhook_id: str, now_ms: int) -> list[str]:
    """What deliveries are signed with, the newest first, for `unsealed`."""
    row = tx.execute(
        select(webhook.c.secret, webhook.c.old_secret, webhook.c.old_secret_until_ms).where(
            webhook.c.id == webhook_id
        )
    ).one()
    sealed = [row.secret]
    if row.old_secret is not None and now_ms < row.old_secret_until_ms:
        sealed.append(row.old_secret)
    return sealed


def unsealed(vault: Vault, webhook_id: str, sealed: Iterable[str]) -> list[str]:
    """Raises `Unavailable`: they were sealed with another master key."""
    return [vault.unseal(one, _place(webhook_id)) for one in sealed]


def set_standing(
    tx: Transaction, webhook_id: str, failing_since_ms: int | None, rests_until_ms: int | None
) -> None:
    """After an attempt: since when it fails, if it does, and until when to leave it alone."""
    tx.execute(
        update(webhook)
        .where(webhook.c.id == webhook_id)
        .values(failing_since_ms=failing_since_ms, rests_until_ms=rests_until_ms)
    )


def turn_off(tx: Transaction, found: Webhook, reason: OffReason) -> None:
    tx.execute(update(webhook).where(webhook.c.id == found.id).values(is_on=0, off_reason=reason))
    tx.emit(WebhooksChanged(found.channel_id))


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """The webhooks that somebody made, for their copy of their data."""
    rows = tx.execute(
        select(webhook).where(webhook.c.owner_id == user_id).order_by(webhook.c.created_at_ms)
    )
    return [
        {"url": one.url, "events": list(one.events), "created_at_ms": one.created_at_ms}
        for one in map(_to_webhook, rows)
    ]


def _list(tx: Transaction, asker: Asker) -> list[Webhook]:
    found = open_place(tx, asker)
    rows = tx.execute(
        select(webhook)
        .where(_is_of(found))
        .order_by(webhook.c.created_at_ms, webhook.c.id)
        .limit(limits.WEBHOOKS_MAX)
    )
    return [_to_webhook(row) for row in rows]


def _remove(tx: Transaction, asker: Asker, webhook_id: str, now_ms: int) -> None:
    found = get(tx, asker, webhook_id)
    tx.execute(delete(webhook).where(webhook.c.id == found.id))
    _record(tx, asker, "delete", found, now_ms)
    tx.emit(WebhooksChanged(found.channel_id))


def _record(tx: Transaction, asker: Asker, verb: str, found: Webhook, now_ms: int) -> None:
    """What an admin does to the site's own webhooks, or a channel's, goes into the audit log."""
    if found.channel_id is not None:
        channel = channels.get_by_id(tx, found.channel_id)
        oversight.record(tx, asker.user, channel, f"webhook.{verb}", now_ms, {"id": found.id})
        return
    actor = Actor(asker.user.id, asker.user.username, asker.address)
    target = Target("webhook", found.id, found.url)
    details = {"events": list(found.events), "is_on": found.is_on}
    audit.append(tx, actor, f"webhook.{verb}", target, now_ms, details)


def _is_of(found: Channel | None) -> Any:
    return webhook.c.channel_id.is_(None) if found is None else webhook.c.channel_id == found.id


def _checked_events(events: Iterable[str], *, of_site: bool) -> list[EventType]:
    """In their one order, each once. Raises `Invalid`."""
    allowed, given = choices(of_site=of_site), set(events)
    if unknown := given - {str(event) for event in allowed}:
        raise Invalid(f"There is no event “{min(unknown)[:40]}” to be told of.", field="events")
    if not given:
        raise Invalid("Choose at least one event.", field="events")
    return [event for event in allowed if event in given]


def _stored(events: Iterable[EventType]) -> str:
    return json.dumps([str(event) for event in events])


def _place(webhook_id: str) -> str:
    """Where a secret is kept, for the vault."""
    return f"webhook/{webhook_id}"


def _to_webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        row.id,
        row.channel_id,
        row.owner_id,
        row.url,
        tuple(EventType(event) for event in json.loads(row.events)),
        bool(row.is_on),
        row.off_reason,
        row.created_at_ms,
        row.failing_since_ms,
        row.rests_until_ms,
    )
