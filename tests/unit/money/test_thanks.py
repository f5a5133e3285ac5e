"""Thanking who gave most: once, by mail, without an address or a hidden name coming out."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
from mediaserver.kernel.mail import Letterhead
from mediaserver.money.contributions import contribution
from mediaserver.money.thanks import Thanks, export
from mediaserver.money.tips import Tips
from mediaserver.notifications.notices import Notices, Topic
from tests.unit.money.givers import CONFIG, fund, give, open_channel
from tests.unit.outbox import Outbox


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    return await open_channel(db, clock, alice)


@pytest.fixture
def tips(db: Database, clock: FakeClock) -> Tips:
    return Tips(db, clock, CONFIG)


@pytest.fixture
def thanks(db: Database, clock: FakeClock, throttles: Throttles, letterhead: Letterhead) -> Thanks:
    return Thanks(db, clock, throttles, letterhead)


async def test_the_biggest_is_thanked_once(
    db: Database,
    clock: FakeClock,
    tips: Tips,
    thanks: Thanks,
    channel: Channel,
    alice: User,
    bob: User,
    admin: User,
) -> None:
    assert await thanks.biggest(alice, channel.slug) == []
    with pytest.raises(NotFound):
        await thanks.send(alice, channel.slug, "month", "Thank you")
    await fund(db, bob, 1_000)
    await fund(db, admin, 1_000)
    await give(tips, admin, channel.slug, 400)
    await give(tips, bob, channel.slug, 300)
    await give(tips, bob, channel.slug, 200)
    found = await thanks.biggest(alice, channel.slug)
    assert [(one.period, one.name, one.amount_minor) for one in found] == [
        ("month", "bob", 500),
        ("all", "bob", 500),
    ]
    with pytest.raises(Forbidden):
        await thanks.send(bob, channel.slug, "month", "Thank me")
    await thanks.send(alice, channel.slug, "month", "You made my month.\n\nAlice")
    letter = (await Outbox(db).letters(bob.email))[0]
    assert "You made my month.\n\nAlice" in letter.body
    assert channel.name in letter.subject
    assert "They don't see your address" in letter.body
    assert "No mails like this any more" in letter.body
    with pytest.raises(Conflict) as caught:
        await thanks.send(alice, channel.slug, "month", "Again")
    assert caught.value.code == "thanked_already"
    clock.advance(1)
    await thanks.send(alice, channel.slug, "all", "For everything")
    assert [one["message"] for one in await db.read(export, bob.id)][1] == "For everything"


async def test_what_was_taken_back_does_not_count(
    db: Database,
    tips: Tips,
    thanks: Thanks,
    channel: Channel,
    alice: User,
    bob: User,
    admin: User,
) -> None:
    await fund(db, bob, 1_000)
    await fund(db, admin, 1_000)
    await give(tips, admin, channel.slug, 400)
    given = await give(tips, bob, channel.slug, 500)
    await db.write(
        lambda tx: tx.execute(
            update(contribution).where(contribution.c.id == given.id).values(taken_back_minor=500)
        )
    )
    assert [one.name for one in await thanks.biggest(alice, channel.slug)] == ["root", "root"]


async def test_a_hidden_name_stays_hidden(
    db: Database, tips: Tips, thanks: Thanks, channel: Channel, alice: User, bob: User
) -> None:
    await fund(db, bob, 2_000)
    await give(tips, bob, channel.slug, 500, is_anonymous=True)
    thanked = await thanks.send(alice, channel.slug, "all", "Whoever you are: thank you")
    assert thanked.name == "Somebody"
    assert "Whoever you are" in (await Outbox(db).letters(bob.email))[0].body
    await give(tips, bob, channel.slug, 600)
    named = (await thanks.biggest(alice, channel.slug))[-1]
    assert (named.name, named.amount_minor, named.thanked_at_ms) == ("bob", 600, None), (
        "the thanks to nobody in particular say nothing of bob"
    )
    await thanks.send(alice, channel.slug, "all", "Thank you, bob")


async def test_who_wants_no_such_mail_gets_none(
    db: Database,
    clock: FakeClock,
    tips: Tips,
    thanks: Thanks,
    channel: Channel,
    alice: User,
    bob: User,
) -> None:
    await Notices(db, clock).choose(bob, {Topic.THANKS: False})
    await fund(db, bob, 1_000)
    await give(tips, bob, channel.slug, 500)
    await thanks.send(alice, channel.slug, "all", "Thank you")
    assert await Outbox(db).letters(bob.email) == []
    assert (await Notices(db, clock).page(bob))[0].title == f"{channel.name} says thank you"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "  \n ",
        "x" * (limits.THANKS_CHARS_MAX + 1),
        "See https://evil.example/login",
        "See paypa1.com/verify",
        "See ｗｗｗ.evil.example",  # full-width letters are links too
        "nul\0",
        "😀" * 10_000,
    ],
)
async def test_messages_that_are_none(
    db: Database,
    tips: Tips,
    thanks: Thanks,
    channel: Channel,
    alice: User,
    bob: User,
    message: str,
) -> None:
    await fund(db, bob, 1_000)
    await give(tips, bob, channel.slug, 500)
    with pytest.raises(Invalid) as caught:
        await thanks.send(alice, channel.slug, "all", message)
    assert caught.value.field == "message"
    assert await Outbox(db).letters(bob.email) == []


async def test_thanks_are_no_flood(
    db: Database, tips: Tips, thanks: Thanks, channel: Channel, alice: User, bob: User
) -> None:
    await fund(db, bob, 1_000)
    await give(tips, bob, channel.slug, 500)
    await thanks.send(alice, channel.slug, "all", "Thank you")
    for _ in range(limits.THANKS_BURST - 1):
        with pytest.raises(Conflict):
            await thanks.send(alice, channel.slug, "all", "Thank you")
    with pytest.raises(RateLimited):
        await thanks.send(alice, channel.slug, "all", "Thank you")
