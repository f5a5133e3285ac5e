"""What every gateway does in the same way, each against its simulated provider."""

from __future__ import annotations

import traceback
from urllib.parse import urlsplit

import pytest

from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.money.gateways.gateway import Gateway, GatewayDown, GatewayRefused, Notification
from tests.unit.money.gateways.conftest import PAYMENT_ID, Bench


async def test_a_checkout_is_a_page_of_the_provider(bench: Bench) -> None:
    made = await bench.gateway.create(bench.order())
    address = urlsplit(made.url)
    assert (address.scheme, address.hostname) == ("https", bench.host)
    assert made.provider_ref


async def test_the_same_payment_again_is_the_same_checkout(bench: Bench) -> None:
    order = bench.order()
    assert await bench.gateway.create(order) == await bench.gateway.create(order)


@pytest.mark.parametrize("state", ["open", "paid", "failed", "expired"])
async def test_how_a_payment_stands(bench: Bench, state: str) -> None:
    opened = await bench.opened()
    await bench.pay(state)
    status = await bench.gateway.fetch(opened)
    assert status is not None
    assert status.standing == state
    assert (status.amount_minor, status.currency) == (bench.amount_minor, bench.currency)
    assert (status.refunded_minor, status.disputes) == (0, ())


async def test_a_page_that_nobody_has_used_yet_is_open(bench: Bench) -> None:
    status = await bench.gateway.fetch(await bench.opened())
    assert status is not None
    assert status.standing == "open"


async def test_what_was_never_ordered_is_unknown(bench: Bench) -> None:
    assert await bench.gateway.fetch(bench.reference()) is None


async def test_a_payment_is_found_when_its_checkout_was_lost(bench: Bench) -> None:
    await bench.opened()
    await bench.pay()
    status = await bench.gateway.fetch(bench.reference())
    assert status is not None
    assert status.standing == "paid"
    assert status.charge_ref


async def test_another_amount_is_told_as_it_is(remote: Bench) -> None:
    opened = await remote.opened()
    remote.simulator.sales[PAYMENT_ID].amount = 100
    await remote.pay()
    status = await remote.gateway.fetch(opened)
    assert status is not None
    assert (status.standing, status.amount_minor) == ("paid", 100)


async def test_a_notification_names_the_payment(bench: Bench) -> None:
    await bench.paid()
    hint = bench.gateway.parse(bench.simulator.notification(PAYMENT_ID))
    assert hint.payment_id == PAYMENT_ID
    assert hint.event_ref
    assert hint.kind


async def test_the_same_notification_again_has_the_same_name(bench: Bench) -> None:
    await bench.opened()
    refs = []
    for state in ("failed", "failed", "paid"):
        await bench.pay(state)
        refs.append(bench.gateway.parse(bench.simulator.notification(PAYMENT_ID)).event_ref)
    assert refs[0] == refs[1] != refs[2]


async def test_a_forged_notification_is_refused(bench: Bench) -> None:
    await bench.paid()
    with pytest.raises(Forbidden):
        bench.gateway.parse(bench.simulator.forged(PAYMENT_ID))


async def test_a_status_that_somebody_wrote_in_changes_nothing(bench: Bench) -> None:
    opened = await bench.opened()
    await bench.pay("failed")
    try:
        bench.gateway.parse(bench.simulator.changed(PAYMENT_ID))
    except Forbidden:
        assert bench.gateway.name != "midtrans", "its signature doesn't cover the status"
    status = await bench.gateway.fetch(opened)
    assert status is not None
    assert status.standing == "failed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"a=b",
        b'{"order_id": {}}',
        b"%00=%ff",
        b"[" * 60_000,
        b'{"amount": ' + b"9" * 5_000 + b"}",
    ],
)
async def test_nonsense_is_refused(bench: Bench, body: bytes) -> None:
    await bench.paid()
    for headers in ({}, bench.simulator.notification(PAYMENT_ID).headers):
        with pytest.raises((Forbidden, Invalid)):
            bench.gateway.parse(Notification(headers, {}, body))


async def test_a_whole_payment_is_given_back(bench: Bench) -> None:
    paid = await bench.paid()
    answer = await bench.gateway.refund(paid, bench.amount_minor, "refund:rfd_1")
    assert answer.state == "succeeded"
    assert answer.provider_ref
    assert await bench.refunded() == bench.amount_minor
    status = await bench.gateway.fetch(paid)
    assert status is not None
    assert status.standing == "paid", "the refund is told apart"
    assert status.refunded_minor == (bench.amount_minor if bench.lists_refunds else 0)


async def test_parts_are_given_back_and_no_more_than_was_paid(bench: Bench) -> None:
    paid = await bench.paid()
    for number, part in enumerate((50_000, 60_000), 1):
        answer = await bench.gateway.refund(paid, part, f"refund:rfd_{number}")
        assert answer.state == "succeeded"
    with pytest.raises(GatewayRefused):
        await bench.gateway.refund(paid, 50_000, "refund:rfd_3")
    assert await bench.refunded() == 110_000
    status = await bench.gateway.fetch(paid)
    assert status is not None
    assert status.refunded_minor == (110_000 if bench.lists_refunds else 0)


async def test_the_same_refund_asked_twice_is_given_once(bench: Bench) -> None:
    paid = await bench.paid()
    first = await bench.gateway.refund(paid, 50_000, "refund:rfd_1")
    assert await bench.gateway.refund(paid, 50_000, "refund:rfd_1") == first
    assert await bench.refunded() == 50_000


@pytest.mark.parametrize("mode", ["down", "html", "huge", "redirect"])
async def test_a_provider_that_makes_no_sense_is_down(remote: Bench, mode: str) -> None:
    paid = await remote.paid()
    remote.simulator.mode = mode
    for call in (
        remote.gateway.create(remote.order("pay_another0another0anot")),
        remote.gateway.fetch(paid),
        remote.gateway.refund(paid, 50_000, "refund:rfd_1"),
    ):
        with pytest.raises(GatewayDown) as caught:
            await call
        assert not any(secret in told(caught.value) for secret in remote.secrets)
    assert await remote.refunded() == 0
    assert "GET /elsewhere" not in remote.simulator.asked


@pytest.mark.parametrize(
    "odd",
    [
        {},
        [],
        None,
        "text",
        {"data": 1, "status": [], "element": 5, "status_code": {}, "APIConnect": "DONE"},
        {"data": [1], "element": [1], "no_of_trans_found": 1, "APIConnect": "DONE"},
        {"status_code": "200", "order_id": PAYMENT_ID, "transaction_status": {}, "refunds": 7},
        {"id": "cs_1", "object": "checkout.session", "payment_status": "paid", "status": None},
        {"id": "cs_1", "currency": 7, "amount_total": "many", "payment_intent": "pi_1"},
    ],
)
async def test_an_answer_of_another_shape_is_never_a_crash(remote: Bench, odd: object) -> None:
    paid = await remote.paid()
    remote.simulator.mode, remote.simulator.odd = "odd", odd
    for call in (
        remote.gateway.create(remote.order("pay_another0another0anot")),
        remote.gateway.fetch(paid),
        remote.gateway.refund(paid, 50_000, "refund:rfd_1"),
    ):
        with pytest.raises((GatewayDown, GatewayRefused)):
            await call


async def test_a_provider_that_is_not_there_is_down(remote: Bench) -> None:
    opened = await remote.opened()
    await remote.simulator.__aexit__(None, None, None)
    with pytest.raises(GatewayDown) as caught:
        await remote.gateway.fetch(opened)
    assert not any(secret in told(caught.value) for secret in remote.secrets)


async def test_a_provider_that_takes_too_long_is_down(remote: Bench, hasty: Gateway) -> None:
    paid = await remote.paid()
    remote.simulator.mode = "slow"
    for call in (
        hasty.create(remote.order("pay_another0another0anot")),
        hasty.fetch(paid),
        hasty.refund(paid, 50_000, "refund:rfd_1"),
    ):
        with pytest.raises(GatewayDown) as caught:
            await call
        assert not any(secret in told(caught.value) for secret in remote.secrets)


async def test_no_secret_leaves_with_a_refusal(remote: Bench, wrongly_keyed: Gateway) -> None:
    with pytest.raises(GatewayRefused) as caught:
        await wrongly_keyed.create(remote.order())
    assert "wrong_secret" not in told(caught.value)


def told(error: BaseException) -> str:
    """An error as a log would have it, with where it came from."""
    return "".join(traceback.format_exception(error))
