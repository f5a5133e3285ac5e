"""Beginning payments: limits, currencies, keys, what is offered; and that one way leads in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import Config, MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Invalid, NotFound, RateLimited
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.money.contributions import Words, contribution
from mediaserver.money.donations import Gift
from mediaserver.money.gateways.gateway import GatewayDown
from mediaserver.money.gateways.gateways import configured
from mediaserver.money.ledger import Kind
from mediaserver.money.payments import payment
from tests.unit.money.paying import Paying, count


def gift(amount: int = 1_000, **more: Any) -> Gift:
    words = more.pop("words", Words("Hello"))
    return Gift("alice-tv", amount, "fake", words, more.pop("email", "g@example.org"), **more)


@pytest.mark.parametrize("amount", [-500, 0, 499, 50_001, 10**12 + 1, 2**63])
async def test_amounts_of_top_ups(paying: Paying, bob: User, db: Database, amount: int) -> None:
    with pytest.raises(Invalid) as caught:
        await paying.topups.start(bob, amount, "fake")
    assert caught.value.field == "amount_minor"
    assert await count(db, payment) == 0
    assert paying.fake.orders == []


async def test_a_wallet_has_a_brim(paying: Paying, bob: User) -> None:
    paying.config.wallet_max = "30"
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(2_000)
    await paying.checks.run(made.id)
    with pytest.raises(Invalid) as caught:
        await paying.topups.start(bob, 1_001, "fake")
    assert caught.value.code == "wallet_full"
    await paying.topups.start(bob, 1_000, "fake")


@pytest.mark.parametrize(
    ("currency", "least", "words"),
    [("JPY", 500, "¥500"), ("KWD", 500_000, "KWD\u00a0500.000"), ("EUR", 50_000, "€500.00")],
)
async def test_currencies_with_no_and_with_three_decimals(
    db: Database,
    clock: FakeClock,
    throttles: Throttles,
    letterhead: Letterhead,
    bob: User,
    currency: str,
    least: int,
    words: str,
) -> None:
    config = MoneyConfig(currency=currency, topup_min="500", topup_max="500")
    paying = Paying(db, clock, throttles, letterhead, config)
    for wrong in (least - 1, least + 1):
        with pytest.raises(Invalid) as caught:
            await paying.topups.start(bob, wrong, "fake")
        assert words in caught.value.message
    made = await paying.topups.start(bob, least, "fake")
    assert (paying.fake.orders[0].amount_minor, made.currency) == (least, currency)
    paying.pays(least)
    await paying.checks.run(made.id)
    assert await paying.held(Kind.WALLET, bob.id) == least


async def test_the_same_key_is_the_same_payment(paying: Paying, bob: User, db: Database) -> None:
    first = await paying.topups.start(bob, 2_000, "fake", "k")
    assert await paying.topups.start(bob, 2_000, "fake", "k") == first
    with pytest.raises(Conflict) as caught:
        await paying.topups.start(bob, 2_001, "fake", "k")
    assert caught.value.code == "idempotency_key"
    with pytest.raises(Conflict):
        await paying.topups.start(bob, 2_000, "sandbox", "k")
    for bad in ("", "\n", "k" * 101, "kéy"):
        with pytest.raises(Invalid):
            await paying.topups.start(bob, 2_000, "fake", bad)
    assert await count(db, payment) == 1


async def test_two_tabs_with_one_key_begin_one_payment(
    paying: Paying, bob: User, db: Database
) -> None:
    both = (paying.topups.start(bob, 2_000, "fake", "k") for _ in range(4))
    assert len({one.id for one in await asyncio.gather(*both)}) == 1
    assert await count(db, payment) == 1


@pytest.mark.usefixtures("channel")
async def test_a_guests_key_is_bound_to_the_gift(paying: Paying) -> None:
    first = await paying.donations.start(None, gift(), "k")
    assert (await paying.donations.start(None, gift(), "k")).id == first.id
    with pytest.raises(Conflict):
        await paying.donations.start(None, gift(1_001), "k")
    other = await paying.donations.start(None, gift(email="other@example.org"), "k")
    assert other.id != first.id, "another guest"


@pytest.mark.usefixtures("channel")
async def test_a_guests_two_tabs_begin_one_payment(paying: Paying, db: Database) -> None:
    both = (paying.donations.start(None, gift(), "k") for _ in range(4))
    assert len({one.id for one in await asyncio.gather(*both)}) == 1
    assert await count(db, payment) == 1

    def begin_again(tx: Transaction) -> None:
        row = tx.execute(select(payment)).one()._asdict()
        tx.execute(insert(payment).values(row | {"id": "pay_other"}))

    with pytest.raises(IntegrityError):
        await db.write(begin_again)


@pytest.mark.usefixtures("channel")
async def test_keys_of_accounts_that_are_gone_are_nobodys(
    paying: Paying, alice: User, bob: User, db: Database
) -> None:
    """Two of them may be the same, and no guest gets what they paid."""
    first = await paying.topups.start(alice, 2_000, "fake", "k")
    second = await paying.topups.start(bob, 2_000, "fake", "k")
    await db.write(lambda tx: tx.execute(update(payment).values(user_id=None)))
    given = await paying.donations.start(None, gift(), "k")
    assert given.id not in (first.id, second.id)


@pytest.mark.usefixtures("channel")
@pytest.mark.parametrize("email", ["", "grace", "a@b", "a@example.org\nBcc: x@example.org"])
async def test_guests_say_where_the_receipt_goes(paying: Paying, db: Database, email: str) -> None:
    with pytest.raises(Invalid) as caught:
        await paying.donations.start(None, gift(email=email))
    assert caught.value.field == "email"
    assert await count(db, contribution) == 0


async def test_mistakes_cost_no_attempt_but_payments_do(paying: Paying, bob: User) -> None:
    for _ in range(30):
        with pytest.raises(Invalid):
            await paying.topups.start(bob, 1, "fake")
    for _ in range(10):
        await paying.topups.start(bob, 2_000, "fake")
    with pytest.raises(RateLimited):
        await paying.topups.start(bob, 2_000, "fake")


async def test_a_slow_gateway_is_given_up(
    paying: Paying, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(order: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(paying.fake, "create", never)
    monkeypatch.setattr("mediaserver.kernel.limits.GATEWAY_CALL_TIMEOUT_S", 0.01)
    with pytest.raises(GatewayDown):
        await paying.topups.start(bob, 2_000, "fake")


async def test_where_sslcommerz_sends_browsers_back(paying: Paying, bob: User) -> None:
    paying.fake.name = "sslcommerz"
    paying.gateways._gateways["sslcommerz"] = paying.fake
    made = await paying.topups.start(bob, 2_000, "sslcommerz")
    order = paying.fake.orders[0]
    site = "https://site.example"
    assert order.return_url == f"{site}/hooks/sslcommerz/return?payment={made.id}"
    assert order.notify_url == f"{site}/hooks/sslcommerz"


async def test_what_is_offered(
    db: Database, clock: FakeClock, vault: Vault, paying: Paying, channel: Channel
) -> None:
    def names(purpose: Any, **sections: Any) -> list[str]:
        config = Config.model_validate(sections)
        found, _ = configured(config, db, clock, vault, lambda: "https://site.example")
        return [one.name for one in found.offered(purpose)]

    keys = {
        "midtrans": {"server_key": "Mid-server-x"},
        "sslcommerz": {"store_id": "x", "store_password": "y"},
    }
    assert names("topup") == ["sandbox"]
    assert names("topup", money={"manual_instructions": "IBAN"}) == ["manual", "sandbox"]
    assert names("donation", money={"manual_instructions": "IBAN"}) == ["sandbox"]
    assert names("donation", money={"production": True}) == []
    assert names("donation", money={"currency": "IDR"}, **keys) == ["midtrans", "sandbox"]
    assert names("donation", money={"currency": "BDT"}, **keys) == ["sslcommerz", "sandbox"]
    for code in ("AUD", "CAD"):
        assert names("donation", money={"currency": code}, **keys) == ["sslcommerz", "sandbox"]
    assert names("donation", money={"enabled": False}) == []


async def test_without_wallets_there_are_no_top_ups(paying: Paying, bob: User) -> None:
    paying.config.wallet = False
    with pytest.raises(NotFound):
        await paying.topups.start(bob, 2_000, "fake")


@pytest.mark.parametrize("button", ["pay", "pay_late", "pay_five", "review"])
async def test_the_sandbox_takes_the_common_way(paying: Paying, bob: User, button: Any) -> None:
    made = await paying.topups.start(bob, 2_000, "sandbox")
    await paying.sandbox.press(made.provider_ref, button)
    if button == "review":
        assert (await paying.checks.get(made.id)).state == "review"
        await paying.sandbox.press(made.provider_ref, "approve")
    if button == "pay_late":
        assert (await paying.checks.get(made.id)).state == "open"
        await paying.checks.run(made.id)
    assert await paying.held(Kind.WALLET, bob.id) == 2_000
    with pytest.raises(Conflict):
        await paying.sandbox.press(made.provider_ref, "pay")
