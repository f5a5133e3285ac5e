"""History, statements, supporters and receipts: what they say is what the ledger holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat import log
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Forbidden, NotFound
from mediaserver.money import ledger, personal
from mediaserver.money.contributions import contribution
from mediaserver.money.history import History, Wanted
from mediaserver.money.ledger import Kind, Posting, Transfer
from mediaserver.money.receipts import Receipts
from mediaserver.money.supporters import Sought, Supporters
from mediaserver.money.tips import Tips
from mediaserver.money.wallet import Wallets
from tests.unit.money.givers import CONFIG, fund, give, held, open_channel


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-10-30T12:00"))


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    return await open_channel(db, clock, alice)


@pytest.fixture
def tips(db: Database, clock: FakeClock) -> Tips:
    return Tips(db, clock, CONFIG)


async def test_a_statement_adds_up_to_the_ledger(
    db: Database, clock: FakeClock, tips: Tips, channel: Channel, bob: User
) -> None:
    wallets = Wallets(db, CONFIG)
    await fund(db, bob, 3_000, clock.wall_ms())
    await give(tips, bob, channel.slug, 500)
    clock.set_wall(at("2026-11-01T00:00") - clock.wall_ms())
    await give(tips, bob, channel.slug, 700)
    clock.advance(1_000)
    await fund(db, bob, 1_000, clock.wall_ms())
    october, november = [await wallets.statement(bob, f"2026-{month}") for month in (10, 11)]
    assert [line.amount_minor for line in october.lines] == [3_000, -500]
    assert (october.opening_minor, october.closing_minor) == (0, 2_500)
    assert (november.opening_minor, november.closing_minor) == (2_500, 2_800)
    assert [(line.kind, line.amount_minor, line.balance_minor) for line in november.lines] == [
        ("tip", -700, 1_800),
        ("topup", 1_000, 2_800),
    ]
    assert november.lines[0].about == channel.name
    assert november.closing_minor == await held(db, Kind.WALLET, bob.id)
    assert (await wallets.standing(bob)).balance_minor == 2_800
    assert (await wallets.statement(bob, "2026-09")).lines == ()
    for month in ("2026-13", "2026-1", "", "2026-11\n", "٢٠٢٦-11"):
        with pytest.raises(NotFound):
            await wallets.statement(bob, month)


async def test_entries_beyond_the_bound_stand_as_one_sum(
    db: Database,
    clock: FakeClock,
    tips: Tips,
    channel: Channel,
    bob: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mediaserver.kernel.limits.STATEMENT_LINES_MAX", 2)
    await fund(db, bob, 3_000, clock.wall_ms())
    for _ in range(3):
        clock.advance(1)
        await give(tips, bob, channel.slug, 500)
    stated = await Wallets(db, CONFIG).statement(bob, "2026-10")
    assert (len(stated.lines), stated.others, stated.others_minor) == (2, 2, -1_000)
    assert stated.closing_minor == 1_500


async def test_history_pages_and_filters(
    db: Database,
    clock: FakeClock,
    tips: Tips,
    channel: Channel,
    alice: User,
    bob: User,
    admin: User,
) -> None:
    history = History(db, CONFIG)
    other = await open_channel(db, clock, admin, "other-tv")
    await fund(db, bob, 5_000, clock.wall_ms())
    for number in range(5):
        clock.advance(1_000)
        await give(tips, bob, channel.slug if number % 2 else other.slug, 100 + number)
    wallet = ledger.wallet_of(bob.id, "USD")
    correction = Posting(
        "correction",
        "correction:1",
        (Transfer(wallet, ledger.site_account(Kind.COMMISSION, "USD"), 7),),
        reason="A mistake.",
    )
    entry, _ = await db.write(ledger.post, correction, clock.wall_ms() + 1)
    everything = await history.page(bob, Wanted())
    assert [one.amount_minor for one in everything] == [7, 104, 103, 102, 101, 100]
    assert everything[0].id == entry.id
    assert (everything[0].kind, everything[0].wallet_minor) == ("other", -7)
    paged, after = [], None
    while found := await history.page(bob, Wanted(), after=after, most=2):
        paged += found
        after = found[-1].id
    assert paged == everything
    assert await history.page(bob, Wanted(), after="ctb_nothing") == []
    assert await history.page(bob, Wanted(), after="\0") == []
    tips_only = await history.page(bob, Wanted(kind="tip", channel=channel.slug))
    assert [one.amount_minor for one in tips_only] == [103, 101]
    assert [one.kind for one in await history.page(bob, Wanted(kind="other"))] == ["other"]
    since = await history.page(bob, Wanted(since_ms=everything[2].at_ms))
    assert [one.amount_minor for one in since] == [7, 104, 103]
    until = await history.page(bob, Wanted(until_ms=everything[4].at_ms))
    assert [one.amount_minor for one in until] == [100]
    assert [one.slug for one in await history.channels(bob)] == [channel.slug, other.slug]
    assert await history.page(alice, Wanted()) == []


async def test_supporters_are_found_and_summed_up(
    db: Database,
    clock: FakeClock,
    tips: Tips,
    channel: Channel,
    alice: User,
    bob: User,
    admin: User,
) -> None:
    supporters = Supporters(db)
    await fund(db, bob, 5_000)
    await fund(db, admin, 5_000)
    first = await give(tips, bob, channel.slug, 1_000)
    clock.advance(1)
    await give(tips, bob, channel.slug, 333, is_anonymous=True)
    clock.advance(1)
    await give(tips, admin, channel.slug, 501)

    async def amounts(**sought: object) -> list[int]:
        found = await supporters.page(alice, channel.slug, Sought(**sought))  # type: ignore[arg-type]
        return [one.amount_minor for one in found]

    assert await amounts() == [501, 333, 1_000]
    assert await amounts(name="BO") == [1_000], "who gave without a name isn't found by it"
    assert await amounts(name="%") == []
    assert await amounts(least_minor=400, most_minor=600) == [501]
    assert await amounts(kind="donation") == []
    assert await amounts(until_ms=first.created_at_ms + 1) == [1_000]
    sums = await supporters.sums(alice, channel.slug, Sought())
    fees = 220 + 73 + 110
    assert (sums.gifts, sums.gross_minor, sums.fee_minor) == (3, 1_834, fees)
    assert sums.net_minor == 1_834 - fees == await held(db, Kind.EARNINGS_PENDING, alice.id)
    with pytest.raises(Forbidden):
        await supporters.page(bob, channel.slug, Sought())
    await db.write(
        lambda tx: tx.execute(
            update(contribution).where(contribution.c.id == first.id).values(taken_back_minor=400)
        )
    )
    sums = await supporters.sums(alice, channel.slug, Sought())
    assert (sums.gross_minor, sums.fee_minor, sums.taken_back_minor) == (1_434, fees - 88, 400)


async def test_receipts_name_nobody_who_asked_for_it(
    db: Database, tips: Tips, channel: Channel, alice: User, bob: User, admin: User
) -> None:
    receipts = Receipts(db)
    await fund(db, bob, 1_000)
    given = await give(tips, bob, channel.slug, 500, is_anonymous=True)
    own = await receipts.get(bob, given.id)
    assert (own.giver, own.is_givers, own.channel_slug) == ("bob", True, channel.slug)
    streamers = await receipts.get(alice, given.id)
    assert (streamers.giver, streamers.is_givers) == ("Somebody", False)
    assert (await receipts.get(admin, given.id)).giver == "Somebody"
    for somebody, number in ((alice, "ctb_00000000000000000000"), (bob, "nonsense")):
        with pytest.raises(NotFound):
            await receipts.get(somebody, number)


async def test_what_somebody_gave_stays_without_their_name(
    db: Database, tips: Tips, channel: Channel, alice: User, bob: User
) -> None:
    await fund(db, bob, 1_000)
    given = await give(tips, bob, channel.slug, 500, message="Love, Bob")
    exported = await db.read(personal.export, bob.id)
    assert exported["wallets"] == [{"currency": "USD", "balance_minor": 500}]
    assert [one["message"] for one in exported["given"]] == ["Love, Bob"]
    await db.write(personal.erase, bob.id, 2)
    seen = await Receipts(db).get(alice, given.id)
    assert (seen.giver, seen.given.message, seen.given.sender_id) == ("Somebody", "", None)
    assert seen.given.amount_minor == 500
    written = await db.read(lambda tx: tx.execute(select(log.chat_event)).all())
    assert written
    assert not any("bob" in f"{one.text} {one.data}".lower() for one in written)
    assert (await db.read(personal.export, bob.id))["given"] == []
