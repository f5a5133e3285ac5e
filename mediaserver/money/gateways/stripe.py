"""Stripe: Checkout on Stripe's own page, through Stripe's library.

Importing this takes 30 MB, so gateways.py does it only when Stripe is configured. The library's
requests go over our wire (http.py), which puts limits on them. Everything is asked under a key of
ours: the library's own are random and lost with the process.

Sources: docs.stripe.com/checkout/fulfillment, /webhooks, /currencies, /api/idempotent_requests.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, Literal, TypeVar

import stripe

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import StripeConfig
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid
from mediaserver.money.currencies import CURRENCIES
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
from mediaserver.money.gateways.http import Wire, header, said

logging.getLogger("stripe").setLevel(logging.WARNING)  # it logs each request, with what was sent

_TWO_DECIMALS_HERE = {"ISK", "UGX"}
"""Currencies without decimals that Stripe counts in hundredths all the same."""

_DISPUTES: Mapping[str, Literal["open", "won", "lost"]] = {
    "needs_response": "open",
    "under_review": "open",
    "won": "won",
    "lost": "lost",
}
"""The others are inquiries ("warning_…") or were "prevented": no money was taken."""

_REFUNDS: Mapping[str, Literal["succeeded", "pending", "failed"]] = {
    "succeeded": "succeeded",
    "pending": "pending",
    "requires_action": "pending",
    "failed": "failed",
    "canceled": "failed",
}

_EXPANDED = ["payment_intent.latest_charge.balance_transaction"]

_T = TypeVar("_T")


class StripeGateway:
    """See `gateway.Gateway`. A checkout has to end 30 minutes to 24 hours after it is made.

    A payment's `provider_ref` is the checkout session, its `charge_ref` the payment intent.
    """

    name = "stripe"
    label = "Card (Stripe)"
    can_refund = True

    def __init__(
        self,
        config: StripeConfig,
        production: bool,
        clock: Clock,
        *,
        timeout_s: float = limits.GATEWAY_TIMEOUT_S,
        repetitions_max: int = limits.GATEWAY_REPETITIONS_MAX,
    ) -> None:
        """Raises `Conflict` for a test key on a site with real money, or the other way round."""
        if ("_live_" in config.secret_key) is not production:
            raise Conflict(
                "stripe.secret_key is a live key exactly if money.production is true: "
                "use the key of the right mode."
            )
        self.is_test = not production
        self._config = config
        self._clock = clock
        self._timeout_s = timeout_s
        self._wire = Wire("Stripe", timeout_s)
        self._api = stripe.StripeClient(
            config.secret_key,
            http_client=_Transport(self._wire),
            base_addresses={"api": config.api_url.rstrip("/") or stripe.DEFAULT_API_BASE},
            max_network_retries=repetitions_max,
        ).v1

    async def create(self, order: Order) -> Checkout:
        amount = to_stripe(order.amount_minor, order.currency)
        params: dict[str, Any] = {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency.lower(),
                        "unit_amount": amount,
                        "product_data": {"name": order.description},
                    },
                }
            ],
            "client_reference_id": order.payment_id,
            "metadata": {"payment_id": order.payment_id},
            # Disputes and refunds come with the payment intent, not with the session.
            "payment_intent_data": {"metadata": {"payment_id": order.payment_id}},
            "adaptive_pricing": {"enabled": False},
            "success_url": order.return_url,
            "cancel_url": order.cancel_url,
            "expires_at": order.expires_at_ms // 1000,
        }
        if order.email:
            params["customer_email"] = order.email
        session = await self._ask(
            self._api.checkout.sessions.create_async(
                params,  # type: ignore[arg-type]  # one optional key
                {"idempotency_key": f"payment:{order.payment_id}"},
            )
        )
        with self._wire.reading():
            if not session.url:
                raise GatewayRefused("This checkout at Stripe is over.")
            return Checkout(session.url, session.id)

    def parse(self, notification: Notification) -> Hint:
        signed = header(notification, "Stripe-Signature")
        try:
            # Its own check of the time knows another clock than ours, and takes the future.
            stripe.WebhookSignature.verify_header(
                notification.body, signed, self._config.webhook_secret, tolerance=None
            )
            event = json.loads(notification.body)
            about = event["data"]["object"]
            intent = about.get("payment_intent")
            hint = Hint(
                str(event["id"]),
                str(event["type"]),
                _payment_id(about),
                intent if isinstance(intent, str) else None,
            )
            is_live = event["livemode"]
        except stripe.SignatureVerificationError:
            raise Forbidden("The signature is wrong.", code="signature") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Invalid("That is no event of Stripe.") from None
        difference_s = abs(self._clock.wall_ms() // 1000 - _time_of(signed))
        if difference_s > limits.GATEWAY_CLOCK_DIFFERENCE_S:
            raise Forbidden("It was signed at another time.", code="signature")
        if is_live is not (not self.is_test):
            raise Forbidden("It is of the other mode, test or live.", code="mode")
        return hint

    async def fetch(self, reference: Reference) -> Status | None:
        with self._wire.reading():
            session = await self._session(reference)
            return None if session is None else await self._status(session)

    async def refund(self, reference: Reference, amount_minor: int, key: str) -> RefundAnswer:
        """A key is known at Stripe for a day, in the refund's own metadata for ever; so this also
        tells how an earlier refund stands now.
        """
        amount = to_stripe(amount_minor, reference.currency)
        with self._wire.reading():
            for earlier in await self._refunds(reference.charge_ref):
                if (earlier.get("metadata") or {}).get("key") == key:
                    return _refund_answer(earlier)
        new = await self._ask(
            self._api.refunds.create_async(
                {
                    "payment_intent": reference.charge_ref,
                    "amount": amount,
                    "metadata": {"key": key, "payment_id": reference.payment_id},
                },
                {"idempotency_key": key},
            )
        )
        with self._wire.reading():
            return _refund_answer(new.to_dict())

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def _status(self, session: Mapping[str, Any]) -> Status:
        intent = session.get("payment_intent") or {}
        charge = intent.get("latest_charge") or {}
        currency = str(session["currency"]).upper()
        has_refunds, has_disputes = charge.get("amount_refunded"), charge.get("disputed")
        return Status(
            _standing(session, intent),
            from_stripe(session["amount_total"], currency),
            currency,
            charge_ref=intent.get("id", ""),
            refunded_minor=await self._refunded(intent["id"]) if has_refunds else 0,
            disputes=await self._disputes(intent["id"]) if has_disputes else (),
            fee_minor=_fee(charge.get("balance_transaction"), currency),
            detail=said((intent.get("last_payment_error") or {}).get("message") or ""),
        )

    async def _session(self, reference: Reference) -> dict[str, Any] | None:
        """The checkout. When its id was lost, by a crash, it is found by what was paid in it."""
        if reference.provider_ref:
            return await self._found(
                self._api.checkout.sessions.retrieve_async(
                    reference.provider_ref, {"expand": _EXPANDED}
                )
            )
        intent_id = reference.charge_ref
        if not intent_id:
            query = f"metadata['payment_id']:'{reference.payment_id}'"
            hits = await self._found(self._api.payment_intents.search_async({"query": query}))
            if not hits or not hits["data"]:
                return None
            intent_id = hits["data"][0]["id"]
        sessions = await self._found(
            self._api.checkout.sessions.list_async(
                {"payment_intent": intent_id, "expand": [f"data.{one}" for one in _EXPANDED]}
            )
        )
        return sessions["data"][0] if sessions and sessions["data"] else None

    async def _refunds(self, intent_id: str) -> list[dict[str, Any]]:
        listed = await self._ask(
            self._api.refunds.list_async(
                {"payment_intent": intent_id, "limit": limits.GATEWAY_LISTED_MAX}
            )
        )
        found: list[dict[str, Any]] = listed.to_dict()["data"]
        return found

    async def _refunded(self, intent_id: str) -> int:
        """What was really given back: the charge itself also counts what is still pending."""
        return sum(
            from_stripe(one["amount"], str(one["currency"]).upper())
            for one in await self._refunds(intent_id)
            if one["status"] == "succeeded"
        )

    async def _disputes(self, intent_id: str) -> tuple[DisputeStatus, ...]:
        listed = await self._ask(
            self._api.disputes.list_async(
                {"payment_intent": intent_id, "limit": limits.GATEWAY_LISTED_MAX}
            )
        )
        return tuple(
            _dispute(one, state)
            for one in listed.to_dict()["data"]
            if (state := _DISPUTES.get(one["status"])) is not None
        )

    async def _found(self, call: Awaitable[stripe.StripeObject]) -> dict[str, Any] | None:
        """What was asked for; None when Stripe doesn't know it."""
        try:
            return (await self._ask(call)).to_dict()
        except _Missing:
            return None

    async def _ask(self, call: Awaitable[_T]) -> _T:
        """Raises `GatewayDown` or `GatewayRefused` for whatever goes wrong."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await call
        except TimeoutError:
            raise GatewayDown("Stripe doesn't answer (TimeoutError).") from None
        except stripe.StripeError as error:
            raise self._translated(error) from None

    def _translated(self, error: stripe.StripeError) -> GatewayDown | GatewayRefused:
        if isinstance(error, stripe.APIConnectionError):
            return GatewayDown("Stripe doesn't answer.")
        status = error.http_status or 0
        if status < 400 or status >= 500 or status in (409, 429):
            return GatewayDown(f"Stripe answered {status}, which can't be understood.")
        text = f"Stripe refuses: {said(error.user_message or error.code, self._config.secret_key)}"
        return _Missing(text) if error.code == "resource_missing" else GatewayRefused(text)


class _Missing(GatewayRefused):
    """Stripe doesn't know what was asked for."""


class _Transport(stripe.HTTPClient):
    """Stripe's library over our wire."""

    name = "mediaserver"

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            answer = await self._wire.exchange(method, url, headers=headers, body=post_data)
        except GatewayDown as error:
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]  # theirs
                error.message, should_retry=True
            ) from None
        return answer.body, answer.status, answer.headers

    def sleep_async(self, secs: float) -> Awaitable[None]:
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        await self._wire.aclose()


def to_stripe(amount_minor: int, code: str) -> int:
    """Our minor units in Stripe's. Raises `Invalid` for what Stripe can't be sent."""
    if code in _TWO_DECIMALS_HERE:
        return amount_minor * 100
    if CURRENCIES[code].exponent == 3 and amount_minor % 10:
        raise Invalid(f"Cards take {code} with two digits behind the point.", field="amount_minor")
    return amount_minor


def from_stripe(amount: int, code: str) -> int:
    """Stripe's minor units in ours."""
    return amount // 100 if code in _TWO_DECIMALS_HERE else amount


def _standing(session: Mapping[str, Any], intent: Mapping[str, Any]) -> Standing:
    """Paid is what Stripe calls paid. A complete session that isn't was paid by a method that takes
    days, such as a debit, and its payment intent says how that went.
    """
    if session["payment_status"] == "paid":
        return "paid"
    if session["status"] == "expired":
        return "expired"
    if session["status"] == "complete" and intent.get("status") == "requires_payment_method":
        return "failed"
    return "cancelled" if intent.get("status") == "canceled" else "open"


def _dispute(found: Mapping[str, Any], state: Literal["open", "won", "lost"]) -> DisputeStatus:
    currency = str(found["currency"]).upper()
    fees = (_fee(one, currency) for one in found.get("balance_transactions") or ())
    return DisputeStatus(
        found["id"],
        from_stripe(found["amount"], currency),
        sum(fee for fee in fees if fee > 0),
        state,
        str(found.get("reason") or ""),
    )


def _fee(transaction: Mapping[str, Any] | None, currency: str) -> int:
    """What Stripe took, if it took it in the payment's currency: an account that is settled in
    another one learns it from its reports.
    """
    if not isinstance(transaction, Mapping) or transaction["currency"] != currency.lower():
        return 0
    return from_stripe(transaction["fee"], currency)


def _refund_answer(made: Mapping[str, Any]) -> RefundAnswer:
    state = _REFUNDS.get(made["status"], "pending")
    return RefundAnswer(state, made["id"], said(made.get("failure_reason") or ""))


def _payment_id(found: Mapping[str, Any]) -> str | None:
    given = found.get("client_reference_id") or (found.get("metadata") or {}).get("payment_id")
    return str(given) if given else None


def _time_of(signed: str) -> int:
    """When it was signed, in seconds; the library has read it before."""
    return int(next(part[2:] for part in signed.split(",") if part.startswith("t=")))
