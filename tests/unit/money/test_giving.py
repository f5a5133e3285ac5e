"""The terms on which a channel takes money."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit, limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound
from mediaserver.money.giving import Giving, TermsChange, terms_of
from tests.unit.money.givers import CONFIG, open_channel


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    return await open_channel(db, clock, alice)


@pytest.fixture
def giving(db: Database, clock: FakeClock) -> Giving:
    return Giving(db, clock, CONFIG)


async def test_terms_change_bit_by_bit(giving: Giving, channel: Channel, alice: User) -> None:
    before = await giving.terms(channel.id)
    assert (before.takes_tips, before.takes_transfers, before.tip_minor_min) == (True, False, 100)
    await giving.change(alice, channel.slug, TermsChange(tip_minor_min=250))
    where = "Alice\r\nDE02 1203 0000"
    after = await giving.change(
        alice, channel.slug, TermsChange(takes_transfers=True, transfer_instructions=where)
    )
    assert after == await giving.terms(channel.id)
    assert (after.tip_minor_min, after.takes_donations) == (250, True)
    assert after.transfer_instructions == "Alice\nDE02 1203 0000"


async def test_the_site_may_ask_for_more_later(
    db: Database, giving: Giving, channel: Channel, alice: User
) -> None:
    await giving.change(alice, channel.slug, TermsChange(tip_minor_min=250))
    dearer = MoneyConfig(tip_min="4")
    assert (await db.read(terms_of, channel.id, dearer)).tip_minor_min == 400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (TermsChange(tip_minor_min=99), "tip_minor_min"),
        (TermsChange(tip_minor_min=-1), "tip_minor_min"),
        (TermsChange(donation_minor_min=0), "donation_minor_min"),
        (TermsChange(donation_minor_min=2**63), "donation_minor_min"),
        (TermsChange(takes_transfers=True), "transfer_instructions"),
        (
            TermsChange(transfer_instructions="x" * (limits.TRANSFER_INSTRUCTIONS_CHARS_MAX + 1)),
            "transfer_instructions",
        ),
        (TermsChange(transfer_instructions="nul\0"), "transfer_instructions"),
    ],
)
async def test_terms_that_are_none(
    giving: Giving, channel: Channel, alice: User, change: TermsChange, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await giving.change(alice, channel.slug, change)
    assert caught.value.field == field


async def test_who_may_change_them(
    db: Database, giving: Giving, channel: Channel, alice: User, bob: User, admin: User
) -> None:
    change = TermsChange(takes_tips=False)
    with pytest.raises(Forbidden):
        await giving.change(bob, channel.slug, change)
    with pytest.raises(NotFound):
        await giving.change(alice, "nobody", change)

    def kept(tx: Transaction) -> list[str]:
        return list(tx.execute(select(audit.audit_entry.c.action)).scalars())

    await giving.change(alice, channel.slug, change)
    assert await db.read(kept) == []
    await giving.change(admin, channel.slug, TermsChange(takes_tips=True))
    assert await db.read(kept) == ["channel.change_giving"]
