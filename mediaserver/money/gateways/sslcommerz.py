"""SSLCommerz, API v4: a payment on its own page.

Its password travels in the query of every question, so no address is ever logged (http.py). Only
the fields that a notification names in `verify_key` are signed; it is asked all the same. The
browser comes back by a POST from another site, which routes/hooks.py answers.

Sources: developer.sslcommerz.com/doc/v4. How refunds repeat is the least certain part of it: no
account was there to try.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import SslcommerzConfig
from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.kernel.ids import same
from mediaserver.money.currencies import CURRENCIES, Currency, parsed_amount, plain
from mediaserver.money.gateways.gateway import (
    Checkout,
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

_TAKEN = frozenset(("BDT", "EUR", "GBP", "AUD", "USD", "CAD", "SGD", "INR", "MYR"))

_PAID = ("VALID", "VALIDATED")
"""Validated is what was asked about before."""

_STANDINGS: Mapping[str, Standing] = {
    "PENDING": "open",
    "UNATTEMPTED": "open",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
}

_QUERY = "/validator/api/merchantTransIDvalidationAPI.php"


class SslcommerzGateway:
    """See `gateway.Gateway`. How much was refunded `fetch` can't tell: SSLCommerz doesn't list it.

    A payment's `provider_ref` is the session, its `charge_ref` the transaction of the bank.
    """

    name = "sslcommerz"
    label = "Card, bKash, bank (SSLCommerz)"
    can_refund = True

    def __init__(
        self,
        config: SslcommerzConfig,
        production: bool,
        clock: Clock,
        *,
        timeout_s: float = limits.GATEWAY_TIMEOUT_S,
    ) -> None:
        self.is_test = not production
        self._config = config
        self._wire = Wire("SSLCommerz", timeout_s)
        host = "securepay" if production else "sandbox"
        self._url = config.api_url.rstrip("/") or f"https://{host}.sslcommerz.com"

    async def create(self, order: Order) -> Checkout:
        if order.currency not in _TAKEN:
            raise Invalid(f"SSLCommerz doesn't take {order.currency}.", field="currency")
        form = {
            "total_amount": plain(order.amount_minor, CURRENCIES[order.currency]),
            "currency": order.currency,
            "tran_id": order.payment_id,
            "value_a": order.payment_id,
            "success_url": order.return_url,
            "fail_url": order.return_url,
            "cancel_url": order.cancel_url,
            "ipn_url": order.notify_url,
            "product_name": order.description,
            "product_category": "donation",
            "product_profile": "non-physical-goods",
            "shipping_method": "NO",
            "num_of_item": "1",
            # It wants to know more of people than we do.
            "cus_name": "Viewer",
            "cus_email": order.email or "viewer@example.com",
            "cus_add1": "-",
            "cus_city": "-",
            "cus_postcode": "0000",
            "cus_country": "Bangladesh",
            "cus_phone": "00000000000",
            **self._account(),
        }
        _, answer = await self._wire.ask(
            "POST",
            f"{self._url}/gwprocess/v4/api.php",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
        )
        if answer.get("status") != "SUCCESS" or not answer.get("GatewayPageURL"):
            raise self._refused(answer.get("failedreason", ""))
        return Checkout(str(answer["GatewayPageURL"]), str(answer.get("sessionkey", "")))

    def parse(self, notification: Notification) -> Hint:
        try:
            pairs = parse_qsl(
                notification.body.decode(), keep_blank_values=True, max_num_fields=200
            )
            fields = dict(pairs)
            signed, given = fields["verify_key"].split(","), fields["verify_sign_sha2"]
            order_id, status = fields["tran_id"], fields["status"]
        except (ValueError, KeyError):
            raise Invalid("That is no notification of SSLCommerz.") from None
        if len(fields) != len(pairs):
            raise Invalid("A field is there twice.")
        if not (_is_covered(fields, signed) and same(self._signature(fields, signed), given)):
            raise Forbidden("The signature is wrong.", code="signature")
        if fields.get("store_id", self._config.store_id) != self._config.store_id:
            raise Forbidden("It is for another store.", code="store")
        is_known = status in _PAID or status in _STANDINGS
        return Hint(given, status if is_known else "unknown", order_id)

    async def fetch(self, reference: Reference) -> Status | None:
        answer = await self._query(_QUERY, {"tran_id": reference.payment_id})
        with self._wire.reading():
            attempts = sorted(_attempts(answer, reference), key=lambda one: str(one["tran_date"]))
            paid = [one for one in attempts if one["status"] in _PAID]
            if paid:
                return await self._paid(reference, paid)
            if attempts:
                waiting = [one for one in attempts if _STANDINGS[one["status"]] == "open"]
                return _unpaid(reference, (waiting or attempts)[-1])
        if reference.provider_ref:
            return Status("open", reference.amount_minor, reference.currency)
        return None

    async def refund(self, reference: Reference, amount_minor: int, key: str) -> RefundAnswer:
        """`key` is theirs as `refund_trans_id`: asked again, they answer "processing" with the
        refund that is there, and how that stands is asked in turn.
        """
        answer = await self._query(
            _QUERY,
            {
                "bank_tran_id": reference.charge_ref,
                "refund_trans_id": short_key(key),
                "refe_id": short_key(key),
                "refund_amount": plain(amount_minor, CURRENCIES[reference.currency]),
                "refund_remarks": "Refund",
            },
        )
        refund_ref = str(answer.get("refund_ref_id") or "")
        if answer.get("status") not in ("success", "processing") or not refund_ref:
            raise self._refused(answer.get("errorReason", ""))
        now = await self._query(_QUERY, {"refund_ref_id": refund_ref})
        if now.get("status") == "refunded":
            return RefundAnswer("succeeded", refund_ref)
        if now.get("status") == "cancelled":
            return RefundAnswer("failed", refund_ref, said(now.get("errorReason", "")))
        return RefundAnswer("pending", refund_ref)

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def _paid(self, reference: Reference, paid: Sequence[Mapping[str, Any]]) -> Status:
        """Each is validated. Two sessions of one payment may both have been paid: that is more
        than was asked for, so it is looked at by somebody.
        """
        valid = [await self._validated(reference, one) for one in paid]
        amounts = [_amount(one or first) for one, first in zip(valid, paid, strict=True)]
        is_risky = any(one is None or str(one.get("risk_level", "0")) == "1" for one in valid)
        currencies = {currency.code for _, currency in amounts}
        return Status(
            "review" if is_risky or len(paid) > 1 else "paid",
            sum(amount for amount, _ in amounts),
            currencies.pop() if len(currencies) == 1 else "XXX",
            charge_ref=str(paid[0].get("bank_tran_id", "")),
            fee_minor=sum(_fee(one) for one in paid),
            detail=f"It was paid {len(paid)} times." if len(paid) > 1 else "",
        )

    async def _validated(
        self, reference: Reference, one: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        answer = await self._query(
            "/validator/api/validationserverAPI.php", {"val_id": str(one.get("val_id", ""))}
        )
        is_it = answer.get("tran_id") == reference.payment_id and answer.get("status") in _PAID
        return answer if is_it else None

    async def _query(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        status, answer = await self._wire.ask(
            "GET", self._url + path, query={**query, **self._account(), "v": "1", "format": "json"}
        )
        connected = answer.get("APIConnect")
        if connected is None:
            raise self._wire.nonsense()
        if status >= 400 or connected != "DONE":
            raise self._refused(connected)
        return answer

    def _account(self) -> dict[str, str]:
        return {"store_id": self._config.store_id, "store_passwd": self._config.store_password}

    def _signature(self, fields: Mapping[str, str], signed: Sequence[str]) -> str:
        password = sha256(self._config.store_password.encode()).hexdigest()
        covered = {name: fields[name] for name in signed} | {"store_passwd": password}
        line = "&".join(f"{name}={covered[name]}" for name in sorted(covered))
        return sha256(line.encode()).hexdigest()

    def _refused(self, why: object) -> GatewayRefused:
        return GatewayRefused(f"SSLCommerz refuses: {said(why, self._config.store_password)}")


def _is_covered(fields: Mapping[str, str], signed: Sequence[str]) -> bool:
    """Whether everything that is signed is there, and everything that we go by is signed."""
    return {"tran_id"} | ({"val_id"} & fields.keys()) <= set(signed) <= fields.keys()


def _attempts(answer: Mapping[str, Any], reference: Reference) -> list[dict[str, Any]]:
    """What was tried to pay it. Nothing was when there is no list: then it is some text."""
    if int(answer["no_of_trans_found"]) == 0:
        return []
    return [one for one in answer["element"] if one["tran_id"] == reference.payment_id]


def _unpaid(reference: Reference, last: Mapping[str, Any]) -> Status:
    return Status(
        _STANDINGS[last["status"]],
        reference.amount_minor,
        reference.currency,
        charge_ref=str(last.get("bank_tran_id") or ""),
        detail=said(last.get("error") or ""),
    )


def _amount(one: Mapping[str, Any]) -> tuple[int, Currency]:
    """What the buyer was asked for: `amount` is that in taka."""
    currency = CURRENCIES[one["currency_type"]]
    return parsed_amount(str(one["currency_amount"]), currency), currency


def _fee(one: Mapping[str, Any]) -> int:
    """What SSLCommerz keeps, known in taka alone. No payment waits for that to be readable."""
    taka = CURRENCIES["BDT"]
    if one["currency_type"] != taka.code:
        return 0
    try:
        return max(0, _amount(one)[0] - parsed_amount(str(one.get("store_amount")), taka))
    except Invalid:
        return 0
