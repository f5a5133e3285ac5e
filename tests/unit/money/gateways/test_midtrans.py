"""What only Midtrans has: whole rupiah, a signature that covers no status, its table of states."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MidtransConfig
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid
from mediaserver.money.gateways.gateway import DisputeStatus, GatewayDown, GatewayRefused
from mediaserver.money.gateways.midtrans import MidtransGateway
from tests.gateways import midtrans
from tests.unit.money.gateways.conftest import PAYMENT_ID, Bench


async def test_what_snap_is_asked_for(midtrans_bench: Bench) -> None:
    bench = midtrans_bench
    config = MidtransConfig(
        server_key=midtrans.SERVER_KEY,
        enabled_payments=("credit_card", "bca_va", "other_qris"),
        api_url=bench.simulator.url,
    )
    gateway = MidtransGateway(config, False, bench.clock)
    await gateway.create(bench.order())
    await gateway.aclose()
    (asked,) = bench.simulator.created
    assert asked["transaction_details"] == {"order_id": PAYMENT_ID, "gross_amount": 1500}
    assert asked["enabled_payments"] == ["credit_card", "bca_va", "other_qris"]
    assert asked["callbacks"]["finish"] == f"https://site.example/payments/{PAYMENT_ID}"
    assert asked["expiry"] == {
        "start_time": "2023-11-15 05:13:20 +0700",
        "duration": 60,
        "unit": "minutes",
    }
    assert bench.simulator.sales[PAYMENT_ID].notify_url == "https://site.example/hooks/midtrans"


@pytest.mark.parametrize(("amount_minor", "currency"), [(150_050, "IDR"), (150_000, "USD")])
async def test_only_whole_rupiah_are_sent(
    midtrans_bench: Bench, amount_minor: int, currency: str
) -> None:
    midtrans_bench.currency = currency
    with pytest.raises(Invalid):
        await midtrans_bench.gateway.create(midtrans_bench.order(amount_minor=amount_minor))
    assert midtrans_bench.simulator.asked == []


@pytest.mark.parametrize(
    ("status", "fraud", "standing"),
    [
        ("settlement", "accept", "paid"),
        ("settlement", None, "paid"),
        ("capture", "accept", "paid"),
        ("capture", "challenge", "review"),
        ("pending", None, "open"),
        ("authorize", "accept", "open"),
        ("deny", "deny", "failed"),
        ("failure", None, "failed"),
        ("cancel", None, "cancelled"),
        ("expire", None, "expired"),
    ],
)
async def test_the_table_of_states(
    midtrans_bench: Bench, status: str, fraud: str | None, standing: str
) -> None:
    found = await answered(midtrans_bench, transaction_status=status, fraud_status=fraud)
    assert found is not None
    assert found.standing == standing


async def test_a_settlement_that_was_denied_later_is_no_longer_paid(midtrans_bench: Bench) -> None:
    paid = await midtrans_bench.paid()
    midtrans_bench.simulator.pay(PAYMENT_ID, "failed")
    status = await midtrans_bench.gateway.fetch(paid)
    assert status is not None
    assert status.standing == "failed"
    hint = midtrans_bench.gateway.parse(midtrans_bench.simulator.notification(PAYMENT_ID))
    assert hint.kind == "deny"


async def test_a_chargeback_is_a_dispute_that_was_lost(midtrans_bench: Bench) -> None:
    paid = await midtrans_bench.paid()
    midtrans_bench.simulator.pay(PAYMENT_ID, "charged_back")
    status = await midtrans_bench.gateway.fetch(paid)
    assert status is not None
    assert status.standing == "paid"
    ref = f"{paid.charge_ref}:chargeback"
    assert status.disputes == (DisputeStatus(ref, 150_000, 0, "lost"),)


@pytest.mark.parametrize(
    "changed",
    [
        {"transaction_status": "something_new"},
        {"transaction_status": None},
        {"gross_amount": "1,500.00"},
        {"gross_amount": "-1"},
        {"order_id": "pay_another0another0anot"},
        {"status_code": "500"},
        {"status_code": "many"},
    ],
)
async def test_an_answer_that_makes_no_sense_is_none(
    midtrans_bench: Bench, changed: dict[str, Any]
) -> None:
    with pytest.raises(GatewayDown):
        await answered(midtrans_bench, **changed)


async def test_unknown_may_be_said_in_the_body_alone(midtrans_bench: Bench) -> None:
    assert await answered(midtrans_bench, status_code="404") is None


async def answered(bench: Bench, **changed: Any) -> Any:
    """What comes of an answer about a payment, some fields of which are `changed`."""
    await bench.paid()
    body = bench.simulator.body

    def otherwise(payment_id: str) -> dict[str, Any]:
        found: dict[str, Any] = body(payment_id) | changed
        return {name: value for name, value in found.items() if value is not None}

    bench.simulator.body = otherwise
    return await bench.gateway.fetch(bench.reference())


@pytest.mark.parametrize(
    "changed",
    [
        {"order_id": "pay_another0another0anot"},
        {"gross_amount": "1.00"},
        {"status_code": "201"},
        {"signature_key": ""},
        {"signature_key": "\ud800é"},
        {"order_id": "\ud800"},
    ],
)
async def test_what_is_signed_can_not_be_changed(
    midtrans_bench: Bench, changed: dict[str, Any]
) -> None:
    await midtrans_bench.paid()
    told = midtrans_bench.simulator.told(midtrans_bench.simulator.body(PAYMENT_ID) | changed)
    with pytest.raises(Forbidden):
        midtrans_bench.gateway.parse(told)


async def test_what_is_not_signed_may_be_anything_and_is_only_a_name(
    midtrans_bench: Bench,
) -> None:
    await midtrans_bench.paid()
    odd = {"transaction_status": "\0\ud800", "transaction_id": "\0", "refund_amount": [1, {}]}
    told = midtrans_bench.simulator.told(midtrans_bench.simulator.body(PAYMENT_ID) | odd)
    hint = midtrans_bench.gateway.parse(told)
    assert (hint.kind, hint.payment_id, hint.charge_ref) == ("unknown", PAYMENT_ID, None)
    assert hint.event_ref.isalnum()


async def test_each_refund_is_told_under_a_name_of_its_own(midtrans_bench: Bench) -> None:
    paid = await midtrans_bench.paid()
    refs = []
    for number in (1, 2):
        await midtrans_bench.gateway.refund(paid, 10_000, f"refund:rfd_{number}")
        told = midtrans_bench.simulator.notification(PAYMENT_ID)
        assert json.loads(told.body)["transaction_status"] == "partial_refund"
        refs.append(midtrans_bench.gateway.parse(told).event_ref)
    assert refs[0] != refs[1]


async def test_a_refund_that_is_there_is_not_asked_for_again(midtrans_bench: Bench) -> None:
    paid = await midtrans_bench.paid()
    for _ in range(2):
        await midtrans_bench.gateway.refund(paid, 10_000, "refund:rfd_1")
    assert midtrans_bench.simulator.asked.count(f"POST /v2/{PAYMENT_ID}/refund") == 1


@pytest.mark.parametrize("payment_type", ["bank_transfer", "echannel", "cstore"])
async def test_transfers_and_shops_give_nothing_back(
    midtrans_bench: Bench, payment_type: str
) -> None:
    paid = await midtrans_bench.paid()
    midtrans_bench.simulator.payment_type = payment_type
    with pytest.raises(GatewayRefused):
        await midtrans_bench.gateway.refund(paid, 50_000, "refund:rfd_1")
    assert not any("refund" in one for one in midtrans_bench.simulator.asked)


async def test_a_refund_before_the_settlement_waits(midtrans_bench: Bench) -> None:
    paid = await midtrans_bench.paid()
    midtrans_bench.simulator.pay(PAYMENT_ID, "review")
    with pytest.raises(GatewayDown):
        await midtrans_bench.gateway.refund(paid, 50_000, "refund:rfd_1")
    midtrans_bench.simulator.pay(PAYMENT_ID)
    answer = await midtrans_bench.gateway.refund(paid, 50_000, "refund:rfd_1")
    assert answer.state == "succeeded"


async def test_an_order_that_was_tried_is_not_ordered_again(midtrans_bench: Bench) -> None:
    await midtrans_bench.paid()
    with pytest.raises(GatewayRefused, match="already been taken"):
        await midtrans_bench.gateway.create(midtrans_bench.order())


def test_a_key_of_the_sandbox_is_refused_with_real_money(clock: FakeClock) -> None:
    with pytest.raises(Conflict):
        MidtransGateway(MidtransConfig(server_key=midtrans.SERVER_KEY), True, clock)
