"""Payouts: one at a time, to whom we know, and back again when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pyotp
import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.personal_data import PersonalData, Source
from mediaserver.accounts.second_factor import totp
from mediaserver.accounts.users import User, user_account
from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    MediaserverError,
    NotFound,
    Unavailable,
)
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.money import disputes
from mediaserver.money.earnings import Earnings, Wanted
from mediaserver.money.earnings_personal import EarningsOfPerson
from mediaserver.money.gateways.gateway import DisputeStatus
from mediaserver.money.ledger import Kind
from mediaserver.money.left_behind import LeftBehind
from mediaserver.money.payout_accounts import BankDetails, PayoutAccounts, payout_account
from mediaserver.money.payout_desk import PayoutDesk
from mediaserver.money.payout_rows import OPEN, payout
from mediaserver.money.payouts import Payouts
from tests.unit.money.books import DAY_MS, Books
from tests.unit.outbox import Outbox

BOSS, SECOND = Actor("usr_boss", "boss"), Actor("usr_second", "second")
BANK = BankDetails.checked("Bob B.", "DE89 3704 0044 0532 0130 00", "Example Bank", "", "de")


@pytest.fixture
def config() -> MoneyConfig:
    return MoneyConfig()


@pytest.fixture
def accounts(
    db: Database, clock: FakeClock, vault: Vault, letterhead: Letterhead
) -> PayoutAccounts:
    return PayoutAccounts(db, clock, vault, letterhead)


@pytest.fixture
def payouts(
    db: Database,
    clock: FakeClock,
    vault: Vault,
    letterhead: Letterhead,
    accounts: PayoutAccounts,
    config: MoneyConfig,
) -> Payouts:
    return Payouts(db, clock, vault, letterhead, accounts, config)


@pytest.fixture
def desk(
    db: Database, clock: FakeClock, vault: Vault, letterhead: Letterhead, config: MoneyConfig
) -> PayoutDesk:
    return PayoutDesk(db, clock, vault, letterhead, config)


async def turn_on_app(books: Books, user: User) -> None:
    row = insert(totp).values(
        user_id=user.id,
        secret=pyotp.random_base32(),
        created_at_ms=1,
        confirmed_at_ms=1,
        last_step=0,
    )
    await books.db.write(lambda tx: tx.execute(row))


@pytest.fixture
async def ready(
    books: Books, alice: User, bob: User, bobs: Channel, accounts: PayoutAccounts
) -> User:
    """Bob, with $78 that he may withdraw, and nothing in the way."""
    await books.donate(alice, bobs, 10_000)
    books.clock.advance(15 * DAY_MS)
    await Earnings(books.db, books.clock, books.config).mature_due()
    await turn_on_app(books, bob)
    await accounts.change(bob, BANK)
    return bob


async def test_from_the_request_to_the_bank(
    books: Books, ready: User, admin: User, payouts: Payouts, desk: PayoutDesk, db: Database
) -> None:
    made = await payouts.request(ready, 5_000)
    assert await books.held(Kind.EARNINGS_AVAILABLE, ready) == 2_800
    assert await books.held(Kind.PAYOUT_HOLD, ready) == 5_000
    assert [one.id for one in await desk.page(OPEN)] == [made.id]
    assert "bob asks for $50.00" in (await Outbox(db).newest("root@example.org")).subject
    assert await desk.reveal(BOSS, made.id) == BANK
    with pytest.raises(Invalid):
        await desk.approve(BOSS, made.id, " ")
    paid = await desk.approve(BOSS, made.id, "E2E-1")
    assert (paid.state, paid.bank_reference) == ("paid", "E2E-1")
    assert await books.held(Kind.PAYOUT_HOLD, ready) == 0
    assert await books.held(Kind.BANK) == -5_000
    letters = await Outbox(db).letters("bob@example.org")
    assert any("E2E-1" in letter.body for letter in letters)
    overview = await Earnings(db, books.clock, books.config).overview(ready)
    assert (overview.available_minor, overview.paid_out_minor) == (2_800, 5_000)
    entries = await db.read(lambda tx: audit.page(tx, action="payout."))
    assert [one.action for one in entries] == ["payout.approve", "payout.reveal"]
    assert "DE89" not in str(entries)
    with pytest.raises(Conflict):
        await desk.approve(BOSS, made.id, "E2E-2")
    with pytest.raises(Conflict):
        await desk.reject(BOSS, made.id, "Too late.")


async def test_two_tabs_at_once_make_one_payout(
    books: Books, ready: User, payouts: Payouts
) -> None:
    async def tab(number: int) -> str:
        try:
            return (await payouts.request(ready, 2_000, f"tab-{number}")).state
        except Conflict as error:
            return error.code

    outcomes = await asyncio.gather(*map(tab, range(8)))
    assert sorted(outcomes) == ["payout_open"] * 7 + ["requested"]
    assert await books.held(Kind.PAYOUT_HOLD, ready) == 2_000


async def test_the_database_itself_allows_one_open_payout(
    books: Books, ready: User, payouts: Payouts
) -> None:
    made = await payouts.request(ready, 2_000)
    names = [column.name for column in payout.c if column.name != "id"]
    again = insert(payout).from_select(
        ["id", *names],
        select(text("'pyo_2'"), *(payout.c[name] for name in names)).where(payout.c.id == made.id),
    )
    with pytest.raises(IntegrityError):
        await books.db.write(lambda tx: tx.execute(again))


async def test_the_same_request_again(ready: User, payouts: Payouts) -> None:
    made = await asyncio.gather(*(payouts.request(ready, 2_000, "one") for _ in range(4)))
    assert len({one.id for one in made}) == 1
    with pytest.raises(Conflict) as caught:
        await payouts.request(ready, 3_000, "one")
    assert caught.value.code == "idempotency_key"


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (0, "amount_too_small"),
        (-5_000, "amount_too_small"),
        (1_999, "amount_too_small"),
        (7_801, "insufficient_funds"),
        (2**63, "amount_too_large"),
    ],
)
async def test_what_is_no_amount(
    books: Books, ready: User, payouts: Payouts, amount: int, code: str
) -> None:
    with pytest.raises(MediaserverError) as caught:
        await payouts.request(ready, amount)
    assert caught.value.code == code
    assert await books.held(Kind.EARNINGS_AVAILABLE, ready) == 7_800


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        (update(user_account).values(is_verified=0), "not_verified"),
        (update(user_account).values(banned_until_ms=2**60), "banned"),
        (text("DELETE FROM totp"), "second_factor"),
        (text("DELETE FROM payout_account"), "no_payout_account"),
    ],
)
async def test_what_stands_in_the_way(
    books: Books, ready: User, payouts: Payouts, statement: object, code: str
) -> None:
    """As things are now, whatever the session still says."""
    await books.db.write(lambda tx: tx.execute(statement))  # type: ignore[call-overload]
    with pytest.raises((Forbidden, Conflict)) as caught:
        await payouts.request(ready, 2_000)
    assert caught.value.code == code


async def test_a_rejected_one_is_available_again(
    books: Books, ready: User, payouts: Payouts, desk: PayoutDesk
) -> None:
    made = await payouts.request(ready, 7_800)
    with pytest.raises(Invalid):
        await desk.reject(BOSS, made.id, " ")
    rejected = await desk.reject(BOSS, made.id, "The name differs.")
    assert (rejected.state, rejected.reason) == ("rejected", "The name differs.")
    assert await books.held(Kind.EARNINGS_AVAILABLE, ready) == 7_800
    assert await books.held(Kind.PAYOUT_HOLD, ready) == 0
    assert (await payouts.request(ready, 7_800)).state == "requested"


async def test_one_that_comes_back_from_the_bank(
    books: Books, ready: User, payouts: Payouts, desk: PayoutDesk, db: Database
) -> None:
    made = await payouts.request(ready, 5_000)
    with pytest.raises(Conflict):
        await desk.fail(BOSS, made.id, "Not sent yet.")
    await desk.approve(BOSS, made.id, "E2E-1")
    books.clock.advance(1)
    failed = await desk.fail(BOSS, made.id, "Account closed.")
    assert failed.state == "failed"
    assert await books.held(Kind.EARNINGS_AVAILABLE, ready) == 7_800
    assert await books.held(Kind.BANK) == 0
    assert "Account closed." in (await Outbox(db).newest("bob@example.org")).body
    with pytest.raises(Conflict):
        await desk.fail(BOSS, made.id, "Twice.")
    overview = await Earnings(db, books.clock, books.config).overview(ready)
    assert overview.paid_out_minor == 0


async def test_cancelling(books: Books, ready: User, alice: User, payouts: Payouts) -> None:
    made = await payouts.request(ready, 5_000)
    with pytest.raises(NotFound):
        await payouts.cancel(alice, made.id)
    assert (await payouts.cancel(ready, made.id)).state == "cancelled"
    assert await books.held(Kind.EARNINGS_AVAILABLE, ready) == 7_800
    with pytest.raises(Conflict):
        await payouts.cancel(ready, made.id)


async def test_a_large_one_takes_two_different_admins(
    db: Database,
    clock: FakeClock,
    vault: Vault,
    letterhead: Letterhead,
    books: Books,
    ready: User,
    payouts: Payouts,
) -> None:
    desk = PayoutDesk(db, clock, vault, letterhead, MoneyConfig(two_admins_above="50"))
    assert (desk.needs_two(5_000), desk.needs_two(5_001)) == (False, True)
    made = await payouts.request(ready, 5_001)
    for reference in ("", "E2E-1"):
        with pytest.raises(Conflict) as caught:
            await desk.approve(Actor(ready.id, ready.username), made.id, reference)
        assert caught.value.code == "own_payout"
    first = await desk.approve(BOSS, made.id, "")
    assert (first.state, first.approved_by_name) == ("approved", "boss")
    with pytest.raises(Conflict) as caught:
        await desk.approve(BOSS, made.id, "E2E-1")
    assert caught.value.code == "same_admin"
    assert await books.held(Kind.PAYOUT_HOLD, ready) == 5_001
    with pytest.raises(Conflict):
        await payouts.cancel(ready, made.id)
    paid = await desk.approve(SECOND, made.id, "E2E-1")
    assert (paid.state, paid.decided_by_name) == ("paid", "second")


async def test_no_money_to_somebody_who_was_banned_meanwhile(
    books: Books, ready: User, payouts: Payouts, desk: PayoutDesk
) -> None:
    made = await payouts.request(ready, 5_000)
    ban = update(user_account).values(banned_until_ms=2**60)
    await books.db.write(lambda tx: tx.execute(ban))
    with pytest.raises(Conflict) as caught:
        await desk.approve(BOSS, made.id, "E2E-1")
    assert caught.value.code == "banned"
    assert (await desk.reject(BOSS, made.id, "Banned.")).state == "rejected"


async def test_two_admins_decide_at_once(
    books: Books, ready: User, payouts: Payouts, desk: PayoutDesk
) -> None:
    made = await payouts.request(ready, 5_000)

    async def outcome(act: object) -> str:
        try:
            return (await act).state  # type: ignore[misc,attr-defined]
        except Conflict as error:
            return error.code

    outcomes = await asyncio.gather(
        outcome(desk.approve(BOSS, made.id, "E2E-1")),
        outcome(desk.reject(SECOND, made.id, "No.")),
    )
    assert "already_decided" in outcomes
    total = await books.held(Kind.EARNINGS_AVAILABLE, ready) - await books.held(Kind.BANK)
    assert total == 7_800


async def test_bank_details_are_sealed_and_stay_in_their_row(
    books: Books, ready: User, alice: User, accounts: PayoutAccounts, vault: Vault
) -> None:
    shown = await accounts.find(ready)
    assert shown is not None
    assert (shown.hint, shown.country) == ("3000", "DE")
    kept = str(await books.db.read(lambda tx: tx.execute(select(payout_account)).all()))
    assert "0532" not in kept
    assert "Bob B." not in kept
    await books.streamer(alice)
    moved = update(payout_account).values(user_id=alice.id)
    await books.db.write(lambda tx: tx.execute(moved))
    with pytest.raises(Unavailable):
        await books.db.read(accounts.details_of, alice.id)


async def test_changing_bank_details_warns_and_leaves_payouts_alone(
    ready: User, accounts: PayoutAccounts, payouts: Payouts, desk: PayoutDesk, db: Database
) -> None:
    made = await payouts.request(ready, 5_000)
    other = BankDetails.checked("Mallory", "12345678", "Other Bank", "021000021", "US")
    await accounts.change(ready, other)
    assert await desk.reveal(BOSS, made.id) == BANK
    letters = await Outbox(db).letters("bob@example.org")
    assert any("ends in 5678" in letter.body for letter in letters)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (("", "12345678", "B", "", "US"), "holder"),
        (("A", "1234", "B", "", "US"), "account"),
        (("A", "1" * 35, "B", "", "US"), "account"),
        (("A", "DE89370400440532013001", "B", "", "DE"), "account"),
        (("A", "DE89370400440532013000", "B", "", "FR"), "country"),
        (("A", "12;345678", "B", "", "US"), "account"),
        (("A", "12345678", " ", "", "US"), "bank"),
        (("A", "12345678", "B", "x!", "US"), "routing"),
        (("A", "12345678", "B", "", "USA"), "country"),
        (("A\nB", "12345678", "B", "", "US"), "holder"),
    ],
)
def test_bank_details_that_are_none(fields: Sequence[str], wrong: str) -> None:
    with pytest.raises(Invalid) as caught:
        BankDetails.checked(*fields)
    assert caught.value.field == wrong


async def test_what_is_pending_available_and_taken_back(
    books: Books, alice: User, bob: User, bobs: Channel, clock: FakeClock
) -> None:
    earnings = Earnings(books.db, clock, books.config)
    await books.top_up(alice, 5_000)
    await books.tip(alice, bobs, 1_000)
    clock.advance(10 * DAY_MS)
    await books.tip(alice, bobs, 2_000)
    seen = await earnings.overview(bob)
    assert (seen.pending_minor, seen.available_minor) == (2_340, 0)
    assert [(one.net_minor, one.contributions) for one in seen.due] == [(780, 1), (1_560, 1)]
    clock.advance(4 * DAY_MS)
    for _ in range(2):
        await earnings.mature_due()
    seen = await earnings.overview(bob)
    assert (seen.pending_minor, seen.available_minor) == (1_560, 780)
    rows = await earnings.page(bob, Wanted())
    assert [(one.state, one.left_minor) for one in rows] == [("pending", 1_560), ("available", 780)]
    assert await earnings.page(bob, Wanted(kind="donation")) == []
    assert len([batch async for batch in earnings.export(bob, Wanted())]) == 1


async def test_an_account_with_earnings_stays(
    books: Books,
    ready: User,
    alice: User,
    payouts: Payouts,
    desk: PayoutDesk,
    accounts: PayoutAccounts,
    db: Database,
    clock: FakeClock,
    vault: Vault,
    letterhead: Letterhead,
) -> None:
    mine = EarningsOfPerson(accounts, books.config)
    source = Source("earnings", mine.export, mine.erase, mine.refuse)
    data = PersonalData(db, clock, vault, letterhead, [source])
    with pytest.raises(Conflict, match=r"\$78\.00"):
        await data.delete(ready)
    made = await payouts.request(ready, 6_000)
    with pytest.raises(Conflict, match="on its way"):
        await data.delete(ready)
    assert (await data.export(ready))["earnings"]["bank_details"]["holder"] == "Bob B."
    await desk.approve(BOSS, made.id, "E2E-1")
    drop = text("DELETE FROM channel")
    await db.write(lambda tx: tx.execute(drop))
    await books.top_up(alice, 500)
    await data.delete(ready)
    assert await books.held(Kind.UNCLAIMED) == 1_800, "too little for a payout of its own"
    with pytest.raises(NotFound):
        await desk.reveal(BOSS, made.id)
    await data.delete(alice)
    assert await books.held(Kind.UNCLAIMED) == 2_300
    await desk.fail(BOSS, made.id, "The account is closed.")
    sweeping = LeftBehind(db, clock)
    for _ in range(2):
        await sweeping.sweep()
        assert await books.held(Kind.UNCLAIMED) == 8_300, "what came back to nobody"
        assert await books.held(Kind.EARNINGS_AVAILABLE, ready) == 0
    with pytest.raises(Conflict):
        await desk.fail(BOSS, made.id, "Again.")


async def test_what_comes_back_to_who_is_gone(
    books: Books, alice: User, bob: User, db: Database, clock: FakeClock
) -> None:
    """A dispute that is won later; those who are still there keep theirs."""
    paid = await books.top_up(alice, 1_000)
    await books.top_up(bob, 700)
    status = DisputeStatus("dp_1", 1_000, 0, "open")
    await books.locked(paid, lambda tx, row: disputes.book(tx, row, status, 1))
    gone = delete(user_account).where(user_account.c.id == alice.id)
    await db.write(lambda tx: tx.execute(gone))
    won = DisputeStatus("dp_1", 1_000, 0, "won")
    await books.locked(paid, lambda tx, row: disputes.book(tx, row, won, 1))
    assert await books.held(Kind.WALLET, alice) == 1_000
    await LeftBehind(db, clock).sweep()
    assert await books.held(Kind.WALLET, alice) == 0
    assert await books.held(Kind.UNCLAIMED) == 1_000
    assert await books.held(Kind.WALLET, bob) == 700
