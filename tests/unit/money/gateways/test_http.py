"""The wire to providers: bounded, without redirects, and silent about secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mediaserver.money.gateways.gateway import GatewayDown, Notification
from mediaserver.money.gateways.http import Wire, header, said, short_key
from tests.gateways.midtrans import MidtransSimulator


@pytest.fixture
async def provider() -> AsyncIterator[MidtransSimulator]:
    async with MidtransSimulator() as simulator:
        yield simulator


async def test_an_answer_without_end_is_cut_off(provider: MidtransSimulator) -> None:
    wire = Wire("It")
    provider.mode = "huge"
    with pytest.raises(GatewayDown, match="far too much"):
        await wire.exchange("GET", f"{provider.url}/v2/1/status")
    await wire.aclose()


async def test_no_redirect_is_followed(provider: MidtransSimulator) -> None:
    wire = Wire("It")
    provider.mode = "redirect"
    with pytest.raises(GatewayDown, match="302"):
        await wire.ask("GET", f"{provider.url}/v2/1/status")
    assert provider.asked == ["GET /v2/1/status"]
    await wire.aclose()


async def test_decimals_arrive_as_they_were_written(provider: MidtransSimulator) -> None:
    wire = Wire("It")
    provider.mode, provider.odd = "odd", {"amount": 0.1}
    _, answer = await wire.ask("GET", f"{provider.url}/v2/1/status")
    assert answer == {"amount": "0.1"}
    await wire.aclose()


def test_what_is_said_has_no_secret_and_no_end() -> None:
    assert said("No such key:\n sk_1 or  whsec_2", "sk_1", "whsec_2", "") == "No such key: … or …"
    assert len(said("x" * 1_000)) == 200


def test_a_header_is_found_however_it_is_spelt() -> None:
    told = Notification({"STRIPE-signature": "t=1"}, {}, b"")
    assert header(told, "Stripe-Signature") == "t=1"
    assert header(told, "Another") == ""


def test_a_key_is_shortened_to_its_id() -> None:
    assert short_key("refund:rfd_1") == short_key("rfd_1") == "rfd_1"
