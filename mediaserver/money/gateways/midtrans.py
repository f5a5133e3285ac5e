"""Midtrans: Snap, on Midtrans's own page. Rupiah only, in whole ones.

The signature of its notifications doesn't cover the status, so a notification says no more than
"ask about this order". Its order ids are our payment ids.

Sources: docs.midtrans.com /docs/snap-snap-integration-guide, /docs/https-notification-webhooks,
/docs/transaction-status-cycle, /docs/get-status-api-requests, /reference-link/refund-transaction.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256, sha512
from typing import Any

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MidtransConfig
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid
from mediaserver.kernel.ids import same
from mediaserver.money.currencies import CURRENCIES, parsed_amount
from mediaserver.money.gateways.gateway import (
    Checkout,
    DisputeStatus,
    GatewayDown,
    GatewayRefused,
    Hint,
    Notification,
    Order,
    Reference,
    RefundAnswer,
    Standing,
    Status,
)
from mediaserver.money.gateways.http import Wire, said, short_key

_RUPIAH = CURRENCIES["IDR"]

_STANDINGS: Mapping[str, Standing] = {
    "authorize": "open",
    "pending": "open",
    "capture": "paid",
    "settlement": "paid",
    "refund": "paid",
    "partial_refund": "paid",
    "chargeback": "paid",
    "partial_chargeback": "paid",
    "deny": "failed",
    "failure": "failed",
    "cancel": "cancelled",
    "expire": "expired",
}
"""Some banks take a settlement back within minutes, and then it is "deny". The status alone doesn't
tell: whoever knows that it was paid reads it as reversed.
"""

_NOT_REFUNDED = frozenset(("bank_transfer", "echannel", "permata", "cstore", "bca_klikpay"))
"""Ways to pay by which no money goes back: transfers to a virtual account, shops."""

_STEPS = ("order_id", "transaction_id", "transaction_status", "fraud_status", "refund_amount")
"""What makes a notification another one than those before."""

_MINUTES_MIN = 5
"""The soonest that a page of Snap may end."""

_WESTERN_INDONESIA = timezone(timedelta(hours=7))


class MidtransGateway:
    """See `gateway.Gateway`.

    A payment's `provider_ref` is the token of its Snap page, its `charge_ref` the transaction.
    """

    name = "midtrans"
    label = "Card, bank transfer, QRIS (Midtrans)"
    can_refund = True

    def __init__(
        self,
        config: MidtransConfig,
        production: bool,
        clock: Clock,
        *,
        timeout_s: float = limits.GATEWAY_TIMEOUT_S,
    ) -> None:
        """Raises `Conflict` for a key of the sandbox on a site with real money."""
        if production and config.server_key.startswith("SB-"):
            raise Conflict("midtrans.server_key is one of the sandbox, but money.production is on.")
        self.is_test = not production
        self._config = config
        self._clock = clock
        self._wire = Wire("Midtrans", timeout_s)
        domain = "midtrans.com" if production else "sandbox.midtrans.com"
        self._snap_url = config.api_url.rstrip("/") or f"https://app.{domain}"
        self._core_url = config.api_url.rstrip("/") or f"https://api.{domain}"
        password = base64.b64encode(f"{config.server_key}:".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {password}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }

    async def create(self, order: Order) -> Checkout:
        rupiah = _whole_rupiah(order.amount_minor, order.currency)
        minutes = (order.expires_at_ms - self._clock.wall_ms()) // 60_000
        minutes = max(_MINUTES_MIN, minutes)
        wanted: dict[str, Any] = {
            "transaction_details": {"order_id": order.payment_id, "gross_amount": rupiah},
            "item_details": [
                {"id": "1", "name": order.description[:50], "price": rupiah, "quantity": 1}
            ],
            "credit_card": {"secure": True},
            "callbacks": {"finish": order.return_url, "error": order.return_url},
            "page_expiry": {"duration": minutes, "unit": "minutes"},
            "expiry": {"start_time": self._now(), "duration": minutes, "unit": "minutes"},
        }
        if order.email:
            wanted["customer_details"] = {"email": order.email}
        if self._config.enabled_payments:
            wanted["enabled_payments"] = list(self._config.enabled_payments)
        _, answer = await self._ask(
            "POST",
            f"{self._snap_url}/snap/v1/transactions",
            wanted,
            {"X-Override-Notification": order.notify_url},
        )
        if not (answer.get("redirect_url") and answer.get("token")):
            raise self._refused(answer)
        return Checkout(str(answer["redirect_url"]), str(answer["token"]))

    def parse(self, notification: Notification) -> Hint:
        try:
            found = json.loads(notification.body)
            order_id, status = str(found["order_id"]), str(found["transaction_status"])
            signed = f"{order_id}{found['status_code']}{found['gross_amount']}"
            given = str(found["signature_key"])
            # Each step of a transaction once; one refund more is another amount.
            steps = [found.get(step) for step in _STEPS]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Invalid("That is no notification of Midtrans.") from None
        expected = sha512(_encoded(f"{signed}{self._config.server_key}")).hexdigest()
        if not same(expected, _encoded(given).decode()):
            raise Forbidden("The signature is wrong.", code="signature")
        event_ref = sha256(json.dumps(steps).encode()).hexdigest()
        return Hint(event_ref, status if status in _STANDINGS else "unknown", order_id)

    async def fetch(self, reference: Reference) -> Status | None:
        found = await self._transaction(reference)
        if found is not None:
            with self._wire.reading():
                return self._status(found)
        if not reference.provider_ref:
            return None
        # Midtrans knows an order only when a way to pay was chosen; until then just its page.
        return Status("open", reference.amount_minor, reference.currency)

    async def refund(self, reference: Reference, amount_minor: int, key: str) -> RefundAnswer:
        rupiah, refund_key = _whole_rupiah(amount_minor, reference.currency), short_key(key)
        found = await self._transaction(reference)
        if found is None:
            raise GatewayRefused("Midtrans doesn't know this payment.")
        with self._wire.reading():
            for earlier in found.get("refunds") or ():
                if earlier.get("refund_key") == refund_key:
                    return RefundAnswer("succeeded", _refund_ref(earlier))
        if found.get("payment_type") in _NOT_REFUNDED:
            raise GatewayRefused(
                "Midtrans can't give back what was paid by bank transfer or in a shop."
            )
        if found.get("transaction_status") == "capture":
            raise GatewayDown("Midtrans refunds a card once it has settled: try again tomorrow.")
        code, answer = await self._ask(
            "POST",
            f"{self._core_url}/v2/{reference.payment_id}/refund",
            {"refund_key": refund_key, "amount": rupiah, "reason": "Refund"},
        )
        if code == 200:
            return RefundAnswer("succeeded", _refund_ref(answer))
        if code == 201:
            return RefundAnswer("pending", _refund_ref(answer))
        raise self._refused(answer)

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def _transaction(self, reference: Reference) -> dict[str, Any] | None:
        code, found = await self._ask("GET", f"{self._core_url}/v2/{reference.payment_id}/status")
        if code == 404:
            return None
        if code >= 400:
            raise self._refused(found)
        if found.get("order_id") != reference.payment_id:
            raise self._wire.nonsense()
        return found

    def _status(self, found: Mapping[str, Any]) -> Status:
        named = str(found["transaction_status"])
        standing = _STANDINGS[named]
        if standing == "paid" and found.get("fraud_status") == "challenge":
            standing = "review"
        charge_ref = str(found.get("transaction_id", ""))
        return Status(
            standing,
            _amount(found["gross_amount"]),
            str(found.get("currency") or _RUPIAH.code),
            charge_ref=charge_ref,
            refunded_minor=_refunded(found) if "refund" in named else 0,
            disputes=_disputes(found, charge_ref) if "chargeback" in named else (),
            detail=said(found.get("status_message", "") if standing != "paid" else ""),
        )

    async def _ask(
        self,
        method: str,
        url: str,
        wanted: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """The status code, which Midtrans often says in the body of a 200 alone, and the answer."""
        status, answer = await self._wire.ask(
            method,
            url,
            headers={**self._headers, **(headers or {})},
            body=None if wanted is None else json.dumps(wanted).encode(),
        )
        code = str(answer.get("status_code", status))
        if not code.isdecimal():
            raise self._wire.nonsense()
        if code.startswith("5") or code == "429":
            raise GatewayDown(f"Midtrans answered {code}.")
        return int(code), answer

    def _refused(self, answer: Mapping[str, Any]) -> GatewayRefused:
        why = answer.get("error_messages") or answer.get("status_message") or ""
        text = ", ".join(map(str, why)) if isinstance(why, list) else why
        return GatewayRefused(f"Midtrans refuses: {said(text, self._config.server_key)}")

    def _now(self) -> str:
        now = datetime.fromtimestamp(self._clock.wall_ms() // 1000, UTC)
        return now.astimezone(_WESTERN_INDONESIA).strftime("%Y-%m-%d %H:%M:%S %z")


def _whole_rupiah(amount_minor: int, currency: str) -> int:
    """Raises `Invalid` for what Midtrans can't be sent."""
    if currency != _RUPIAH.code:
        raise Invalid(f"Midtrans takes {_RUPIAH.code} only.", field="currency")
    rupiah, rest = divmod(amount_minor, _RUPIAH.unit_minor)
    if rest:
        raise Invalid("Write a whole number of rupiah.", field="amount_minor")
    return rupiah


def _refunded(found: Mapping[str, Any]) -> int:
    """All refunds together: `refund_amount`, which older answers have of the last one alone."""
    parts = sum(_amount(one["refund_amount"]) for one in found.get("refunds") or ())
    return max(parts, _amount(found.get("refund_amount", "0")))


def _disputes(found: Mapping[str, Any], charge_ref: str) -> tuple[DisputeStatus, ...]:
    """A chargeback is final at Midtrans: what was argued before went by mail."""
    amount = found.get("refund_amount") or found["gross_amount"]
    return (DisputeStatus(f"{charge_ref}:chargeback", _amount(amount), 0, "lost"),)


def _amount(text: object) -> int:
    """Raises `Invalid`."""
    return parsed_amount(str(text), _RUPIAH)


def _encoded(text: str) -> bytes:
    """As UTF-8, which JSON's lone surrogates don't have."""
    return text.encode(errors="replace")


def _refund_ref(made: Mapping[str, Any]) -> str:
    return str(made.get("refund_chargeback_id") or made.get("refund_key") or "")
