"""What only Stripe has: its library, its amounts, its events, disputes."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import StripeConfig
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid
from mediaserver.money.gateways.gateway import (
    DisputeStatus,
    GatewayDown,
    GatewayRefused,
    Notification,
    Reference,
    Status,
)
from mediaserver.money.gateways.stripe import StripeGateway, _Transport, from_stripe, to_stripe
from tests.gateways.stripe import SECRET_KEY, StripeSimulator
from tests.unit.money.gateways.conftest import PAYMENT_ID, Bench, connected


async def fetched(bench: Bench, reference: Reference) -> Status:
    status = await bench.gateway.fetch(reference)
    assert status is not None
    return status


async def test_the_same_key_with_another_order_is_refused(stripe_bench: Bench) -> None:
    await stripe_bench.opened()
    with pytest.raises(GatewayRefused):
        await stripe_bench.gateway.create(stripe_bench.order(amount_minor=1))
    assert stripe_bench.simulator.sales[PAYMENT_ID].amount == 150_000


@pytest.mark.parametrize("minutes", [29, 24 * 60 + 1])
async def test_a_checkout_that_ends_too_soon_or_late_is_refused(
    stripe_bench: Bench, minutes: int
) -> None:
    ends_at_ms = stripe_bench.clock.wall_ms() + minutes * 60_000
    order = replace(stripe_bench.order(), expires_at_ms=ends_at_ms)
    with pytest.raises(GatewayRefused):
        await stripe_bench.gateway.create(order)


async def test_what_was_not_answered_is_asked_again_under_the_same_key(
    stripe_bench: Bench, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def no_wait(self: _Transport, seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(_Transport, "sleep_async", no_wait)
    simulator: StripeSimulator = stripe_bench.simulator
    gateway = connected("stripe", simulator.url, clock, repetitions_max=2)
    simulator.mode, simulator.times = "down", 2
    await gateway.create(stripe_bench.order())
    assert simulator.asked == ["POST /v1/checkout/sessions"] * 3
    assert len(waits) == 2
    assert len(simulator.sales) == 1
    simulator.mode, simulator.times = "down", 3
    with pytest.raises(GatewayDown):
        await gateway.create(stripe_bench.order("pay_another0another0anot"))
    await gateway.aclose()


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("paid", "checkout.session.completed"),
        ("failed", "checkout.session.async_payment_failed"),
        ("expired", "checkout.session.expired"),
        ("charged_back", "charge.dispute.created"),
        ("dispute_won", "charge.dispute.closed"),
    ],
)
async def test_events_lead_to_their_payment(stripe_bench: Bench, state: str, kind: str) -> None:
    paid = await stripe_bench.paid()
    stripe_bench.simulator.pay(PAYMENT_ID, state)
    hint = stripe_bench.gateway.parse(stripe_bench.simulator.notification(PAYMENT_ID))
    assert hint.kind == kind
    assert hint.charge_ref == paid.charge_ref
    is_dispute = "dispute" in kind  # which knows the payment intent alone
    assert hint.payment_id == (None if is_dispute else PAYMENT_ID)


@pytest.mark.parametrize("kind", ["charge.refunded", "refund.failed", "refund.updated"])
async def test_refunds_lead_to_their_payment(stripe_bench: Bench, kind: str) -> None:
    paid = await stripe_bench.paid()
    about = {"payment_intent": paid.charge_ref, "metadata": {"payment_id": PAYMENT_ID}}
    hint = stripe_bench.gateway.parse(stripe_bench.simulator.event(kind, about))
    assert (hint.payment_id, hint.charge_ref) == (PAYMENT_ID, paid.charge_ref)


async def test_an_event_about_something_else_is_about_no_payment(stripe_bench: Bench) -> None:
    told = stripe_bench.simulator.event("payout.paid", {"object": "payout", "metadata": {}})
    hint = stripe_bench.gateway.parse(told)
    assert (hint.payment_id, hint.charge_ref) == (None, None)


@pytest.mark.parametrize(
    "about", [None, [], "text", {"metadata": "text"}, {"metadata": [], "payment_intent": {}}]
)
async def test_a_signed_event_of_another_shape_is_refused_or_about_no_payment(
    stripe_bench: Bench, about: Any
) -> None:
    try:
        hint = stripe_bench.gateway.parse(stripe_bench.simulator.event("charge.refunded", about))
    except Invalid:
        return
    assert (hint.payment_id, hint.charge_ref) == (None, None)


@pytest.mark.parametrize(("later_s", "is_fine"), [(-301, False), (-300, True), (300, True)])
async def test_old_events_are_refused(stripe_bench: Bench, later_s: int, is_fine: bool) -> None:
    await check_time(stripe_bench, later_s, is_fine)


@pytest.mark.parametrize("later_s", [301, 86_400])
async def test_events_of_the_future_are_refused(stripe_bench: Bench, later_s: int) -> None:
    await check_time(stripe_bench, later_s, False)


async def check_time(bench: Bench, later_s: int, is_fine: bool) -> None:
    await bench.paid()
    body = bench.simulator.notification(PAYMENT_ID).body
    signed = bench.simulator.signed(body, later_s=later_s)
    told = Notification({"stripe-signature": signed}, {}, body)
    if is_fine:
        assert bench.gateway.parse(told).payment_id == PAYMENT_ID
    else:
        with pytest.raises(Forbidden):
            bench.gateway.parse(told)


async def test_an_event_of_the_other_mode_is_refused(stripe_bench: Bench) -> None:
    await stripe_bench.paid()
    stripe_bench.simulator._live = True
    with pytest.raises(Forbidden) as caught:
        stripe_bench.gateway.parse(stripe_bench.simulator.notification(PAYMENT_ID))
    assert caught.value.code == "mode"


async def test_without_a_secret_no_event_is_believed(clock: FakeClock) -> None:
    gateway = StripeGateway(StripeConfig(secret_key=SECRET_KEY), False, clock)
    simulator = StripeSimulator(clock)
    body = simulator.event("checkout.session.completed", {}).body
    told = Notification({"Stripe-Signature": simulator.signed(body, secret="")}, {}, body)
    with pytest.raises(Forbidden):
        gateway.parse(told)


@pytest.mark.parametrize(
    ("key", "production"), [("sk_live_1", False), ("sk_test_1", True), ("rk_test_1", True)]
)
def test_a_key_of_the_other_mode_is_refused(clock: FakeClock, key: str, production: bool) -> None:
    with pytest.raises(Conflict):
        StripeGateway(StripeConfig(secret_key=key), production, clock)


async def test_a_dispute_is_told_with_its_fee_until_it_is_won(stripe_bench: Bench) -> None:
    paid = await stripe_bench.paid()
    stripe_bench.simulator.pay(PAYMENT_ID, "charged_back")
    ref = f"dp_{PAYMENT_ID[4:]}"
    status = await fetched(stripe_bench, paid)
    assert status.standing == "paid"
    assert status.disputes == (DisputeStatus(ref, 150_000, 1500, "open", "fraudulent"),)
    stripe_bench.simulator.pay(PAYMENT_ID, "dispute_won")
    status = await fetched(stripe_bench, paid)
    assert status.disputes == (DisputeStatus(ref, 150_000, 1500, "won", "fraudulent"),)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("under_review", "open"), ("lost", "lost"), ("warning_needs_response", None)],
)
async def test_a_part_may_be_disputed_and_an_inquiry_is_no_dispute(
    stripe_bench: Bench, theirs: str, ours: str | None
) -> None:
    paid = await stripe_bench.paid()
    stripe_bench.simulator.pay(PAYMENT_ID, "charged_back")
    stripe_bench.simulator.dispute = {"amount": 40_000, "status": theirs}
    status = await fetched(stripe_bench, paid)
    told = [(one.amount_minor, one.state) for one in status.disputes]
    assert told == ([] if ours is None else [(40_000, ours)])


async def test_the_fee_is_known_in_the_payments_currency_alone(stripe_bench: Bench) -> None:
    paid = await stripe_bench.paid()
    assert (await fetched(stripe_bench, paid)).fee_minor == 59
    simulator: StripeSimulator = stripe_bench.simulator
    transaction = simulator._transaction

    def in_euro(*given: Any) -> Mapping[str, Any]:
        return {**transaction(*given), "currency": "eur"}

    simulator._transaction = in_euro  # type: ignore[method-assign,assignment]
    assert (await fetched(stripe_bench, paid)).fee_minor == 0


async def test_a_refund_stays_one_after_stripe_has_forgotten_its_key(stripe_bench: Bench) -> None:
    paid = await stripe_bench.paid()
    stripe_bench.simulator.refund_status = "pending"
    first = await stripe_bench.gateway.refund(paid, 50_000, "refund:rfd_1")
    assert first.state == "pending"
    assert (await fetched(stripe_bench, paid)).refunded_minor == 0
    stripe_bench.simulator.forget_keys()
    stripe_bench.simulator.refunds[0]["status"] = "succeeded"
    again = await stripe_bench.gateway.refund(paid, 50_000, "refund:rfd_1")
    assert (again.state, again.provider_ref) == ("succeeded", first.provider_ref)
    assert (await fetched(stripe_bench, paid)).refunded_minor == 50_000
    stripe_bench.simulator.refunds[0]["status"] = "failed"
    assert (await stripe_bench.gateway.refund(paid, 50_000, "refund:rfd_1")).state == "failed"
    assert (await fetched(stripe_bench, paid)).refunded_minor == 0
    assert stripe_bench.simulator.sales[PAYMENT_ID].refunded == 50_000


@pytest.mark.parametrize(
    ("ours", "code", "theirs"),
    [
        (1_250, "USD", 1_250),
        (1_250, "JPY", 1_250),
        (500, "ISK", 50_000),
        (500, "UGX", 50_000),
        (150_050, "IDR", 150_050),
        (12_340, "KWD", 12_340),
    ],
)
def test_amounts_in_stripes_units(ours: int, code: str, theirs: int) -> None:
    assert to_stripe(ours, code) == theirs
    assert from_stripe(theirs, code) == ours


@pytest.mark.parametrize("code", ["BHD", "JOD", "KWD", "OMR", "TND"])
async def test_a_third_digit_behind_the_point_is_refused_before_anything_is_asked(
    stripe_bench: Bench, code: str
) -> None:
    stripe_bench.currency = code
    with pytest.raises(Invalid):
        await stripe_bench.gateway.create(stripe_bench.order(amount_minor=1_001))
    assert stripe_bench.simulator.asked == []


def test_the_library_is_not_imported_without_need() -> None:
    code = "import sys, mediaserver.server; sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_library_logs_no_requests() -> None:
    assert not logging.getLogger("stripe").isEnabledFor(logging.INFO)
