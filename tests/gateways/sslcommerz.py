"""SSLCommerz in small: sessions, notifications (IPN), validation, queries, refunds.

Shapes: developer.sslcommerz.com/doc/v4.
"""

from __future__ import annotations

from hashlib import md5, sha256
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from mediaserver.money.gateways.gateway import Notification
from tests.gateways.simulator import Sale, Simulator

STORE_ID = "testbox"
STORE_PASSWORD = "simulated&secret@ssl"

_STATUSES = {
    "open": "PENDING",
    "paid": "VALID",
    "review": "VALID",
    "failed": "FAILED",
    "cancelled": "CANCELLED",
    "expired": "EXPIRED",
}


class SslcommerzSimulator(Simulator):
    """`doubled`: payments that were paid in two sessions. `refund_status`: how refunds stand."""

    def __init__(self) -> None:
        super().__init__()
        self.doubled: set[str] = set()
        self.refund_status = "refunded"
        self._validated: set[str] = set()
        self._refund_keys: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/gwprocess/v4/api.php", self._create),
            web.get("/validator/api/validationserverAPI.php", self._validate),
            web.get("/validator/api/merchantTransIDvalidationAPI.php", self._query),
        ]

    def notification(self, payment_id: str) -> Notification:
        return told(signed(self.attempt(payment_id), STORE_PASSWORD))

    def forged(self, payment_id: str) -> Notification:
        return told(signed(self.attempt(payment_id), "guessed"))

    def changed(self, payment_id: str) -> Notification:
        return told({**signed(self.attempt(payment_id), STORE_PASSWORD), "status": "VALID"})

    def attempt(self, payment_id: str) -> dict[str, str]:
        """A payment as its bank reported it; in taka what isn't in taka, at 100 to one."""
        sale = self.sales[payment_id]
        taka = sale.amount if sale.currency == "BDT" else sale.amount * 100
        found = {
            "status": _STATUSES[sale.state],
            "tran_date": "2026-11-20 10:00:00",
            "tran_id": payment_id,
            "amount": _decimal(taka),
            "store_amount": _decimal(taka - taka // 40),
            "currency": "BDT",
            "currency_type": sale.currency,
            "currency_amount": _decimal(sale.amount),
            "currency_rate": "1.0000" if sale.currency == "BDT" else "100.0000",
            "bank_tran_id": sale.charge_ref,
            "card_type": "VISA-Dutch Bangla",
            "value_a": payment_id,
            "risk_level": "1" if sale.state == "review" else "0",
            "risk_title": "High" if sale.state == "review" else "Safe",
            "store_id": STORE_ID,
            "error": "" if sale.state in ("paid", "review") else "Declined",
        }
        if sale.state in ("paid", "review"):
            found["val_id"] = f"2011201000{payment_id[4:]}"
        return found

    async def _create(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if (form["store_id"], form["store_passwd"]) != (STORE_ID, STORE_PASSWORD):
            why = f"Store Credential Error Or Store is De-active: {form['store_passwd']}"
            return web.json_response({"status": "FAILED", "failedreason": why, "sessionkey": ""})
        for name in ("cus_name", "cus_email", "cus_add1", "cus_city", "cus_country", "cus_phone"):
            assert form[name], name
        assert len(form["tran_id"]) <= 30
        payment_id = form["tran_id"]
        sale = self.sales.setdefault(
            payment_id,
            Sale(
                payment_id,
                f"{len(self.sales)}{md5(payment_id.encode()).hexdigest().upper()}",
                round(float(form["total_amount"]) * 100),
                form["currency"],
                form["ipn_url"],
                form["success_url"],
            ),
        )
        url = f"https://sandbox.sslcommerz.com/gwprocess/v4/gw.php?Q=PAY&SESSIONKEY={sale.ref}"
        return web.json_response(
            {"status": "SUCCESS", "failedreason": "", "sessionkey": sale.ref, "GatewayPageURL": url}
        )

    async def _validate(self, request: web.Request) -> web.Response:
        if not _is_known(request):
            return web.json_response({"APIConnect": "FAILED", "status": "INVALID_TRANSACTION"})
        val_id = request.query["val_id"]
        for payment_id in self.sales:
            found = self.attempt(payment_id)
            if found.get("val_id") == val_id and found["status"] == "VALID":
                again = val_id in self._validated
                self._validated.add(val_id)
                return web.json_response(
                    {"APIConnect": "DONE", **found, "status": "VALIDATED" if again else "VALID"}
                )
        return web.json_response({"APIConnect": "DONE", "status": "INVALID_TRANSACTION"})

    async def _query(self, request: web.Request) -> web.Response:
        if not _is_known(request):
            return web.json_response({"APIConnect": "FAILED"})
        if "refund_trans_id" in request.query:
            return web.json_response({"APIConnect": "DONE", **self._refund(request)})
        if "refund_ref_id" in request.query:
            ref = request.query["refund_ref_id"]
            known = ref in self._refund_keys.values()
            status = self.refund_status if known else "failed"
            return web.json_response({"APIConnect": "DONE", "status": status, "errorReason": ""})
        sale = self.sales.get(request.query["tran_id"])
        found: list[Any] = []
        if sale is not None and sale.was_attempted:
            found = [self.attempt(sale.payment_id)]
            if found[0].get("val_id") in self._validated:
                found[0]["status"] = "VALIDATED"
            if sale.payment_id in self.doubled:
                found.append({**found[0], "bank_tran_id": "another"})
        return web.json_response(
            {"APIConnect": "DONE", "no_of_trans_found": len(found), "element": found}
        )

    def _refund(self, request: web.Request) -> dict[str, Any]:
        asked = request.query
        assert len(asked["refund_trans_id"]) <= 30
        key, amount = asked["refund_trans_id"], round(float(asked["refund_amount"]) * 100)
        sale = next((s for s in self.sales.values() if s.charge_ref == asked["bank_tran_id"]), None)
        if key in self._refund_keys:
            return {"status": "processing", "refund_ref_id": self._refund_keys[key]}
        if sale is None or sale.refunded + amount > sale.amount:
            return {"status": "failed", "errorReason": "Refund amount is too high"}
        sale.refunds[key] = amount
        self._refund_keys[key] = f"59bd63fea5455{len(self._refund_keys)}"
        return {"status": "success", "refund_ref_id": self._refund_keys[key], "errorReason": ""}


def signed(fields: dict[str, str], password: str) -> dict[str, str]:
    """With everything signed but the error, as the sandbox does."""
    names = sorted(fields.keys() - {"error"})

    def sign(hashed: Any) -> str:
        covered = {name: fields[name] for name in names}
        covered["store_passwd"] = hashed(password.encode()).hexdigest()
        line = "&".join(f"{name}={covered[name]}" for name in sorted(covered))
        return str(hashed(line.encode()).hexdigest())

    return {
        **fields,
        "verify_key": ",".join(names),
        "verify_sign": sign(md5),
        "verify_sign_sha2": sign(sha256),
    }


def told(fields: dict[str, str]) -> Notification:
    return Notification(
        {"Content-Type": "application/x-www-form-urlencoded"}, {}, urlencode(fields).encode()
    )


def _is_known(request: web.Request) -> bool:
    return (request.query.get("store_id"), request.query.get("store_passwd")) == (
        STORE_ID,
        STORE_PASSWORD,
    )


def _decimal(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02}"
