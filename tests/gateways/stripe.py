"""Stripe in small: Checkout sessions, refunds, disputes, idempotency, signed events.

Knows nothing of stripe's library but how it signs. Shapes: docs.stripe.com/api.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from aiohttp import web

from mediaserver.kernel.clock import Clock
from mediaserver.money.gateways.gateway import Notification
from tests.gateways.simulator import Sale, Simulator

SECRET_KEY = "sk_test_51Simulated0Secret"
WEBHOOK_SECRET = "whsec_simulated0secret"

_EVENTS = {
    "open": "checkout.session.completed",
    "paid": "checkout.session.completed",
    "failed": "checkout.session.async_payment_failed",
    "expired": "checkout.session.expired",
    "charged_back": "charge.dispute.created",
    "dispute_won": "charge.dispute.closed",
}


class StripeSimulator(Simulator):
    """`live`: whether it says that its money is real. `dispute`: amount, fee and status of the next
    dispute, in Stripe's own words.
    """

    def __init__(self, clock: Clock, *, live: bool = False) -> None:
        super().__init__()
        self._clock = clock
        self._live = live
        self.dispute: dict[str, Any] = {}
        self.refund_status = "succeeded"
        self.fee = 59
        self._answers: dict[str, tuple[str, int, Any]] = {}
        self.refunds: list[dict[str, Any]] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/checkout/sessions", self._create),
            web.get("/v1/checkout/sessions/{id}", self._retrieve),
            web.get("/v1/checkout/sessions", self._by_intent),
            web.get("/v1/payment_intents/search", self._search),
            web.post("/v1/refunds", self._refund),
            web.get("/v1/refunds", self._refunds_of),
            web.get("/v1/disputes", self._disputes_of),
        ]

    def notification(self, payment_id: str) -> Notification:
        sale = self.sales[payment_id]
        if sale.refunds:
            return self.event("charge.refunded", self._charge(sale))
        if sale.state in ("charged_back", "dispute_won"):
            return self.event(_EVENTS[sale.state], self._dispute(sale))
        return self.event(_EVENTS[sale.state], self._session(sale))

    def forged(self, payment_id: str) -> Notification:
        told = self.notification(payment_id)
        return Notification(
            {"Stripe-Signature": self.signed(told.body, "whsec_guessed")}, {}, told.body
        )

    def changed(self, payment_id: str) -> Notification:
        told = self.notification(payment_id)
        return Notification(told.headers, {}, told.body.replace(b'"unpaid"', b'"paid"'))

    def event(self, kind: str, about: dict[str, Any]) -> Notification:
        """Any event, signed; its id is that of its content."""
        event = {
            "object": "event",
            "type": kind,
            "livemode": self._live,
            "created": self._clock.wall_ms() // 1000,
            "data": {"object": about},
        }
        event["id"] = f"evt_{hashlib.sha256(json.dumps(event).encode()).hexdigest()[:24]}"
        body = json.dumps(event, indent=2).encode()
        return Notification({"Stripe-Signature": self.signed(body)}, {}, body)

    def signed(self, body: bytes, secret: str = WEBHOOK_SECRET, later_s: int = 0) -> str:
        moment = self._clock.wall_ms() // 1000 + later_s
        mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
        return f"t={moment},v1={mac.hexdigest()}"

    async def _create(self, request: web.Request) -> web.Response:
        return await self._once(request, self._new_session)

    async def _refund(self, request: web.Request) -> web.Response:
        return await self._once(request, self._new_refund)

    async def _once(self, request: web.Request, make: Any) -> web.Response:
        """As Stripe: the same key, the same answer; with other parameters, an error."""
        if request.headers.get("Authorization") != f"Bearer {SECRET_KEY}":
            given = request.headers.get("Authorization", "")
            return _error(401, "invalid_request_error", f"Invalid API Key provided: {given}")
        form = {name: str(value) for name, value in (await request.post()).items()}
        key, asked = request.headers["Idempotency-Key"], json.dumps(form, sort_keys=True)
        if key not in self._answers:
            status, answer = make(form)
            if status >= 400:
                return web.json_response(answer, status=status)
            self._answers[key] = (asked, status, answer)
        first, status, answer = self._answers[key]
        if first != asked:
            return _error(400, "idempotency_error", "Keys are for one set of parameters")
        return web.json_response(answer, status=status)

    def forget_keys(self) -> None:
        """As Stripe does after a day."""
        self._answers.clear()

    def _new_session(self, form: dict[str, str]) -> tuple[int, Any]:
        now_s, until_s = self._clock.wall_ms() // 1000, int(form["expires_at"])
        assert form["mode"] == "payment"
        assert form["adaptive_pricing[enabled]"] == "false"
        assert form["metadata[payment_id]"] == form["payment_intent_data[metadata][payment_id]"]
        if not 1800 <= until_s - now_s <= 86_400:
            return 400, {"error": {"type": "invalid_request_error", "message": "expires_at"}}
        payment_id = form["client_reference_id"]
        sale = Sale(
            payment_id,
            f"cs_test_{len(self.sales)}{payment_id[4:]}",
            int(form["line_items[0][price_data][unit_amount]"])
            * int(form["line_items[0][quantity]"]),
            form["line_items[0][price_data][currency]"],
            "",
            form["success_url"],
        )
        self.sales[payment_id] = sale
        return 200, self._session(sale)

    async def _retrieve(self, request: web.Request) -> web.Response:
        for sale in self.sales.values():
            if sale.ref == request.match_info["id"]:
                return web.json_response(self._session(sale, expanded=True))
        return _error(404, "invalid_request_error", "No such checkout.session", "resource_missing")

    async def _by_intent(self, request: web.Request) -> web.Response:
        wanted = request.query["payment_intent"]
        return _list(
            [
                self._session(sale, expanded=True)
                for sale in self.sales.values()
                if sale.charge_ref == wanted
            ]
        )

    async def _search(self, request: web.Request) -> web.Response:
        found = [
            self._intent(sale)
            for sale in self.sales.values()
            if request.query["query"] == f"metadata['payment_id']:'{sale.payment_id}'"
            and sale.charge_ref
        ]
        return web.json_response(
            {"object": "search_result", "data": found, "has_more": False, "url": "/v1/x"}
        )

    def _new_refund(self, form: dict[str, str]) -> tuple[int, Any]:
        sale = next(one for one in self.sales.values() if one.charge_ref == form["payment_intent"])
        amount = int(form["amount"])
        if sale.refunded + amount > sale.amount:
            return 400, {
                "error": {
                    "type": "invalid_request_error",
                    "code": "charge_already_refunded",
                    "message": "Refund amount is greater than unrefunded amount",
                }
            }
        metadata = {"key": form["metadata[key]"], "payment_id": form["metadata[payment_id]"]}
        return 200, dict(self._refunded(sale, amount, metadata))

    def give_back(self, payment_id: str, amount: int) -> None:
        self._refunded(self.sales[payment_id], amount, {})

    def _refunded(self, sale: Sale, amount: int, metadata: dict[str, str]) -> dict[str, Any]:
        made = {
            "id": f"re_{len(self.refunds)}",
            "object": "refund",
            "amount": amount,
            "currency": sale.currency,
            "payment_intent": sale.charge_ref,
            "status": self.refund_status,
            "metadata": metadata,
        }
        sale.refunds[f"re_{len(self.refunds)}"] = amount
        self.refunds.append(made)
        return made

    async def _refunds_of(self, request: web.Request) -> web.Response:
        wanted = request.query["payment_intent"]
        return _list([one for one in self.refunds if one["payment_intent"] == wanted])

    async def _disputes_of(self, request: web.Request) -> web.Response:
        wanted = request.query["payment_intent"]
        return _list(
            [
                self._dispute(sale)
                for sale in self.sales.values()
                if sale.charge_ref == wanted and sale.state in ("charged_back", "dispute_won")
            ]
        )

    def _session(self, sale: Sale, *, expanded: bool = False) -> dict[str, Any]:
        is_paid = sale.state in ("paid", "charged_back", "dispute_won")
        intent: Any = (self._intent(sale) if expanded else sale.charge_ref) or None
        return {
            "id": sale.ref,
            "object": "checkout.session",
            "livemode": self._live,
            "amount_total": sale.amount,
            "currency": sale.currency,
            "client_reference_id": sale.payment_id,
            "metadata": {"payment_id": sale.payment_id},
            "payment_intent": intent if sale.charge_ref else None,
            "payment_status": "paid" if is_paid else "unpaid",
            "status": "expired"
            if sale.state == "expired"
            else "complete"
            if sale.was_attempted
            else "open",
            "url": f"https://checkout.stripe.com/c/pay/{sale.ref}" if not sale.charge_ref else None,
        }

    def _intent(self, sale: Sale) -> dict[str, Any]:
        states = {"open": "processing", "failed": "requires_payment_method"}
        return {
            "id": sale.charge_ref,
            "object": "payment_intent",
            "status": states.get(sale.state, "succeeded"),
            "latest_charge": self._charge(sale),
            "metadata": {"payment_id": sale.payment_id},
            "last_payment_error": {"message": "Your card was declined."}
            if sale.state == "failed"
            else None,
        }

    def _charge(self, sale: Sale) -> dict[str, Any]:
        return {
            "id": f"ch_{sale.payment_id[4:]}",
            "object": "charge",
            "payment_intent": sale.charge_ref,
            "metadata": {"payment_id": sale.payment_id},
            "amount_refunded": sale.refunded,
            "disputed": sale.state in ("charged_back", "dispute_won"),
            "balance_transaction": self._transaction("txn_1", sale, self.fee),
        }

    def _dispute(self, sale: Sale) -> dict[str, Any]:
        is_won = sale.state == "dispute_won"
        return {
            "id": f"dp_{sale.payment_id[4:]}",
            "object": "dispute",
            "amount": sale.amount,
            "currency": sale.currency,
            "charge": f"ch_{sale.payment_id[4:]}",
            "payment_intent": sale.charge_ref,
            "reason": "fraudulent",
            "status": "won" if is_won else "needs_response",
            "balance_transactions": [
                self._transaction("txn_2", sale, 1500),
                *([self._transaction("txn_3", sale, 0)] if is_won else []),
            ],
            **self.dispute,
        }

    def _transaction(self, name: str, sale: Sale, fee: int) -> dict[str, Any]:
        return {
            "id": name,
            "object": "balance_transaction",
            "currency": sale.currency,
            "fee": fee,
            "amount": sale.amount,
        }


def _list(found: list[Any]) -> web.Response:
    return web.json_response({"object": "list", "data": found, "has_more": False, "url": "/v1/x"})


def _error(status: int, kind: str, message: str, code: str | None = None) -> web.Response:
    return web.json_response(
        {"error": {"type": kind, "message": message, "code": code}}, status=status
    )
