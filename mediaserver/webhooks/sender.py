"""Sends deliveries: the handler of their jobs, and what people send by hand from the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Invalid, Unavailable
from mediaserver.kernel.jobs import Payload
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.kernel.worker import TooEarly
from mediaserver.webhooks import deliveries, signature, webhooks
from mediaserver.webhooks.deliveries import Delivery, Outcome
from mediaserver.webhooks.envelopes import EventType, Test
from mediaserver.webhooks.webhooks import Asker, Webhook

_BY_HAND = Rule("webhook-by-hand", limits.WEBHOOK_BY_HAND_BURST, limits.WEBHOOK_BY_HAND_INTERVAL_MS)


class Answer(Protocol):
    """What the other site said."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes: ...


class Client(Protocol):
    """What sends: kernel/outbound.py."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer: ...


class Sender:
    """Made by server/features.py, which registers `handle` for jobs of kind `deliveries.JOB`."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        client: Client,
        throttles: Throttles,
        letterhead: Letterhead,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._client = client
        self._throttles = throttles
        self._letterhead = letterhead

    async def handle(self, payload: Payload) -> None:
        """One attempt. Further ones are jobs of their own, so nothing is raised for a failure."""
        found = await self._db.read(_find, payload["delivery_id"], self._clock.wall_ms())
        if found is None:
            return
        delivery, hook, sealed = found
        if not hook.is_on:
            await self._db.write(deliveries.drop_waiting, hook.id, self._clock.wall_ms())
            return
        if hook.rests_until_ms and not payload["is_by_hand"]:
            await self._let_rest(delivery, hook.rests_until_ms)
        outcome = await self._send(delivery, hook, sealed)
        await self._db.write(
            deliveries.record, self._letterhead, delivery, outcome, self._clock.wall_ms()
        )

    async def _send(self, delivery: Delivery, hook: Webhook, sealed: list[str]) -> Outcome:
        body = delivery.body.encode()
        began_ms = self._clock.monotonic_ms()
        timestamp_s = self._clock.wall_ms() // 1000
        try:
            secrets = webhooks.unsealed(self._vault, hook.id, sealed)
            headers = signature.headers(secrets, delivery.event_id, timestamp_s, body)
            answer = await self._client.post(
                hook.url, body, {"Content-Type": "application/json", **headers}
            )
            outcome = Outcome(answer.status, _excerpt(answer.body))
        except (Invalid, Unavailable) as error:
            outcome = Outcome(error=error.message)
        return replace(outcome, took_ms=self._clock.monotonic_ms() - began_ms)

    async def _let_rest(self, delivery: Delivery, until_ms: int) -> None:
        """Raises `TooEarly` while its webhook rests."""
        if self._clock.wall_ms() < until_ms:
            await self._db.write(deliveries.postpone, delivery.id, until_ms)
            raise TooEarly(until_ms)

    async def page(
        self, asker: Asker, webhook_id: str, *, after: str | None = None
    ) -> list[Delivery]:
        """The log of a webhook, newest first. Raises `NotFound` or `Forbidden`."""
        return await self._db.read(_page, asker, webhook_id, after)

    async def send_test(self, asker: Asker, webhook_id: str) -> Delivery:
        """Raises `NotFound`, `Forbidden`, `Conflict` (it is off) or `RateLimited`."""
        await self._throttles.charge((_BY_HAND, _BY_HAND.key(asker.user.id)))
        return await self._db.write(
            _send_test, asker, webhook_id, self._letterhead, self._clock.wall_ms()
        )

    async def send_again(self, asker: Asker, webhook_id: str, delivery_id: str) -> Delivery:
        """The same event under the same id, as a new delivery.

        Raises `NotFound`, `Forbidden`, `Conflict` (it is off, or waits still) or `RateLimited`.
        """
        await self._throttles.charge((_BY_HAND, _BY_HAND.key(asker.user.id)))
        return await self._db.write(
            _send_again, asker, webhook_id, delivery_id, self._clock.wall_ms()
        )

    async def delete_old(self) -> None:
        """Forget what the logs keep no longer; one transaction each, so that others get a turn."""
        await self._db.write(deliveries.delete_old, self._clock.wall_ms())
        for webhook_id in await self._db.read(deliveries.with_surplus):
            await self._db.write(deliveries.delete_surplus, webhook_id)


def _find(
    tx: Transaction, delivery_id: str, now_ms: int
) -> tuple[Delivery, Webhook, list[str]] | None:
    """A delivery that is still to be made, for which webhook, and what signs it, sealed."""
    delivery = deliveries.find(tx, delivery_id)
    if delivery is None or delivery.state != "waiting":
        return None
    hook = webhooks.find(tx, delivery.webhook_id)
    if hook is None:
        return None
    return delivery, hook, webhooks.sealed_secrets(tx, hook.id, now_ms)


def _page(tx: Transaction, asker: Asker, webhook_id: str, after: str | None) -> list[Delivery]:
    return deliveries.page(tx, webhooks.get(tx, asker, webhook_id).id, after)


def _send_test(
    tx: Transaction, asker: Asker, webhook_id: str, letterhead: Letterhead, now_ms: int
) -> Delivery:
    found = _get_on(tx, asker, webhook_id)
    data = Test(message="It works.")
    return deliveries.send_one(tx, letterhead, found, EventType.TEST, data, now_ms)


def _send_again(
    tx: Transaction, asker: Asker, webhook_id: str, delivery_id: str, now_ms: int
) -> Delivery:
    found = _get_on(tx, asker, webhook_id)
    before = deliveries.get(tx, found.id, delivery_id)
    if before.state == "waiting":
        raise Conflict("This is still being tried.", code="still_waiting")
    return deliveries.add(
        tx, found.id, before.event_id, before.event, before.body, now_ms, is_by_hand=True
    )


def _get_on(tx: Transaction, asker: Asker, webhook_id: str) -> Webhook:
    found = webhooks.get(tx, asker, webhook_id)
    if not found.is_on:
        raise Conflict("Turn the webhook on first.", code="webhook_off")
    return found


def _excerpt(body: bytes) -> str:
    """The beginning of an answer as text that the database takes."""
    text = body.decode(errors="replace").replace("\0", "\ufffd")
    return text[: limits.WEBHOOK_ANSWER_CHARS_MAX]
