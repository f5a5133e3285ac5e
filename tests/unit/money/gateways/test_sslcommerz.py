"""What only SSLCommerz has: a signature that says what it covers, validation, risk."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

import pytest

from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.money.gateways.gateway import GatewayDown, Notification, Status
from tests.gateways import sslcommerz
from tests.gateways.sslcommerz import STORE_PASSWORD
from tests.unit.money.gateways.conftest import PAYMENT_ID, Bench


async def fetched(bench: Bench) -> Status:
    status = await bench.gateway.fetch(bench.reference())
    assert status is not None
    return status


async def test_paid_stays_paid_after_it_was_validated(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    first = await fetched(sslcommerz_bench)
    assert first == await fetched(sslcommerz_bench)
    assert first.standing == "paid"
    assert first.fee_minor == 150_000 // 40


async def test_a_risky_payment_is_looked_at_first(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.opened()
    sslcommerz_bench.simulator.pay(PAYMENT_ID, "review")
    assert (await fetched(sslcommerz_bench)).standing == "review"


async def test_two_sessions_of_one_payment_are_told_as_both(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    sslcommerz_bench.simulator.doubled.add(PAYMENT_ID)
    status = await fetched(sslcommerz_bench)
    assert (status.standing, status.amount_minor) == ("review", 300_000)
    assert "2 times" in status.detail


async def test_another_currency_is_told_as_it_was_asked_for(sslcommerz_bench: Bench) -> None:
    sslcommerz_bench.currency = "USD"
    await sslcommerz_bench.paid()
    status = await fetched(sslcommerz_bench)
    assert (status.amount_minor, status.currency) == (150_000, "USD")
    assert status.fee_minor == 0, "known in taka alone"


async def test_a_payment_in_another_currency_than_asked_is_told(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    sslcommerz_bench.simulator.sales[PAYMENT_ID].currency = "USD"
    assert (await fetched(sslcommerz_bench)).currency == "USD"


async def test_what_the_validation_does_not_confirm_is_looked_at(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    simulator, attempt = sslcommerz_bench.simulator, sslcommerz_bench.simulator.attempt
    asked: list[str] = []

    def of_another(payment_id: str) -> dict[str, str]:
        """The query says one thing, the validation that it is of another order."""
        asked.append(payment_id)
        found: dict[str, str] = attempt(payment_id)
        return found if len(asked) == 1 else {**found, "tran_id": "pay_another0another0anot"}

    simulator.attempt = of_another
    assert (await fetched(sslcommerz_bench)).standing == "review"


async def test_a_currency_that_it_does_not_take_is_refused(sslcommerz_bench: Bench) -> None:
    sslcommerz_bench.currency = "JPY"
    with pytest.raises(Invalid):
        await sslcommerz_bench.opened()
    assert sslcommerz_bench.simulator.asked == []


async def test_an_amount_that_is_none_makes_no_sense(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    attempt = sslcommerz_bench.simulator.attempt
    sslcommerz_bench.simulator.attempt = lambda payment_id: {
        **attempt(payment_id),
        "currency_amount": "1e3",
    }
    with pytest.raises(GatewayDown):
        await fetched(sslcommerz_bench)


async def test_a_fee_that_is_none_holds_up_no_payment(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    attempt = sslcommerz_bench.simulator.attempt
    sslcommerz_bench.simulator.attempt = lambda payment_id: {
        **attempt(payment_id),
        "store_amount": "1462.505",
    }
    status = await fetched(sslcommerz_bench)
    assert (status.standing, status.fee_minor) == ("paid", 0)


@pytest.mark.parametrize("unsigned", ["tran_id", "val_id"])
async def test_what_it_is_about_must_be_signed(sslcommerz_bench: Bench, unsigned: str) -> None:
    """Somebody signs with nothing of it a notification of their own and adds the rest."""
    await sslcommerz_bench.paid()
    fields = sslcommerz_bench.simulator.attempt(PAYMENT_ID)
    value = fields.pop(unsigned)
    signed = sslcommerz.signed(fields, STORE_PASSWORD)
    with pytest.raises((Forbidden, Invalid)):
        sslcommerz_bench.gateway.parse(sslcommerz.told({**signed, unsigned: value}))


async def test_a_name_that_is_signed_must_be_there(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    signed = sslcommerz.signed(sslcommerz_bench.simulator.attempt(PAYMENT_ID), STORE_PASSWORD)
    del signed["amount"]
    with pytest.raises(Forbidden):
        sslcommerz_bench.gateway.parse(sslcommerz.told(signed))


async def test_the_older_signature_is_not_enough(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    signed = sslcommerz.signed(sslcommerz_bench.simulator.attempt(PAYMENT_ID), STORE_PASSWORD)
    del signed["verify_sign_sha2"]
    with pytest.raises(Invalid):
        sslcommerz_bench.gateway.parse(sslcommerz.told(signed))


async def test_a_field_that_is_there_twice_is_refused(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    told = sslcommerz_bench.simulator.notification(PAYMENT_ID)
    twice = told.body + b"&" + urlencode({"tran_id": "pay_another0another0anot"}).encode()
    with pytest.raises(Invalid):
        sslcommerz_bench.gateway.parse(Notification(told.headers, {}, twice))


async def test_a_notification_for_another_store_is_refused(sslcommerz_bench: Bench) -> None:
    await sslcommerz_bench.paid()
    fields = sslcommerz_bench.simulator.attempt(PAYMENT_ID) | {"store_id": "another"}
    with pytest.raises(Forbidden):
        sslcommerz_bench.gateway.parse(sslcommerz.told(sslcommerz.signed(fields, STORE_PASSWORD)))


async def test_a_refund_may_take_days_and_fail(sslcommerz_bench: Bench) -> None:
    paid = await sslcommerz_bench.paid()
    for theirs, ours in (
        ("processing", "pending"),
        ("refunded", "succeeded"),
        ("cancelled", "failed"),
    ):
        sslcommerz_bench.simulator.refund_status = theirs
        answer = await sslcommerz_bench.gateway.refund(paid, 50_000, "refund:rfd_1")
        assert answer.state == ours
    assert sslcommerz_bench.simulator.sales[PAYMENT_ID].refunded == 50_000


async def test_no_address_with_the_password_is_logged(
    sslcommerz_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    paid = await sslcommerz_bench.paid()
    await sslcommerz_bench.gateway.refund(paid, 50_000, "refund:rfd_1")
    assert "secret" not in caplog.text
    assert "store_passwd" not in caplog.text
