"""Transfers straight to a streamer: declared by anybody, counted once the streamer says so."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import insert

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.money.contributions import Contribution, Words
from mediaserver.money.donations import Gift
from mediaserver.money.giving import giving
from mediaserver.money.ledger import Kind
from mediaserver.money.transfers import Declaration
from tests.unit.money.paying import Paying
from tests.unit.outbox import Outbox


@pytest.fixture
async def takes_transfers(db: Database, channel: Channel) -> None:
    terms = insert(giving).values(
        channel_id=channel.id,
        takes_transfers=1,
        tip_minor_min=0,
        donation_minor_min=500,
        transfer_instructions="IBAN YY00 5678",
    )
    await db.write(lambda tx: tx.execute(terms))


def said(amount: int = 1_000, name: str = "Grace") -> Declaration:
    return Declaration("alice-tv", amount, Words("For brushes", name), "192.0.2.1")


async def declared(paying: Paying, sender: User | None = None) -> Contribution:
    return await paying.transfers.declare(sender, said())


@pytest.mark.usefixtures("takes_transfers")
async def test_the_streamer_confirms_and_nothing_can_be_withdrawn(
    paying: Paying, alice: User, bob: User, outbox: Outbox
) -> None:
    given = await declared(paying, bob)
    assert given.state == "declared"
    told = await outbox.newest(alice.email)
    assert "bob says that a transfer of $10.00" in told.body
    assert [one.id for one in await _waiting(paying, alice)] == [given.id]
    both = (paying.transfers.confirm(alice, given.id) for _ in range(3))
    assert {one.state for one in await asyncio.gather(*both)} == {"paid"}
    assert await paying.held(Kind.DIRECT_RECEIVED, alice.id) == 1_000
    assert await paying.transfers.received_minor(alice) == 1_000
    for kind in (Kind.EARNINGS_PENDING, Kind.EARNINGS_AVAILABLE):
        assert await paying.held(kind, alice.id) == 0
    assert await paying.held(Kind.COMMISSION) == 0
    assert await _waiting(paying, alice) == []


@pytest.mark.usefixtures("takes_transfers")
async def test_a_rejected_one_stays_rejected(paying: Paying, alice: User) -> None:
    given = await declared(paying)
    assert (await paying.transfers.reject(alice, given.id)).state == "rejected"
    with pytest.raises(Conflict):
        await paying.transfers.confirm(alice, given.id)
    assert await paying.held(Kind.DIRECT_RECEIVED, alice.id) == 0


@pytest.mark.usefixtures("takes_transfers")
async def test_nobody_else_decides(paying: Paying, bob: User, admin: User, alice: User) -> None:
    given = await declared(paying)
    for somebody in (bob, admin):
        with pytest.raises(Forbidden):
            await paying.transfers.confirm(somebody, given.id)
    with pytest.raises(Forbidden):
        await _waiting(paying, bob)
    with pytest.raises(NotFound):
        await paying.transfers.confirm(alice, "ctb_nothing")


@pytest.mark.usefixtures("takes_transfers")
async def test_a_donation_is_no_transfer(paying: Paying, alice: User, bob: User) -> None:
    """Or streamers would mint earnings by confirming what nobody has paid."""
    made = await paying.donations.start(bob, Gift("alice-tv", 1_000, "fake", Words()))
    given = await paying.given(made)
    with pytest.raises(NotFound):
        await paying.transfers.confirm(alice, given.id)


@pytest.mark.usefixtures("takes_transfers")
async def test_the_same_key_declares_once(paying: Paying, bob: User) -> None:
    first = await paying.transfers.declare(bob, said(), "k")
    assert await paying.transfers.declare(bob, said(), "k") == first
    with pytest.raises(Conflict):
        await paying.transfers.declare(bob, said(1_001), "k")


@pytest.mark.usefixtures("takes_transfers")
async def test_a_guests_key_declares_once_too(paying: Paying, alice: User) -> None:
    both = (paying.transfers.declare(None, said(), "k") for _ in range(4))
    assert len({one.id for one in await asyncio.gather(*both)}) == 1
    with pytest.raises(Conflict):
        await paying.transfers.declare(None, said(1_001), "k")
    for _ in range(2):
        await paying.transfers.declare(None, said())
    assert len(await _waiting(paying, alice)) == 3


@pytest.mark.usefixtures("takes_transfers")
@pytest.mark.parametrize("amount", [-1, 0, 499, 10**12 + 1, 2**63])
async def test_amounts(paying: Paying, amount: int) -> None:
    with pytest.raises(Invalid) as caught:
        await paying.transfers.declare(None, said(amount))
    assert caught.value.field == "amount_minor"


async def test_who_takes_none(paying: Paying, channel: Channel, alice: User) -> None:
    with pytest.raises(Forbidden) as caught:
        await declared(paying)
    assert caught.value.code == "no_transfers"
    with pytest.raises(Forbidden):
        await declared(paying, alice)


async def _waiting(paying: Paying, actor: User) -> list[Contribution]:
    return await paying.transfers.page(actor, "alice-tv", only_open=True)
