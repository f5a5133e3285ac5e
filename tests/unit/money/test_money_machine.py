"""Whatever happens with money, in whichever order: the books add up, and they say what a few plain
sums say, too. On both databases.

Exact sums stand beside everything but what is taken back of a payment: there they bound whose money
it may be, and what is undone must give back exactly what was taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    multiple,
    rule,
    run_state_machine_as_test,
)

from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.worker import TooEarly
from mediaserver.memberships import plans
from mediaserver.memberships.memberships import Membership
from mediaserver.memberships.renewals import Renewals
from mediaserver.memberships.subscriptions import Subscriptions
from mediaserver.money import ledger, refund_rows, refunds
from mediaserver.money.earnings import Earnings
from mediaserver.money.gateways.gateway import DisputeStatus, Status
from mediaserver.money.idempotency import Request
from mediaserver.money.ledger import Account, Kind
from mediaserver.money.payout_accounts import BankDetails, PayoutAccounts
from mediaserver.money.payout_desk import PayoutDesk
from mediaserver.money.payouts import Payouts
from mediaserver.money.refund_rows import Refund
from tests.unit.money.bookings import CURRENCY, DAY_MS
from tests.unit.money.money_machine import MoneyMachine
from tests.unit.money.money_words import (
    ABOVE,
    CONFIG,
    LETTERHEAD,
    STREAMERS,
    VAULT,
    Begun,
    all_balances,
    amounts,
    people,
    settled,
    site,
    streamers,
)
from tests.unit.money.one_transaction import Stage

PRICE_MINOR = 300
_TAKEN = (Kind.WALLET, Kind.EARNINGS_PENDING, Kind.COMMISSION, Kind.UNCLAIMED)
"""Whose money may be taken back; what that doesn't cover is a loss."""

Changes = dict[Account, int]
admins = st.sampled_from(("admin_one", "admin_two"))


class WholeMachine(MoneyMachine):
    """Also what goes back to payers and out to streamers, and memberships."""

    asked = Bundle("asked")
    disputed = Bundle("disputed")
    requested = Bundle("requested")
    members = Bundle("members")

    def open_services(self) -> None:
        db: Any = self.tx
        accounts = PayoutAccounts(db, self.clock, VAULT, LETTERHEAD)
        self.earnings = Earnings(db, self.clock, CONFIG)
        self.payouts = Payouts(db, self.clock, VAULT, LETTERHEAD, accounts, CONFIG)
        self.desk = PayoutDesk(db, self.clock, VAULT, LETTERHEAD, CONFIG)
        self.subscriptions = Subscriptions(db, self.clock, LETTERHEAD, CONFIG)
        self.renewals = Renewals(db, self.clock, LETTERHEAD)
        self.accounts = accounts
        self.taken: dict[str, Changes] = {}
        self.states: dict[str, str] = {}
        self.payout_states: dict[str, str] = {}
        selling = plans.Plans(db, self.clock, CONFIG)
        made = selling.make(Actor(None, "admin"), "Friend", "", PRICE_MINOR, "month")
        self.plan = self.tx.call(made)

    # Time -----------------------------------------------------------------------------------------

    @rule(days=st.sampled_from((1, 15, 40)))
    def time_goes_by(self, days: int) -> None:
        """And earnings mature."""
        self.clock.advance(days * DAY_MS)
        changes = self.adopted(lambda: self.tx.call(self.earnings.mature_due()))
        for name in STREAMERS:
            pending = changes.pop(self.account(Kind.EARNINGS_PENDING, name), 0)
            available = changes.pop(self.account(Kind.EARNINGS_AVAILABLE, name), 0)
            assert pending == -available <= 0
        assert not changes

    # Back to payers -------------------------------------------------------------------------------

    @rule(target=asked, one=MoneyMachine.begun, part=st.integers(1, 5_000))
    def ask_refund(self, one: Begun, part: int) -> Any:
        amount = min(part, one.amount_minor)
        found: list[Refund] = []

        def ask() -> str:
            made, code = self.tried(
                refunds.ask,
                *(self.actor("admin_one"), one.id, amount, "A reason.", "by_hand"),
                *(Request.of(None), LETTERHEAD, self.now_ms),
            )
            found.extend([made] if made else [])
            return code

        changes = self.adopted(ask)
        if not found:
            assert not changes
            return multiple()
        hold = site(Kind.REFUND_HOLD)
        assert changes.pop(hold) == amount
        self.check_taken(one, changes, amount)
        self.taken[found[0].id] = changes
        return (found[0], one)

    @rule(what=asked, comes_back=st.booleans())
    def refund_arrives(self, what: tuple[Refund, Begun], comes_back: bool) -> None:
        made, one = what
        before = self.refund_state(made)
        if before in ("requested", "pending"):
            self.tx.run(refunds.succeed, made.id, "ref", LETTERHEAD, self.now_ms)
            clearing = ledger.clearing_of(one.gateway, CURRENCY)
            self.sums.move(site(Kind.REFUND_HOLD), clearing, made.amount_minor)
        if comes_back:
            self.refund_fails(what)

    @rule(what=asked)
    def refund_fails(self, what: tuple[Refund, Begun]) -> None:
        """Before it was sent, or after; told twice."""
        made, one = what
        before = self.refund_state(made)

        def fail() -> None:
            for _ in range(2):
                self.tx.run(refunds.fail, made.id, "No such card.", LETTERHEAD, self.now_ms)

        changes = self.adopted(fail)
        if before == "failed":
            assert not changes
            return
        if before == "succeeded":
            assert changes.pop(ledger.clearing_of(one.gateway, CURRENCY)) == made.amount_minor
        else:
            assert changes.pop(site(Kind.REFUND_HOLD)) == -made.amount_minor
        self.check_given_back(changes, self.taken[made.id])

    @rule(
        target=disputed,
        one=MoneyMachine.begun,
        part=st.integers(1, 6_000),
        fee=st.integers(0, 30),
        state=st.sampled_from(("open", "lost", "won")),
    )
    def dispute(self, one: Begun, part: int, fee: int, state: Any) -> Any:
        """Also of more than was paid, and one that we hear of when it is over."""
        if one.id not in self.paid or one.id in self.gone:
            return multiple()
        found = DisputeStatus(f"dp_{self.now_ms}", part, fee, state)
        changes = self.adopted(lambda: self.told(one, found))
        assert changes.pop(site(Kind.GATEWAY_FEES), 0) == fee
        amount = 0 if state == "won" else part
        clearing = ledger.clearing_of(one.gateway, CURRENCY)
        assert changes.pop(clearing, 0) == -amount - fee
        self.check_taken(one, changes, amount)
        self.taken[found.provider_ref] = changes
        self.states[found.provider_ref] = state
        return (one, found)

    @rule(what=disputed, state=st.sampled_from(("open", "won", "lost")), times=st.integers(1, 2))
    def dispute_goes_on(self, what: tuple[Begun, DisputeStatus], state: Any, times: int) -> None:
        """Decided, told twice, told in a wrong order, decided otherwise."""
        one, found = what
        if one.id in self.gone:
            return
        before = self.states[found.provider_ref]
        now = DisputeStatus(found.provider_ref, found.amount_minor, found.fee_minor, state)
        changes = self.adopted(lambda: [self.told(one, now) for _ in range(times)])
        if before in ("open", "lost") and state == "won":
            self.states[found.provider_ref] = "won"
            clearing = ledger.clearing_of(one.gateway, CURRENCY)
            assert changes.pop(clearing, 0) == found.amount_minor
            self.check_given_back(changes, self.taken[found.provider_ref])
            return
        if before == "won" and state == "lost":
            self.states[found.provider_ref] = "lost"
            clearing = ledger.clearing_of(one.gateway, CURRENCY)
            assert changes.pop(clearing, 0) == -found.amount_minor
            self.check_taken(one, changes, found.amount_minor)
            self.taken[found.provider_ref] = changes
            return
        if before == "open" and state == "lost":
            self.states[found.provider_ref] = "lost"
        assert not changes

    @rule(one=MoneyMachine.begun)
    def gateway_takes_it_back(self, one: Begun) -> None:
        """All of it that wasn't given back before, as with Midtrans' deny after settlement."""
        if one.id not in self.paid or one.id in self.gone or self.is_being_refunded(one):
            return
        self.gone.add(one.id)
        status = Status("reversed", one.amount_minor, CURRENCY)
        changes = self.adopted(lambda: self.tx.run(settled, one.id, status, self.now_ms))
        clearing = ledger.clearing_of(one.gateway, CURRENCY)
        self.check_taken(one, changes, -changes.pop(clearing, 0))

    # Out to streamers -----------------------------------------------------------------------------

    @rule(target=requested, name=streamers, amount=amounts)
    def request_payout(self, name: str, amount: int) -> Any:
        user = self.users[name]
        bank = BankDetails("Holder", "DE02120300000000202051", "Bank", "BYLADEM1001", "DE")
        self.tx.call(self.accounts.change(user, bank))
        available = self.account(Kind.EARNINGS_AVAILABLE, name)
        hold = self.account(Kind.PAYOUT_HOLD, name)
        is_open, has = self.sums.held[hold] > 0, self.sums.held[available] >= amount
        made, code = self.awaited(self.payouts.request(user, amount))
        wanted = "payout_open" if is_open else "" if has else "insufficient_funds"
        assert code == wanted
        if code:
            return multiple()
        self.sums.move(available, hold, amount)
        return (made, name)

    @rule(what=requested, admin=admins, act=st.sampled_from(("approve", "reject", "fail")))
    def decide_payout(self, what: Any, admin: str, act: str) -> None:
        made, name = what
        actor, before = self.actor(admin), self.payout_states.get(made.id, "requested")
        acts: dict[str, Any] = {
            "approve": self.desk.approve(actor, made.id, "TRF-1"),
            "reject": self.desk.reject(actor, made.id, "A reason."),
            "fail": self.desk.fail(actor, made.id, "It came back."),
        }
        chosen = acts.pop(act)
        for other in acts.values():
            other.close()
        after, code = self.awaited(chosen)
        hold, bank = self.account(Kind.PAYOUT_HOLD, name), site(Kind.BANK)
        available = self.account(Kind.EARNINGS_AVAILABLE, name)
        if code:
            assert code in ("already_decided", "same_admin", "not_paid")
            return
        self.payout_states[made.id] = after.state
        if after.state == "paid":
            assert before == ("approved" if made.amount_minor > ABOVE else "requested")
            self.sums.move(hold, bank, made.amount_minor)
        elif after.state == "rejected":
            assert before in ("requested", "approved")
            self.sums.move(hold, available, made.amount_minor)
        elif after.state == "failed":
            assert before == "paid"
            self.sums.move(bank, available, made.amount_minor)
        else:
            assert (before, after.state) == ("requested", "approved")

    # Memberships ----------------------------------------------------------------------------------

    @rule(target=members, user=people)
    def subscribe(self, user: str) -> Any:
        can_pay = self.sums.held[self.account(Kind.WALLET, user)] >= PRICE_MINOR
        asked = self.subscriptions.subscribe(self.users[user], self.plan.id, PRICE_MINOR)
        made, code = self.awaited(asked)
        if code == "member":
            return multiple()
        assert code == self.expected(user, can_pay=can_pay)
        if code:
            return multiple()
        self.pays_site(user, PRICE_MINOR)
        return (made, user)

    @rule(what=members, number=st.integers(1, 3))
    def renew(self, what: tuple[Membership, str], number: int) -> None:
        made, user = what

        def renew() -> None:
            work = self.renewals.renew({"membership": made.id, "number": number})
            try:
                self.tx.call(work)
            except TooEarly:
                return

        changes = self.adopted(renew)
        paid = changes.pop(self.account(Kind.WALLET, user), 0)
        assert paid in (0, -PRICE_MINOR)
        assert changes.pop(site(Kind.COMMISSION), 0) == -paid
        assert not changes

    # Words ----------------------------------------------------------------------------------------

    def awaited(self, work: Any) -> tuple[Any, str]:
        """What a service answers, and the code with which it refused."""
        try:
            return self.tx.call(work), ""
        except MediaserverError as error:
            return None, error.code

    def told(self, one: Begun, dispute: DisputeStatus) -> None:
        """The gateway says so of a payment."""
        status = Status("paid", one.amount_minor, CURRENCY, disputes=(dispute,))
        self.tx.run(settled, one.id, status, self.now_ms)

    def adopted(self, act: Callable[[], Any]) -> Changes:
        """Do something, and take over what it changes: by how much each account holds more."""
        before = dict(self.sums.held)
        act()
        after = self.tx.run(all_balances)
        self.sums.held = Counter(after)
        return {
            account: held - before.get(account, 0)
            for account, held in after.items()
            if held != before.get(account, 0)
        }

    def check_taken(self, one: Begun, changes: Changes, amount: int) -> None:
        """Taken from the payer, from those they gave to, and the rest is lost; `amount` in all."""
        losses = changes.get(site(Kind.LOSSES), 0)
        rest = {key: by for key, by in changes.items() if key.kind is not Kind.LOSSES}
        assert losses >= 0
        assert all(account.kind in _TAKEN and by < 0 for account, by in rest.items()), changes
        assert losses - sum(rest.values()) == amount
        wallets = {account for account in rest if account.kind is Kind.WALLET}
        own = {self.account(Kind.WALLET, one.to)} if one.commission_bps is None else set()
        assert wallets <= own

    def check_given_back(self, changes: Changes, taken: Changes) -> None:
        """Exactly what was taken; what matured meanwhile is available at once."""
        assert _by_owner(changes) == {key: -by for key, by in _by_owner(taken).items()}

    def pays_site(self, user: str, amount: int) -> None:
        self.sums.move(self.account(Kind.WALLET, user), site(Kind.COMMISSION), amount)

    def refund_state(self, made: Refund) -> str:
        return str(self.tx.run(refund_rows.get, made.id).state)

    def is_being_refunded(self, one: Begun) -> bool:
        return self.tx.run(refund_rows.open_minor, one.id) > 0


def _by_owner(changes: Changes) -> dict[tuple[str, str], int]:
    """Earnings of a streamer as one, whether they have matured or not."""
    earned = (Kind.EARNINGS_PENDING, Kind.EARNINGS_AVAILABLE)
    sums: Counter[tuple[str, str]] = Counter()
    for account, by in changes.items():
        label = "earnings" if account.kind in earned else account.kind.label
        sums[label, account.owner] += by
    return {key: by for key, by in sums.items() if by}


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    made = Stage(database_url)
    yield made
    made.close()


def test_whatever_happens_with_money(stage: Stage) -> None:
    machine = type("Machine", (WholeMachine,), {"stage": stage})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
