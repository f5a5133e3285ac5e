"""Settlement: whatever a gateway says, how often and in which order, money moves once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, update

from mediaserver.accounts.users import User, user_account
from mediaserver.channels.channels import Channel
from mediaserver.channels.channels import channel as channel_table
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.money import disputes, payments, refunds, settlement, take_back
from mediaserver.money.checks import Checks
from mediaserver.money.contributions import Words
from mediaserver.money.donations import Gift
from mediaserver.money.gateways.gateway import DisputeStatus, GatewayDown, Status
from mediaserver.money.gateways.gateways import Gateways
from mediaserver.money.ledger import Kind, ledger_entry
from mediaserver.money.payments import Payment
from tests.unit.money.paying import FakeGateway, Paying, count, notice
from tests.unit.outbox import Outbox

THREE_DAYS_MS = 3 * 24 * 3600 * 1000


async def top_up(paying: Paying, user: User, amount: int = 2_000) -> Payment:
    return await paying.topups.start(user, amount, "fake")


async def donate(paying: Paying, user: User | None, amount: int = 1_000, **more: Any) -> Payment:
    gift = Gift("alice-tv", amount, "fake", Words("Hello"), "guest@example.org", "192.0.2.1")
    return await paying.donations.start(user, gift, **more)


async def test_a_paid_top_up_is_in_the_wallet_once(
    paying: Paying, bob: User, outbox: Outbox
) -> None:
    made = await top_up(paying, bob)
    assert (made.state, made.checkout_url) == ("open", f"https://fake.example/{made.id}")
    paying.pays(2_000, fee_minor=58, charge_ref="ch_1")
    for _ in range(5):
        paid = await paying.checks.run(made.id)
        assert (paid.state, paid.charge_ref) == ("paid", "ch_1")
    assert await paying.held(Kind.WALLET, bob.id) == 2_000
    assert await paying.held(Kind.GATEWAY_FEES) == 58
    assert await paying.held(Kind.CLEARING, "fake") == 2_000 - 58
    mails = await outbox.letters("bob@example.org")
    assert [mail.subject for mail in mails] == ["$20.00 is in your wallet · Test Site"]


async def test_a_donation_is_split_by_the_commission_of_its_beginning(
    paying: Paying, bob: User, alice: User, channel: Channel, outbox: Outbox
) -> None:
    made = await donate(paying, bob)
    paying.config.commission_bps = 5_000
    paying.pays(1_000)
    await paying.checks.run(made.id)
    assert await paying.held(Kind.EARNINGS_PENDING, alice.id) == 780
    assert await paying.held(Kind.COMMISSION) == 220
    given = await paying.given(made)
    assert (given.state, given.commission_bps, given.message) == ("paid", 2_200, "Hello")
    receipt = await outbox.newest("bob@example.org")
    for line in ("Given: $10.00", "(22 %): $2.20", "For the streamer: $7.80"):
        assert line in receipt.body


async def test_a_guest_gets_the_receipt(paying: Paying, channel: Channel, outbox: Outbox) -> None:
    made = await donate(paying, None)
    paying.pays(1_000)
    await paying.checks.run(made.id)
    receipt = await outbox.newest("guest@example.org")
    assert f"https://site.example/payments/{made.id}" in receipt.body


async def test_notifications_pay_once(paying: Paying, bob: User, db: Database) -> None:
    made = await top_up(paying, bob)
    paying.pays(2_000)
    hints = [notice("evt_1", made.id)] * 5 + [notice("evt_2", made.id)]
    kept = await asyncio.gather(*(paying.inbox.receive("fake", one) for one in hints))
    assert len({one.id for one in kept}) == 2, "the same event is one row"
    looked = paying.checks.look(made.id)
    assert (await looked).state == "paid"
    assert await paying.held(Kind.WALLET, bob.id) == 2_000
    assert await count(db, ledger_entry) == 1


async def test_concurrent_with_the_page_it_pays_once(
    paying: Paying, bob: User, db: Database
) -> None:
    made = await top_up(paying, bob)
    paying.pays(2_000)
    await asyncio.gather(
        paying.checks.look(made.id),
        paying.inbox.receive("fake", notice("evt_1", made.id)),
        *(paying.checks.run(made.id) for _ in range(5)),
    )
    assert await paying.held(Kind.WALLET, bob.id) == 2_000
    assert await count(db, ledger_entry) == 1


async def test_even_without_turns_the_database_books_once(
    paying: Paying, bob: User, db: Database
) -> None:
    made = await top_up(paying, bob)
    status = Status("paid", 2_000, "USD")
    await asyncio.gather(
        *(db.write(settlement.settle, made.id, status, paying.checks.rules, 5) for _ in range(8))
    )
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


async def test_an_answer_that_another_process_overtook_takes_nothing_back(
    paying: Paying, bob: User, clock: FakeClock, db: Database
) -> None:
    """Its turns are its own, so the database has to see it."""
    made = await top_up(paying, bob)
    slow = FakeGateway(status=Status("failed", 2_000, "USD"), gate=asyncio.Event())
    other = Checks(
        db,
        clock,
        Gateways((slow,), paying.config),
        paying.checks.rules.letterhead,
        paying.config,
    )
    asked = asyncio.create_task(other.run(made.id))
    while not slow.fetches:
        await asyncio.sleep(0)
    paying.pays(2_000)
    await paying.checks.run(made.id)
    old_answers = iter([Status("failed", 2_000, "USD"), Status("paid", 2_000, "USD")])
    slow.on_fetch = lambda: next(old_answers)
    assert slow.gate is not None
    slow.gate.set()
    assert (await asked).state == "paid"
    assert slow.fetches == 2, "it asked again"
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


async def test_an_old_answer_refunds_nothing_again(paying: Paying, bob: User, db: Database) -> None:
    made = await top_up(paying, bob)
    paying.pays(2_000)
    await paying.checks.run(made.id)
    paying.pays(2_000, refunded_minor=500)
    asked = await paying.checks.run(made.id)
    assert asked.refunded_minor == 500
    await db.write(lambda tx: payments.take_back(tx, made.id, refunded_minor=-500))
    old = Status("paid", 2_000, "USD", refunded_minor=500)
    answer = await db.write(settlement.answer, asked, old, paying.checks.rules, 5)
    assert answer is None
    assert (await paying.checks.get(made.id)).refunded_minor == 0


@pytest.mark.parametrize("ended", ["failed", "cancelled", "expired"])
async def test_late_by_three_days_is_paid_all_the_same(
    paying: Paying, bob: User, channel: Channel, clock: FakeClock, ended: str, alice: User
) -> None:
    made = await donate(paying, bob)
    paying.says(ended, 1_000)
    assert (await paying.checks.run(made.id)).state == ended
    assert (await paying.given(made)).state == "failed"
    clock.advance(THREE_DAYS_MS)
    paying.pays(1_000)
    await paying.inbox.receive("fake", notice("evt_late", made.id))
    assert (await paying.checks.get(made.id)).state == "paid"
    assert await paying.held(Kind.EARNINGS_PENDING, alice.id) == 780


async def test_answers_in_another_order_change_nothing(paying: Paying, bob: User) -> None:
    made = await top_up(paying, bob)
    paying.pays(2_000)
    await paying.checks.run(made.id)
    paying.says("open", 2_000)
    assert (await paying.checks.run(made.id)).state == "paid"
    paying.says("review", 2_000)
    assert (await paying.checks.run(made.id)).state == "paid"
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


async def test_answers_are_settled_in_the_order_of_the_questions(paying: Paying, bob: User) -> None:
    made = await top_up(paying, bob)
    answers = [Status("failed", 2_000, "USD"), Status("paid", 2_000, "USD")]
    paying.fake.gate = asyncio.Event()
    paying.fake.on_fetch = lambda: answers.pop(0)
    asked = [asyncio.create_task(paying.checks.run(made.id)) for _ in range(2)]
    while not paying.fake.fetches:
        await asyncio.sleep(0)
    paying.fake.gate.set()
    await asyncio.gather(*asked)
    assert (await paying.checks.get(made.id)).state == "paid"


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (1_999, "USD", "$19.99 (USD) was paid instead of $20.00"),
        (200_000, "USD", "$2,000.00 (USD)"),
        (2_000, "EUR", "€20.00 (EUR)"),
        (2_000, "JPY", "¥2,000 (JPY)"),
        (2_000, "XXX", "2000 XXX"),
    ],
)
async def test_another_amount_or_currency_is_looked_at(
    paying: Paying,
    bob: User,
    admin: User,
    outbox: Outbox,
    amount: int,
    currency: str,
    words: str,
) -> None:
    made = await top_up(paying, bob)
    paying.fake.status = Status("paid", amount, currency)
    for _ in range(3):
        found = await paying.checks.run(made.id)
    assert found.state == "review"
    assert words in found.problem
    assert await paying.held(Kind.WALLET, bob.id) == 0
    told = await outbox.letters(admin.email)
    assert len(told) == 1, "once"
    assert words in told[0].body
    assert [mail.subject for mail in await outbox.letters(bob.email)] == [
        "Your payment of $20.00 is under review · Test Site"
    ]


async def test_a_fraud_check_waits_and_then_pays(paying: Paying, bob: User) -> None:
    made = await top_up(paying, bob)
    paying.says("review", 2_000, detail="challenge")
    assert (await paying.checks.run(made.id)).state == "review"
    paying.pays(2_000)
    assert (await paying.checks.run(made.id)).state == "paid"
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


@pytest.mark.parametrize(
    ("state", "mails"),
    [
        ("failed", ["Your payment of $20.00 failed · Test Site"]),
        ("expired", ["Your payment of $20.00 has expired · Test Site"]),
        ("cancelled", []),
    ],
)
async def test_who_pays_hears_of_the_end(
    paying: Paying, bob: User, outbox: Outbox, state: str, mails: list[str]
) -> None:
    made = await top_up(paying, bob)
    paying.says(state, 2_000, detail="Card declined.")
    for _ in range(2):
        assert (await paying.checks.run(made.id)).state == state
    assert [mail.subject for mail in await outbox.letters(bob.email)] == mails


@pytest.mark.parametrize("standing", ["reversed", "failed", "cancelled", "expired"])
async def test_what_a_gateway_takes_back_is_taken_back_once(
    paying: Paying, bob: User, monkeypatch: pytest.MonkeyPatch, standing: str
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(
        take_back, "reverse_payment", lambda tx, paid, *args, **more: calls.append(paid.id)
    )
    made = await top_up(paying, bob)
    paying.pays(2_000)
    await paying.checks.run(made.id)
    paying.says(standing, 2_000)
    for _ in range(3):
        assert (await paying.checks.run(made.id)).state == "reversed"
    assert calls == [made.id]


async def test_what_was_reversed_before_we_knew_is_just_failed(paying: Paying, bob: User) -> None:
    made = await top_up(paying, bob)
    paying.says("reversed", 2_000)
    assert (await paying.checks.run(made.id)).state == "failed"
    assert await paying.held(Kind.WALLET, bob.id) == 0


async def test_refunds_and_disputes_are_handed_on(
    paying: Paying, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked: list[Any] = []
    monkeypatch.setattr(
        refunds, "book_outside", lambda tx, paid, minor, *args, **more: booked.append(minor)
    )
    monkeypatch.setattr(
        disputes, "book", lambda tx, paid, status, *args, **more: booked.append(status.state)
    )
    made = await top_up(paying, bob)
    disputed = DisputeStatus("dp_1", 2_000, 1_500, "open")
    paying.pays(2_000, refunded_minor=500, disputes=(disputed,))
    await paying.checks.run(made.id)
    assert booked == [500, "open"]


async def test_killed_between_the_answer_and_the_commit_it_is_paid_later(
    paying: Paying, bob: User, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await top_up(paying, bob)
    paying.pays(2_000)

    def dies(*args: object, **more: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(settlement.payment_letters, "paid", dies)  # the last step before the commit
        with pytest.raises(RuntimeError):
            await paying.checks.run(made.id)
    assert (await paying.checks.get(made.id)).state == "open"
    assert await paying.held(Kind.WALLET, bob.id) == 0
    clock.advance(5 * 60 * 1000)
    await paying.poller.poll()
    assert (await paying.checks.get(made.id)).state == "paid"
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


async def test_a_gateway_that_is_down_changes_nothing(paying: Paying, bob: User) -> None:
    made = await top_up(paying, bob)
    paying.fake.error = GatewayDown("HTML instead of JSON")
    with pytest.raises(GatewayDown):
        await paying.checks.run(made.id)
    assert (await paying.checks.look(made.id)).state == "open"


@pytest.mark.parametrize("what", ["deleted", "hidden", "unverified", "banned"])
async def test_a_donation_arrives_though_the_channel_may_no_longer_receive(
    paying: Paying,
    alice: User,
    bob: User,
    admin: User,
    channel: Channel,
    db: Database,
    outbox: Outbox,
    what: str,
) -> None:
    made = await donate(paying, bob)
    statements = {
        "deleted": delete(channel_table).where(channel_table.c.id == channel.id),
        "hidden": update(user_account)
        .where(user_account.c.id == alice.id)
        .values(banned_until_ms=2**52),
        "unverified": update(user_account)
        .where(user_account.c.id == alice.id)
        .values(is_verified=0),
        "banned": update(user_account)
        .where(user_account.c.id == bob.id)
        .values(banned_until_ms=2**52),
    }
    await db.write(lambda tx: tx.execute(statements[what]))
    paying.pays(1_000)
    assert (await paying.checks.run(made.id)).state == "paid"
    assert await paying.held(Kind.EARNINGS_PENDING, alice.id) == 780
    assert "not shown" in (await outbox.newest(admin.email)).body
    assert (await paying.given(made)).alert == "none"


async def test_money_for_nobody_waits_as_unclaimed(
    paying: Paying, alice: User, bob: User, admin: User, channel: Channel, db: Database
) -> None:
    donated, topped_up = await donate(paying, bob), await top_up(paying, bob, 1_000)
    await db.write(lambda tx: tx.execute(delete(channel_table)))
    gone = user_account.c.id.in_([alice.id, bob.id])
    await db.write(lambda tx: tx.execute(delete(user_account).where(gone)))
    paying.pays(1_000)
    assert (await paying.checks.run(donated.id)).state == "paid"
    assert (await paying.checks.run(topped_up.id)).state == "paid"
    assert await paying.held(Kind.UNCLAIMED) == 2_000
    assert (await paying.given(donated)).state == "failed"


async def test_a_fee_that_is_known_later_is_booked_once(paying: Paying, bob: User) -> None:
    made = await top_up(paying, bob)
    paying.pays(2_000)
    await paying.checks.run(made.id)
    for fee in (58, 60):
        paying.pays(2_000, fee_minor=fee)
        await paying.checks.run(made.id)
    assert await paying.held(Kind.GATEWAY_FEES) == 58
