"""Disputes: booked at once, won back exactly, and never twice whatever is heard of them."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, Literal

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import disputes, ledger, take_back
from mediaserver.money.disputes import Disputes
from mediaserver.money.earnings import Earnings
from mediaserver.money.gateways.gateway import DisputeStatus
from mediaserver.money.ledger import Kind
from mediaserver.money.payments import Payment
from mediaserver.money.support import SupportChanged
from tests.unit.money.books import DAY_MS, USD, Books
from tests.unit.outbox import Outbox

OPEN = DisputeStatus("dp_1", 1_000, 15, "open", "fraudulent")
BOSS = Actor("usr_boss", "boss")


def stands(state: Literal["open", "won", "lost"], amount: int = 1_000) -> DisputeStatus:
    return dataclasses.replace(OPEN, state=state, amount_minor=amount)


async def book(
    books: Books, paid: Payment, status: DisputeStatus, letterhead: Letterhead | None = None
) -> None:
    now_ms = books.clock.wall_ms()
    await books.locked(
        paid, lambda tx, row: disputes.book(tx, row, status, now_ms, letterhead=letterhead)
    )


async def is_frozen(books: Books, user: User) -> bool:
    found = await books.db.read(ledger.balance, ledger.wallet_of(user.id, USD))
    return found.frozen_for is not None


async def test_what_is_unspent_comes_out_of_the_wallet(books: Books, alice: User) -> None:
    paid = await books.top_up(alice, 1_000)
    await book(books, paid, OPEN)
    assert await books.all() == {"clearing:sandbox": -15, "gateway_fees:site": 15}
    assert await is_frozen(books, alice)
    assert (await books.paid(paid)).disputed_minor == 1_000


async def test_what_was_tipped_comes_out_of_pending_earnings_and_commission(
    books: Books, alice: User, bob: User, bobs: Channel
) -> None:
    paid = await books.top_up(alice, 1_000)
    tip = await books.tip(alice, bobs, 600)
    await book(books, paid, OPEN)
    assert await books.held(Kind.WALLET, alice) == 0
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 0
    assert await books.held(Kind.COMMISSION) == 0
    assert await books.held(Kind.LOSSES) == 0
    assert (await books.given(tip)).taken_back_minor == 600


async def test_a_partial_one_takes_the_newest_first(
    books: Books, alice: User, bob: User, bobs: Channel
) -> None:
    paid = await books.top_up(alice, 1_000)
    first, second = [await books.tip(alice, bobs, 400) for _ in range(2)]
    await book(books, paid, stands("open", 500))
    assert (await books.given(second)).taken_back_minor == 300, "200 were in the wallet"
    assert (await books.given(first)).taken_back_minor == 0
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 624 - 234
    assert await books.held(Kind.COMMISSION) == 176 - 66
    assert await books.held(Kind.LOSSES) == 0


async def test_one_larger_than_all_there_is_makes_a_loss(
    books: Books, alice: User, bob: User, bobs: Channel, clock: FakeClock
) -> None:
    paid = await books.top_up(alice, 1_000)
    await books.tip(alice, bobs, 700)
    clock.advance(15 * DAY_MS)
    await Earnings(books.db, clock, books.config).mature_due()
    await book(books, paid, stands("open", 5_000))
    assert await books.all() == {
        "clearing:sandbox": 1_000 - 5_000 - 15,
        "earnings_available:bob": 546,
        "commission:site": 154,
        "losses:site": 4_700,
        "gateway_fees:site": 15,
    }, "matured earnings are the streamer's"
    assert (await books.paid(paid)).disputed_minor == 1_000


@pytest.mark.parametrize("spent", [0, 300, 1_000])
async def test_won_puts_everything_back_but_the_fee(
    books: Books, alice: User, bobs: Channel, spent: int
) -> None:
    paid = await books.top_up(alice, 1_000)
    tips = [await books.tip(alice, bobs, spent)] if spent else []
    before = await books.all()
    await book(books, paid, stands("open", 800))
    assert await is_frozen(books, alice)
    await book(books, paid, stands("won", 800))
    clearing = before["clearing:sandbox"] - 15
    assert await books.all() == before | {"clearing:sandbox": clearing, "gateway_fees:site": 15}
    assert not await is_frozen(books, alice)
    assert (await books.paid(paid)).disputed_minor == 0
    for tip in tips:
        assert (await books.given(tip)).taken_back_minor == 0


async def test_nothing_matures_under_a_dispute_and_all_of_it_after_it_is_won(
    books: Books, alice: User, bob: User, bobs: Channel, clock: FakeClock
) -> None:
    earnings = Earnings(books.db, clock, books.config)
    paid = await books.donate(alice, bobs, 1_000)
    await book(books, paid, stands("open", 400))
    clock.advance(20 * DAY_MS)
    await earnings.mature_due()
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 0
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 468
    await book(books, paid, stands("won", 400))
    await earnings.mature_due()
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 780


async def test_won_after_it_was_lost_and_the_rest_has_matured(
    books: Books, alice: User, bob: User, bobs: Channel, clock: FakeClock
) -> None:
    earnings = Earnings(books.db, clock, books.config)
    paid = await books.donate(alice, bobs, 1_000)
    await book(books, paid, stands("open", 400))
    await book(books, paid, stands("lost", 400))
    clock.advance(20 * DAY_MS)
    await earnings.mature_due()
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 468
    await book(books, paid, stands("won", 400))
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 780
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 0


async def test_won_after_the_earnings_had_matured_gives_back_the_loss(
    books: Books, alice: User, bob: User, bobs: Channel, clock: FakeClock
) -> None:
    paid = await books.donate(alice, bobs, 1_000)
    clock.advance(20 * DAY_MS)
    await Earnings(books.db, clock, books.config).mature_due()
    await book(books, paid, OPEN)
    assert await books.held(Kind.LOSSES) == 1_000
    await book(books, paid, stands("won"))
    assert await books.held(Kind.LOSSES) == 0
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 780


@pytest.mark.parametrize("order", list(itertools.product(["open", "won", "lost"], repeat=3)))
async def test_whatever_is_heard_in_whatever_order(
    books: Books, alice: User, bobs: Channel, order: tuple[Any, ...]
) -> None:
    """The last decision counts, "open" is late behind one, and each is booked once."""
    paid = await books.top_up(alice, 1_000)
    await books.tip(alice, bobs, 500)
    before = await books.all()
    for state in order:
        await book(books, paid, stands(state))
        await book(books, paid, stands(state))
    after = await books.all()
    assert after["gateway_fees:site"] == 15
    decided = [state for state in order if state != "open"]
    if decided and decided[-1] == "won":
        assert after == before | {"clearing:sandbox": 985, "gateway_fees:site": 15}
    else:
        assert after == {"clearing:sandbox": -15, "gateway_fees:site": 15}


async def test_won_and_lost_after_all(
    books: Books, alice: User, bob: User, bobs: Channel, letterhead: Letterhead
) -> None:
    paid = await books.top_up(alice, 1_000)
    tip = await books.tip(alice, bobs, 600)
    desk = Disputes(books.db, books.clock, letterhead)
    for _ in range(2):
        for state in ("open", "won", "lost"):
            await book(books, paid, stands(state), letterhead)  # type: ignore[arg-type]  # of a tuple
        assert await books.all() == {"clearing:sandbox": -15, "gateway_fees:site": 15}
        assert await is_frozen(books, alice)
        assert (await books.paid(paid)).disputed_minor == 1_000
        assert (await books.given(tip)).taken_back_minor == 600
        assert [one.state for one in await desk.page(["lost"])] == ["lost"]
        await book(books, paid, stands("won"), letterhead)
        assert await books.held(Kind.EARNINGS_PENDING, bob) == 468
        assert await books.held(Kind.WALLET, alice) == 400
        assert (await books.paid(paid)).disputed_minor == 0


async def test_lost_after_it_was_won_before_we_heard_of_it(books: Books, alice: User) -> None:
    paid = await books.top_up(alice, 1_000)
    await book(books, paid, stands("won"))
    await book(books, paid, stands("lost"))
    assert await books.all() == {"clearing:sandbox": -15, "gateway_fees:site": 15}
    assert (await books.paid(paid)).disputed_minor == 1_000


@pytest.mark.parametrize("last", ["open", "lost", "won"])
async def test_the_fee_is_booked_once_it_is_known(
    books: Books, alice: User, last: Literal["open", "won", "lost"], letterhead: Letterhead
) -> None:
    paid = await books.top_up(alice, 1_000)
    unknown = dataclasses.replace(OPEN, fee_minor=0)
    await book(books, paid, unknown)
    assert await books.held(Kind.GATEWAY_FEES) == 0
    for fee in (15, 15, 20):
        await book(books, paid, dataclasses.replace(stands(last), fee_minor=fee))
        assert await books.held(Kind.GATEWAY_FEES) == 15
    (found,) = await Disputes(books.db, books.clock, letterhead).page([last])
    assert found.fee_minor == 15


async def test_goals_and_boards_follow(
    books: Books, alice: User, bobs: Channel, events: Events
) -> None:
    seen: list[SupportChanged] = []
    events.subscribe(SupportChanged, seen.append)
    paid = await books.top_up(alice, 1_000)
    await books.tip(alice, bobs, 600)
    await book(books, paid, stands("open", 300))
    assert not seen, "that was in the wallet"
    await book(books, paid, stands("won", 300))
    other = dataclasses.replace(OPEN, provider_ref="dp_2")
    await book(books, paid, other)
    assert seen == [SupportChanged(bobs.id, bobs.slug)]
    await book(books, paid, dataclasses.replace(other, state="won"))
    assert seen == 2 * [SupportChanged(bobs.id, bobs.slug)]


async def test_two_disputes_never_take_the_same_money_twice(
    books: Books, alice: User, bob: User, bobs: Channel
) -> None:
    first, second = await books.top_up(alice, 500), await books.top_up(alice, 500)
    await books.tip(alice, bobs, 1_000)
    await book(books, first, stands("open", 500))
    other = dataclasses.replace(stands("open", 500), provider_ref="dp_2")
    await book(books, second, other)
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 0
    assert await books.held(Kind.COMMISSION) == 0
    assert await books.held(Kind.LOSSES) == 0
    await book(books, first, stands("won", 500))
    assert await is_frozen(books, alice), "the other one is open"
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 390
    await book(books, second, dataclasses.replace(other, state="won"))
    assert not await is_frozen(books, alice)
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 780
    assert await books.held(Kind.COMMISSION) == 220


async def test_the_commission_was_taken_out_already(
    books: Books, alice: User, bobs: Channel
) -> None:
    paid = await books.donate(alice, bobs, 1_000)
    owners = ledger.site_account(Kind.OWNERS_SHARE, USD)
    commission = ledger.site_account(Kind.COMMISSION, USD)
    taken_out = ledger.Posting("x", "x", (ledger.Transfer(commission, owners, 220),))
    await books.db.write(ledger.post, taken_out, 1)
    await book(books, paid, OPEN)
    assert await books.held(Kind.LOSSES) == 220


async def test_an_admin_opens_the_wallet_after_a_lost_one(
    books: Books, alice: User, clock: FakeClock, letterhead: Letterhead, admin: User
) -> None:
    desk = Disputes(books.db, clock, letterhead)
    paid = await books.top_up(alice, 1_000)
    await book(books, paid, OPEN, letterhead)
    (found,) = await desk.page(["open"])
    with pytest.raises(Conflict):
        await desk.unfreeze(BOSS, found.id)
    await book(books, paid, stands("lost"), letterhead)
    assert (await desk.get(found.id)).frozen_for is not None
    assert (await desk.unfreeze(BOSS, found.id)).frozen_for is None
    with pytest.raises(Conflict):
        await desk.unfreeze(BOSS, found.id)


async def test_everybody_whom_it_concerns_is_told(
    books: Books, alice: User, bob: User, admin: User, bobs: Channel, letterhead: Letterhead
) -> None:
    paid = await books.top_up(alice, 1_000)
    await books.tip(alice, bobs, 1_000)
    await book(books, paid, OPEN, letterhead)
    outbox = Outbox(books.db)
    assert "disputed" in (await outbox.newest("alice@example.org")).subject
    assert "$7.80 less" in (await outbox.newest("bob@example.org")).body
    assert "fraudulent" in (await outbox.newest("root@example.org")).body
    books.clock.advance(1)
    await book(books, paid, stands("won"), letterhead)
    assert "open again" in (await outbox.newest("alice@example.org")).subject
    assert "$7.80" in (await outbox.newest("bob@example.org")).body


async def test_a_guest_who_disputes_a_donation(
    books: Books, bob: User, bobs: Channel, letterhead: Letterhead
) -> None:
    paid = await books.donate(None, bobs, 1_000)
    await book(books, paid, OPEN, letterhead)
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 0
    letters = await Outbox(books.db).letters("guest@example.org")
    assert len(letters) == 1


async def test_a_payment_that_its_gateway_takes_back_as_a_whole(
    books: Books, alice: User, bob: User, bobs: Channel, letterhead: Letterhead, db: Database
) -> None:
    paid = await books.donate(alice, bobs, 1_000)
    for _ in range(2):
        await books.locked(
            paid,
            lambda tx, row: take_back.reverse_payment(tx, row, "deny", 5, letterhead=letterhead),
        )
    assert await books.all() == {}
    assert "$7.80" in (await Outbox(db).newest("bob@example.org")).body
