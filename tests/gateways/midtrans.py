"""Midtrans in small: Snap, status, refunds, signed notifications.

Shapes: docs.midtrans.com, reference-link/request-body-json-parameter and refund-transaction,
docs/https-notification-webhooks.
"""

from __future__ import annotations

import base64
import json
from hashlib import sha512
from typing import Any

from aiohttp import web

from mediaserver.money.gateways.gateway import Notification
from tests.gateways.simulator import Sale, Simulator

SERVER_KEY = "SB-Mid-server-simulated0secret"

_STATUSES = {
    "open": ("pending", "201"),
    "paid": ("settlement", "200"),
    "review": ("capture", "201"),
    "failed": ("deny", "202"),
    "cancelled": ("cancel", "200"),
    "expired": ("expire", "202"),
    "charged_back": ("chargeback", "200"),
}


class MidtransSimulator(Simulator):
    """`payment_type`: how the buyers pay."""

    def __init__(self) -> None:
        super().__init__()
        self.payment_type = "credit_card"
        self.created: list[dict[str, Any]] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/snap/v1/transactions", self._create),
            web.get("/v2/{id}/status", self._status),
            web.post("/v2/{id}/refund", self._refund),
        ]

    def notification(self, payment_id: str) -> Notification:
        return self.told(self.body(payment_id))

    def forged(self, payment_id: str) -> Notification:
        return self.told({**self.body(payment_id), "signature_key": "0" * 128})

    def changed(self, payment_id: str) -> Notification:
        """Midtrans's signature doesn't cover the status, so this one is as good as signed."""
        return self.told({**self.body(payment_id), "transaction_status": "settlement"})

    def told(self, body: dict[str, Any]) -> Notification:
        return Notification({"Content-Type": "application/json"}, {}, json.dumps(body).encode())

    def body(self, payment_id: str) -> dict[str, Any]:
        """How a payment stands, signed: the same in notifications and in answers."""
        sale = self.sales[payment_id]
        status, code = _STATUSES[sale.state]
        if sale.refunds:
            status = "refund" if sale.refunded == sale.amount else "partial_refund"
        gross = f"{sale.amount // 100}.00"
        found: dict[str, Any] = {
            "transaction_time": "2026-11-20 10:00:00",
            "transaction_status": status,
            "transaction_id": sale.charge_ref,
            "status_message": "Success, transaction is found",
            "status_code": code,
            "signature_key": signature(payment_id, code, gross),
            "payment_type": self.payment_type,
            "order_id": payment_id,
            "merchant_id": "G141532850",
            "gross_amount": gross,
            "fraud_status": "challenge" if sale.state == "review" else "accept",
            "currency": "IDR",
            "something_new": {"that": "nobody expects"},
        }
        if sale.refunds:
            found["refund_amount"] = f"{sale.refunded // 100}.00"
            found["refunds"] = [
                {
                    "refund_chargeback_id": number,
                    "refund_amount": f"{amount // 100}.00",
                    "refund_key": key,
                }
                for number, (key, amount) in enumerate(sale.refunds.items(), 1)
            ]
        return found

    async def _create(self, request: web.Request) -> web.Response:
        if (refusal := _unauthorized(request)) is not None:
            return refusal
        wanted = json.loads(await request.read())
        details = wanted["transaction_details"]
        gross, payment_id = details["gross_amount"], details["order_id"]
        assert isinstance(gross, int)
        assert gross == sum(one["price"] * one["quantity"] for one in wanted["item_details"])
        sale = self.sales.get(payment_id)
        if sale is not None and sale.was_attempted:
            message = "transaction_details.order_id has already been taken"
            return web.json_response({"error_messages": [message]}, status=400)
        self.created.append(wanted)
        if sale is None:
            sale = self.sales[payment_id] = Sale(
                payment_id,
                f"66e4fa55-{payment_id[4:]}",
                gross * 100,
                "IDR",
                request.headers["X-Override-Notification"],
                wanted["callbacks"]["finish"],
            )
        url = f"https://app.sandbox.midtrans.com/snap/v4/redirection/{sale.ref}"
        return web.json_response({"token": sale.ref, "redirect_url": url}, status=201)

    async def _status(self, request: web.Request) -> web.Response:
        if (refusal := _unauthorized(request)) is not None:
            return refusal
        sale = self.sales.get(request.match_info["id"])
        if sale is None or not sale.was_attempted:
            missing = {"status_code": "404", "status_message": "Transaction doesn't exist."}
            return web.json_response(missing, status=404)
        return web.json_response(self.body(sale.payment_id))

    async def _refund(self, request: web.Request) -> web.Response:
        if (refusal := _unauthorized(request)) is not None:
            return refusal
        sale = self.sales[request.match_info["id"]]
        wanted = json.loads(await request.read())
        key, amount = wanted["refund_key"], wanted["amount"] * 100
        if key not in sale.refunds:
            if sale.state != "paid" or sale.refunded + amount > sale.amount:
                cannot = {"status_code": "412", "status_message": "Merchant cannot modify status"}
                return web.json_response(cannot)
            sale.refunds[key] = amount
        made = {"refund_chargeback_id": 1, "refund_key": key}
        return web.json_response({**self.body(sale.payment_id), **made, "status_code": "200"})


def signature(payment_id: str, code: str, gross: str) -> str:
    return sha512(f"{payment_id}{code}{gross}{SERVER_KEY}".encode()).hexdigest()


def _unauthorized(request: web.Request) -> web.Response | None:
    expected = base64.b64encode(f"{SERVER_KEY}:".encode()).decode()
    if request.headers.get("Authorization") == f"Basic {expected}":
        return None
    refused = {"status_code": "401", "error_messages": ["Access denied, check your server key"]}
    return web.json_response(refused, status=401)
