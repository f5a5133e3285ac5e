"""Refunds: on hold at once, asked of the gateway once, and back where it was when it fails."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Invalid, MediaserverError, NotFound
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.worker import GiveUp, TooEarly, Worker
from mediaserver.money import disputes, refunds, take_back
from mediaserver.money.earnings import Earnings
from mediaserver.money.gateways.gateway import (
    DisputeStatus,
    GatewayDown,
    GatewayRefused,
    Reference,
    RefundAnswer,
)
from mediaserver.money.ledger import Kind
from mediaserver.money.payments import Payment
from mediaserver.money.refund_desk import RefundDesk
from mediaserver.money.refund_rows import Refund
from tests.unit.money.books import DAY_MS, Books
from tests.unit.outbox import Outbox

BOSS = Actor("usr_boss", "boss")


class Killed(Exception):
    """The process dies here."""


class FakeGateway:
    """Pays back once for each key, and counts."""

    name = "sandbox"
    can_refund = True

    def __init__(self) -> None:
        self.answer: RefundAnswer | MediaserverError = RefundAnswer("succeeded", "re_1")
        self.paid_back: dict[str, int] = {}
        self.asked = 0

    async def refund(self, reference: Reference, amount_minor: int, key: str) -> RefundAnswer:
        self.asked += 1
        if isinstance(self.answer, MediaserverError):
            raise self.answer
        if self.answer.state == "succeeded":
            self.paid_back[key] = amount_minor
        return self.answer


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def desk(
    db: Database, clock: FakeClock, letterhead: Letterhead, gateway: FakeGateway
) -> RefundDesk:
    known: dict[str, FakeGateway] = {"sandbox": gateway}
    return RefundDesk(db, clock, letterhead, known.get)  # type: ignore[arg-type]  # a part of one


async def ask(desk: RefundDesk, paid: Payment, amount: int = 1_000, **more: object) -> Refund:
    return await desk.ask(BOSS, paid.id, amount, "They asked for it.", **more)  # type: ignore[arg-type]


async def test_a_whole_refund(
    books: Books, alice: User, desk: RefundDesk, gateway: FakeGateway, db: Database
) -> None:
    paid = await books.top_up(alice, 1_000)
    made = await ask(desk, paid)
    assert await books.all() == {"clearing:sandbox": 1_000, "refund_hold:site": 1_000}
    await desk.work({"refund": made.id})
    assert await books.all() == {}
    assert gateway.paid_back == {f"refund:{made.id}": 1_000}
    assert (await books.paid(paid)).refunded_minor == 1_000
    done = (await desk.get(made.id)).refund
    assert (done.state, done.provider_ref) == ("succeeded", "re_1")
    assert "$10.00 back" in (await Outbox(db).newest("alice@example.org")).subject
    with pytest.raises(Conflict) as caught:
        await ask(desk, paid, 1)
    assert caught.value.code == "nothing_left"
    (entry,) = await db.read(lambda tx: audit.page(tx, action="refund.ask"))
    assert entry.details["amount_minor"] == 1_000


async def test_a_worker_does_it(
    books: Books, alice: User, desk: RefundDesk, db: Database, clock: FakeClock, events: Events
) -> None:
    worker = Worker(db, clock, events)
    worker.register(refunds.JOB, desk.work)
    made = await ask(desk, await books.top_up(alice, 1_000))
    assert await worker.run_due() == 1
    assert (await desk.get(made.id)).refund.state == "succeeded"


async def test_a_crash_between_the_gateways_answer_and_our_commit(
    books: Books,
    alice: User,
    desk: RefundDesk,
    gateway: FakeGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paid = await books.top_up(alice, 1_000)
    made = await ask(desk, paid, 400)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(refunds, "succeed", die)
        with pytest.raises(Killed):
            await desk.work({"refund": made.id})
    assert await books.held(Kind.REFUND_HOLD) == 400
    await desk.work({"refund": made.id})
    await desk.work({"refund": made.id})
    assert gateway.paid_back == {f"refund:{made.id}": 400}
    assert (await books.paid(paid)).refunded_minor == 400
    assert await books.all() == {"clearing:sandbox": 600, "wallet:alice": 600}


async def test_after_the_money_was_spent(
    books: Books, alice: User, bob: User, bobs: Channel, desk: RefundDesk
) -> None:
    paid = await books.top_up(alice, 1_000)
    await books.tip(alice, bobs, 900)
    seen = await desk.preview(paid.id, 500)
    assert (seen.amount_minor, seen.left_minor) == (500, 1_000)
    assert seen.plan.from_kind(Kind.WALLET) == 100
    assert seen.plan.from_kind(Kind.EARNINGS_PENDING) == 312
    assert seen.plan.from_kind(Kind.COMMISSION) == 88
    assert seen.plan.from_kind(Kind.LOSSES) == 0
    made = await ask(desk, paid, 500)
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 702 - 312
    await desk.work({"refund": made.id})
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 390
    assert (await desk.preview(paid.id)).amount_minor == 500


async def test_after_the_earnings_have_matured_the_site_pays(
    books: Books, alice: User, bob: User, bobs: Channel, desk: RefundDesk, clock: FakeClock
) -> None:
    paid = await books.donate(alice, bobs, 1_000)
    clock.advance(15 * DAY_MS)
    await Earnings(books.db, clock, books.config).mature_due()
    assert (await desk.preview(paid.id)).plan.from_kind(Kind.LOSSES) == 1_000
    await ask(desk, paid)
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 780
    assert await books.held(Kind.LOSSES) == 1_000


@pytest.mark.parametrize(
    "answer", [RefundAnswer("failed", detail="expired_or_canceled_card"), GatewayRefused("No.")]
)
async def test_the_gateway_says_no(
    books: Books,
    alice: User,
    admin: User,
    bobs: Channel,
    desk: RefundDesk,
    gateway: FakeGateway,
    answer: RefundAnswer | MediaserverError,
) -> None:
    paid = await books.top_up(alice, 1_000)
    tip = await books.tip(alice, bobs, 900)
    before = await books.all()
    made = await ask(desk, paid)
    gateway.answer = answer
    await desk.work({"refund": made.id})
    assert await books.all() == before
    assert (await books.paid(paid)).refunded_minor == 0
    assert (await books.given(tip)).taken_back_minor == 0
    assert (await desk.get(made.id)).refund.state == "failed"
    assert "refund failed" in (await Outbox(books.db).newest("root@example.org")).subject
    again = await ask(desk, paid, by_hand=True)
    assert again.way == "by_hand"


async def test_it_fails_after_it_had_succeeded(
    books: Books, alice: User, bob: User, bobs: Channel, desk: RefundDesk, clock: FakeClock
) -> None:
    """Banks send back what they can't book; by then the rest has matured."""
    paid = await books.donate(alice, bobs, 1_000)
    made = await ask(desk, paid, 500)
    await desk.work({"refund": made.id})
    clock.advance(15 * DAY_MS)
    await Earnings(books.db, clock, books.config).mature_due()
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 390
    await desk.reject(BOSS, made.id, "The bank sent it back.")
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 780
    assert await books.held(Kind.EARNINGS_PENDING, bob) == 0
    assert await books.held(Kind.COMMISSION) == 220
    assert (await books.paid(paid)).refunded_minor == 0
    with pytest.raises(Conflict):
        await desk.reject(BOSS, made.id, "Again.")


async def test_one_that_is_decided_later(
    books: Books,
    alice: User,
    bob: User,
    bobs: Channel,
    desk: RefundDesk,
    gateway: FakeGateway,
    clock: FakeClock,
) -> None:
    paid = await books.donate(alice, bobs, 1_000)
    made = await ask(desk, paid, 600)
    gateway.answer = RefundAnswer("pending", "re_1")
    with pytest.raises(TooEarly):
        await desk.work({"refund": made.id})
    clock.advance(15 * DAY_MS)
    await Earnings(books.db, clock, books.config).mature_due()
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 0, "nobody knows yet what is left"
    with pytest.raises(TooEarly):
        await desk.work({"refund": made.id})
    gateway.answer = RefundAnswer("succeeded", "re_1")
    await desk.work({"refund": made.id})
    assert gateway.paid_back == {f"refund:{made.id}": 600}, "asked under the same key each time"
    assert (await desk.get(made.id)).refund.state == "succeeded"
    await Earnings(books.db, clock, books.config).mature_due()
    assert await books.held(Kind.EARNINGS_AVAILABLE, bob) == 312


async def test_one_that_is_never_decided_is_given_to_an_admin(
    books: Books, alice: User, desk: RefundDesk, gateway: FakeGateway, clock: FakeClock
) -> None:
    made = await ask(desk, await books.top_up(alice, 1_000))
    gateway.answer = RefundAnswer("pending")
    with pytest.raises(TooEarly):
        await desk.work({"refund": made.id})
    clock.advance(limits.REFUND_POLLS_MS_MAX + 1)
    with pytest.raises(GiveUp):
        await desk.work({"refund": made.id})
    for act in (desk.confirm, desk.reject):
        with pytest.raises(Conflict) as caught:
            await act(BOSS, made.id, "while the job runs")
        assert caught.value.code == "being_asked"
    await given_up(books.db)
    assert (await desk.confirm(BOSS, made.id, "seen there")).state == "succeeded"
    gateway.answer = RefundAnswer("failed")
    await desk.work({"refund": made.id})
    assert (await desk.get(made.id)).refund.state == "succeeded", "it was sent by hand"


async def given_up(db: Database) -> None:
    """What becomes of jobs that can't be done."""
    dead = text("UPDATE job SET state = 'dead', lease_until_ms = NULL, ended_at_ms = 1")
    await db.write(lambda tx: tx.execute(dead))


@pytest.mark.parametrize(
    "answer", [RefundAnswer("failed", detail="expired_or_canceled_card"), GatewayRefused("No.")]
)
async def test_one_that_fails_after_it_was_pending(
    books: Books,
    alice: User,
    bobs: Channel,
    desk: RefundDesk,
    gateway: FakeGateway,
    answer: RefundAnswer | MediaserverError,
) -> None:
    paid = await books.donate(alice, bobs, 1_000)
    before = await books.all()
    made = await ask(desk, paid, 600)
    gateway.answer = RefundAnswer("pending", "re_1")
    with pytest.raises(TooEarly):
        await desk.work({"refund": made.id})
    gateway.answer = answer
    if isinstance(answer, GatewayRefused):
        with pytest.raises(TooEarly):
            await desk.work({"refund": made.id})
        found = (await desk.get(made.id)).refund
        assert (found.state, found.provider_ref) == ("pending", "re_1"), "it only doesn't tell"
    else:
        await desk.work({"refund": made.id})
        assert (await desk.get(made.id)).refund.state == "failed"
        assert await books.all() == before


async def look(books: Books, paid: Payment, refunded: int, letterhead: Letterhead) -> None:
    """What settlement does with the gateway's answer."""
    await books.locked(paid, lambda tx, row: refunds.look_again(tx, row, refunded, letterhead, 5))


async def test_a_gateway_that_takes_its_word_back(
    books: Books,
    alice: User,
    desk: RefundDesk,
    gateway: FakeGateway,
    letterhead: Letterhead,
    clock: FakeClock,
    events: Events,
) -> None:
    worker = Worker(books.db, clock, events)
    worker.register(refunds.JOB, desk.work)
    paid = await books.top_up(alice, 1_000)
    first, second = await ask(desk, paid, 400), await ask(desk, paid, 300)
    assert await worker.run_due() == 2
    await look(books, paid, 700, letterhead)
    assert await worker.run_due() == 0, "nothing is missing"
    await look(books, paid, 300, letterhead)
    await look(books, paid, 300, letterhead)
    assert await worker.run_due() == 2
    assert await books.held(Kind.WALLET, alice) == 300, "both stand there still"
    answers = {first.id: RefundAnswer("failed", "re_1"), second.id: RefundAnswer("succeeded")}

    async def refund(reference: Reference, amount_minor: int, key: str) -> RefundAnswer:
        return answers[key.removeprefix("refund:")]

    gateway.refund = refund  # type: ignore[method-assign]  # each of them has its own answer
    await desk.work({"refund": first.id})
    await desk.work({"refund": second.id})
    await desk.work({"refund": first.id})
    assert (await desk.get(first.id)).refund.state == "failed"
    assert (await desk.get(second.id)).refund.state == "succeeded"
    assert await books.held(Kind.WALLET, alice) == 700
    assert (await books.paid(paid)).refunded_minor == 300


@pytest.mark.parametrize(("now", "booked"), [(500, 500), (300, 300), (100, 100), (0, 0)])
async def test_what_was_refunded_there_and_failed_later(
    books: Books, alice: User, letterhead: Letterhead, now: int, booked: int
) -> None:
    paid = await books.top_up(alice, 1_000)
    for so_much in (300, 500):
        await books.locked(
            paid, lambda tx, row, minor=so_much: refunds.book_outside(tx, row, minor, 5)
        )
    for _ in range(2):
        await look(books, paid, now, letterhead)
    assert (await books.paid(paid)).refunded_minor == booked
    assert await books.held(Kind.WALLET, alice) == 1_000 - booked
    assert await books.held(Kind.CLEARING, "sandbox") == 1_000 - booked


async def test_an_admin_who_looks_at_an_old_page(
    books: Books, alice: User, desk: RefundDesk, gateway: FakeGateway
) -> None:
    """What succeeded meanwhile isn't given back to the wallet as well."""
    gateway.can_refund = False
    paid = await books.top_up(alice, 1_000)
    made = await ask(desk, paid)
    await desk.confirm(BOSS, made.id, "E2E-77")
    with pytest.raises(Conflict) as caught:
        await desk.reject(BOSS, made.id, "They changed their mind.", "requested")
    assert caught.value.code == "changed"
    assert await books.held(Kind.WALLET, alice) == 0


async def test_a_payment_that_is_reversed_during_its_refund(
    books: Books, alice: User, desk: RefundDesk, gateway: FakeGateway
) -> None:
    """It can't be paid any more, and what was on hold for it isn't given back to the wallet."""
    paid = await books.top_up(alice, 1_000)
    made = await ask(desk, paid, 600)
    await books.locked(paid, lambda tx, row: take_back.reverse_payment(tx, row, "deny", 5))
    reversed_ = text("UPDATE payment SET state = 'reversed'")
    await books.db.write(lambda tx: tx.execute(reversed_))
    gateway.answer = GatewayRefused("It was denied.")
    await desk.work({"refund": made.id})
    assert await books.all() == {}
    assert await books.held(Kind.LOSSES) == 0


async def test_the_gateway_is_down(
    books: Books, alice: User, desk: RefundDesk, gateway: FakeGateway
) -> None:
    made = await ask(desk, await books.top_up(alice, 1_000))
    gateway.answer = GatewayDown("time-out")
    with pytest.raises(GatewayDown):
        await desk.work({"refund": made.id})
    assert (await desk.get(made.id)).refund.state == "requested", "tried again by the worker"


async def test_by_hand_with_the_banks_reference(
    books: Books, alice: User, desk: RefundDesk, gateway: FakeGateway
) -> None:
    gateway.can_refund = False
    paid = await books.top_up(alice, 1_000)
    made = await ask(desk, paid, 300)
    assert made.way == "by_hand"
    await desk.work({"refund": made.id})
    assert gateway.asked == 0
    with pytest.raises(Invalid):
        await desk.confirm(BOSS, made.id, "  ")
    done = await desk.confirm(BOSS, made.id, "E2E-77")
    assert (done.state, done.provider_ref) == ("succeeded", "E2E-77")
    with pytest.raises(Conflict):
        await desk.confirm(BOSS, made.id, "E2E-78")
    assert await books.all() == {"clearing:sandbox": 700, "wallet:alice": 700}


@pytest.mark.parametrize("amount", [0, -1, 1_001, 2**63])
async def test_what_is_no_amount(books: Books, alice: User, desk: RefundDesk, amount: int) -> None:
    paid = await books.top_up(alice, 1_000)
    for act in (lambda: ask(desk, paid, amount), lambda: desk.preview(paid.id, amount)):
        with pytest.raises(Invalid) as caught:
            await act()
        assert caught.value.field == "amount"


async def test_no_refund_while_its_bank_decides(
    books: Books, alice: User, desk: RefundDesk
) -> None:
    paid = await books.top_up(alice, 1_000)
    status = DisputeStatus("dp_1", 400, 0, "open")
    await books.locked(paid, lambda tx, row: disputes.book(tx, row, status, 1))
    with pytest.raises(Conflict) as caught:
        await ask(desk, paid, 100)
    assert caught.value.code == "disputed"


async def test_a_dispute_of_what_is_being_refunded(
    books: Books, alice: User, desk: RefundDesk
) -> None:
    """The bank takes all of it though half is on its way back: that half is lost."""
    paid = await books.top_up(alice, 1_000)
    made = await ask(desk, paid, 600)
    status = DisputeStatus("dp_1", 1_000, 0, "open")
    await books.locked(paid, lambda tx, row: disputes.book(tx, row, status, 1))
    await desk.work({"refund": made.id})
    assert await books.all() == {"clearing:sandbox": -600, "losses:site": 600}
    found = await books.paid(paid)
    assert (found.refunded_minor, found.disputed_minor) == (600, 400)


async def test_the_same_request_twice_and_two_at_once(
    books: Books, alice: User, desk: RefundDesk
) -> None:
    paid = await books.top_up(alice, 1_000)
    made = await asyncio.gather(*(ask(desk, paid, 700, key="one") for _ in range(3)))
    assert len({one.id for one in made}) == 1
    with pytest.raises(Conflict):
        await ask(desk, paid, 100, key="one")

    async def second() -> str:
        try:
            return (await ask(desk, paid, 200)).state
        except Invalid as error:
            return error.code

    assert sorted(await asyncio.gather(second(), second())) == ["amount_too_large", "requested"]


@pytest.mark.parametrize(
    ("told", "booked"), [((300,), 300), ((300, 300), 300), ((300, 500), 500), ((5_000,), 1_000)]
)
async def test_somebody_refunds_at_the_gateway_itself(
    books: Books, alice: User, letterhead: Letterhead, told: tuple[int, ...], booked: int
) -> None:
    paid = await books.top_up(alice, 1_000)
    for refunded in told:
        await books.locked(
            paid,
            lambda tx, row, so_much=refunded: refunds.book_outside(
                tx, row, so_much, 5, letterhead=letterhead
            ),
        )
    assert (await books.paid(paid)).refunded_minor == booked
    assert await books.held(Kind.WALLET, alice) == 1_000 - booked


async def test_our_own_refund_isnt_taken_for_one_from_outside(
    books: Books, alice: User, desk: RefundDesk
) -> None:
    """The gateway tells of it before our job has written down its answer."""
    paid = await books.top_up(alice, 1_000)
    made = await ask(desk, paid, 300)
    await books.locked(paid, lambda tx, row: refunds.book_outside(tx, row, 300, 5))
    assert await books.held(Kind.WALLET, alice) == 700
    await desk.work({"refund": made.id})
    await books.locked(paid, lambda tx, row: refunds.book_outside(tx, row, 300, 5))
    assert (await books.paid(paid)).refunded_minor == 300
    assert await books.held(Kind.WALLET, alice) == 700


async def test_what_was_never_paid_or_is_nothing(
    books: Books, alice: User, desk: RefundDesk, db: Database
) -> None:
    paid = await books.top_up(alice, 1_000)
    unpaid = text("UPDATE payment SET state = 'open', entry_id = NULL")
    await db.write(lambda tx: tx.execute(unpaid))
    with pytest.raises(Conflict):
        await ask(desk, paid)
    with pytest.raises(NotFound):
        await desk.preview("pay_nothing")
    with pytest.raises(NotFound):
        await desk.get("rfd_nothing")
