"""Tips: from a wallet to a channel, once, never more than there is, and only to who may receive."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from mediaserver.accounts.users import User, set_banned_until
from mediaserver.channels import deletion
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, MediaserverError, NotFound
from mediaserver.moderation import restrictions
from mediaserver.money import ledger
from mediaserver.money.contributions import Words, contribution
from mediaserver.money.giving import Giving, TermsChange
from mediaserver.money.ledger import Kind
from mediaserver.money.tips import Tips, quick_amounts
from tests.unit.money.givers import CONFIG, fund, give, held, open_channel


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    return await open_channel(db, clock, alice)


@pytest.fixture
def tips(db: Database, clock: FakeClock) -> Tips:
    return Tips(db, clock, CONFIG)


def count(tx: Transaction) -> int:
    return int(tx.execute(select(func.count()).select_from(contribution)).scalar_one())


async def test_a_tip_is_split_and_booked(
    db: Database, tips: Tips, channel: Channel, alice: User, bob: User
) -> None:
    await fund(db, bob, 1_000)
    given = await give(tips, bob, channel.slug, 500, message="Hello")
    assert (given.state, given.amount_minor) == ("paid", 500)
    assert (given.commission_bps, given.fee_minor, given.net_minor) == (2200, 110, 390)
    assert await held(db, Kind.WALLET, bob.id) == 500
    assert await held(db, Kind.EARNINGS_PENDING, alice.id) == 390
    assert await held(db, Kind.COMMISSION, ledger.SITE) == 110


async def test_two_tabs_spend_the_same_balance_once(
    db: Database, tips: Tips, channel: Channel, bob: User
) -> None:
    await fund(db, bob, 500)
    both = await asyncio.gather(
        *(give(tips, bob, channel.slug, 400) for _ in range(2)), return_exceptions=True
    )
    refused = [one for one in both if isinstance(one, Conflict)]
    assert [one.code for one in refused] == ["insufficient_funds"]
    assert await held(db, Kind.WALLET, bob.id) == 100


async def test_fifty_tips_at_once_overdraw_nothing(
    db: Database, tips: Tips, channel: Channel, alice: User, bob: User
) -> None:
    await fund(db, bob, 30 * 137 + 100)
    done = await asyncio.gather(
        *(give(tips, bob, channel.slug, 137) for _ in range(50)), return_exceptions=True
    )
    given = [one for one in done if not isinstance(one, BaseException)]
    assert len(given) == 30
    assert {one.code for one in done if isinstance(one, MediaserverError)} == {"insufficient_funds"}
    assert await held(db, Kind.WALLET, bob.id) == 100
    fees = sum(one.fee_minor for one in given)
    assert await held(db, Kind.COMMISSION, ledger.SITE) == fees
    assert await held(db, Kind.EARNINGS_PENDING, alice.id) == 30 * 137 - fees
    assert await db.read(count) == 30, "what was refused has left nothing behind"
    for one in given:
        assert one.entry_id is not None
        entry = await db.read(ledger.get_entry, one.entry_id)
        assert sum(transfer.amount_minor for transfer in entry.transfers) == 137


async def test_the_same_key_gives_once(
    db: Database, tips: Tips, channel: Channel, bob: User, alice: User
) -> None:
    await fund(db, bob, 1_000)
    words = Words.checked("Hello")
    first = await tips.give(bob, channel.slug, 200, words, "key-1")
    assert await tips.give(bob, channel.slug, 200, words, "key-1") == first
    for amount, said in ((201, words), (200, Words.checked("Bye"))):
        with pytest.raises(Conflict) as caught:
            await tips.give(bob, channel.slug, amount, said, "key-1")
        assert caught.value.code == "idempotency_key"
    together = await asyncio.gather(
        *(tips.give(bob, channel.slug, 100, words, "key-2") for _ in range(8))
    )
    assert len({one.id for one in together}) == 1
    assert await held(db, Kind.WALLET, bob.id) == 700


@pytest.mark.parametrize("key", ["", "ü", "a b", "k" * 101])
async def test_keys_that_are_none(tips: Tips, channel: Channel, bob: User, key: str) -> None:
    with pytest.raises(Invalid):
        await tips.give(bob, channel.slug, 200, Words(), key)


@pytest.mark.parametrize(
    ("amount_minor", "code"),
    [
        (0, "amount_too_small"),
        (-500, "amount_too_small"),
        (99, "amount_too_small"),
        (limits.AMOUNT_MINOR_MAX + 1, "amount_too_large"),
        (2**63, "amount_too_large"),
    ],
)
async def test_amounts_that_are_none(
    db: Database, tips: Tips, channel: Channel, bob: User, amount_minor: int, code: str
) -> None:
    await fund(db, bob, 1_000)
    with pytest.raises(Invalid) as caught:
        await give(tips, bob, channel.slug, amount_minor)
    assert (caught.value.code, caught.value.field) == (code, "amount_minor")
    assert await held(db, Kind.WALLET, bob.id) == 1_000


async def test_who_may_not_receive_or_give(
    db: Database,
    clock: FakeClock,
    tips: Tips,
    channel: Channel,
    alice: User,
    bob: User,
    admin: User,
) -> None:
    await fund(db, bob, 1_000)
    await fund(db, alice, 1_000)

    async def refusal(sender: User, slug: str) -> tuple[type, str]:
        with pytest.raises(MediaserverError) as caught:
            await give(tips, sender, slug, 200)
        return type(caught.value), caught.value.code

    assert await refusal(alice, channel.slug) == (Forbidden, "own_channel")
    assert await refusal(replace(bob, is_banned=True), channel.slug) == (Forbidden, "banned")
    assert await refusal(bob, "nobody") == (NotFound, "channel_not_found")
    unverified = await open_channel(db, clock, admin, "admin-tv", is_verified=False)
    assert await refusal(bob, unverified.slug) == (Forbidden, "not_verified")
    await db.write(
        restrictions.impose,
        channel.id,
        bob.id,
        reason="",
        made_by_id=alice.id,
        now_ms=clock.wall_ms(),
        until_ms=None,
    )
    assert await refusal(bob, channel.slug) == (Forbidden, "shut_out")
    await db.write(restrictions.lift, channel.id, bob.id)
    await db.write(set_banned_until, alice.id, clock.wall_ms() + 1_000)
    assert await refusal(bob, channel.slug) == (NotFound, "channel_unavailable")
    await db.write(set_banned_until, alice.id, None)
    await deletion.Deletion(db, clock).delete(alice, channel.slug)
    assert await refusal(bob, channel.slug) == (NotFound, "channel_not_found")
    assert await held(db, Kind.WALLET, bob.id) == 1_000


async def test_a_frozen_wallet_gives_nothing(
    db: Database, tips: Tips, channel: Channel, bob: User
) -> None:
    await fund(db, bob, 1_000)
    await db.write(ledger.freeze, ledger.wallet_of(bob.id, "USD"), "A dispute.", 1)
    with pytest.raises(Conflict) as caught:
        await give(tips, bob, channel.slug, 200)
    assert caught.value.code == "frozen"
    assert await held(db, Kind.WALLET, bob.id) == 1_000


@pytest.mark.parametrize("settings", [{"enabled": False}, {"wallet": False}])
async def test_a_site_without_wallets(
    db: Database, clock: FakeClock, channel: Channel, bob: User, settings: dict[str, bool]
) -> None:
    await fund(db, bob, 1_000)
    closed = Tips(db, clock, MoneyConfig(**settings))
    with pytest.raises(NotFound):
        await give(closed, bob, channel.slug, 200)
    with pytest.raises(NotFound):
        await closed.invite(bob, channel.slug)


async def test_the_channels_own_terms_hold(
    db: Database, clock: FakeClock, tips: Tips, channel: Channel, alice: User, bob: User
) -> None:
    await fund(db, bob, 1_000)
    giving = Giving(db, clock, CONFIG)
    await giving.change(alice, channel.slug, TermsChange(tip_minor_min=300))
    with pytest.raises(Invalid, match=r"\$3\.00"):
        await give(tips, bob, channel.slug, 299)
    await giving.change(alice, channel.slug, TermsChange(takes_tips=False))
    with pytest.raises(Forbidden) as caught:
        await give(tips, bob, channel.slug, 500)
    assert caught.value.code == "takes_no_tips"
    invited = await tips.invite(bob, channel.slug)
    assert invited.refusal is not None
    assert invited.refusal.code == "takes_no_tips"
    assert invited.wallet is not None
    assert invited.wallet.balance_minor == 1_000


@pytest.mark.parametrize("message", ["😀" * 10_000, "line\nbreak", "nul\0", "a" + "\u0301" * 50])
def test_messages_that_are_none(message: str) -> None:
    with pytest.raises(Invalid) as caught:
        Words.checked(message)
    assert caught.value.field == "message"


def test_a_message_that_only_deceives_is_made_plain() -> None:
    words = Words.checked("  pay\u202eme\u200f  ")
    assert words.message == "payme", "nothing turns the line round"
    assert Words.checked("<script>alert(1)</script>").message == "<script>alert(1)</script>"


def test_quick_amounts() -> None:
    assert quick_amounts(100) == [100, 200, 500, 1_000, 2_000]
    assert quick_amounts(150) == [200, 500, 1_000, 2_000, 5_000]
    assert quick_amounts(500, 1_500) == [500, 1_000]
    assert quick_amounts(1) == [1, 2, 5, 10, 20]
