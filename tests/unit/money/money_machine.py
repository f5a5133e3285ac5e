"""The machine of money: people pay, give and correct in any order, and after each step the books
add up and say what plain sums say. test_money_machine.py adds what goes back and out, and runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.ids import new_id
from mediaserver.money import corrections, ledger, ledger_check, settlements, tips
from mediaserver.money.commission import Split
from mediaserver.money.contributions import Words
from mediaserver.money.corrections import Asked, Correction
from mediaserver.money.gateways.gateway import Status
from mediaserver.money.ledger import Account, Entry, Kind
from mediaserver.money.ledger_rules import SOLVENCY
from mediaserver.money.settlements import Arrived
from mediaserver.money.standing import standings
from tests.unit.money.bookings import CURRENCY
from tests.unit.money.money_words import (
    ABOVE,
    CONFIG,
    LETTERHEAD,
    PERSONAL,
    STREAMERS,
    VIEWERS,
    Begun,
    Sums,
    all_balances,
    amounts,
    begin,
    begin_donation,
    gateways,
    make_channel,
    make_user,
    people,
    settled,
    site,
    streamers,
    transfer,
)
from tests.unit.money.one_transaction import OneTransaction, Stage

P = ParamSpec("P")


class MoneyMachine(RuleBasedStateMachine):
    """What comes in, what is given and what admins enter. `stage` is put in by the test."""

    stage: Stage

    begun: Bundle[Begun] = Bundle("begun")
    waiting: Bundle[Correction] = Bundle("waiting")
    reversible: Bundle[Entry] = Bundle("reversible")

    def __init__(self) -> None:
        super().__init__()
        self.tx: OneTransaction = self.stage.open()
        self.clock = FakeClock()
        self.sums = Sums()
        self.paid: set[str] = set()
        self.gone: set[str] = set()
        self.decided: set[str] = set()
        self.reversed: set[str] = set()

    @property
    def now_ms(self) -> int:
        return self.clock.wall_ms()

    def teardown(self) -> None:
        self.tx.roll_back()

    @initialize(target=begun)
    def people_come(self) -> Any:
        """Some with money in their wallets, of which they have given already."""
        self.users: dict[str, User] = {}
        for name in (*VIEWERS, *STREAMERS, "admin_one", "admin_two"):
            self.users[name] = self.tx.run(make_user, name)
        self.channels: dict[str, Channel] = {}
        for name in STREAMERS:
            self.channels[name] = self.tx.run(make_channel, self.users[name], name)
        self.open_services()
        paid = [self.begin_topup(user, "first", 4_000) for user in VIEWERS]
        paid.append(self.begin_donation(None, STREAMERS[0], "second", 2_000, 2200))
        for one in paid:
            self.settle(one, 0, 1)
        for streamer in STREAMERS:
            self.tip(VIEWERS[0], streamer, 1_500, 1)
        return multiple(*paid)

    def open_services(self) -> None:
        """What more rules need."""

    # What comes in --------------------------------------------------------------------------------

    def begin_topup(self, user: str, gateway: str, amount: int) -> Begun:
        made = self.tx.run(begin, "topup", gateway, self.users[user], amount, self.now_ms)
        return Begun(made.id, gateway, amount, user)

    def begin_donation(
        self, user: str | None, streamer: str, gateway: str, amount: int, bps: int
    ) -> Begun:
        sender = None if user is None else self.users[user]
        found = self.channels[streamer]
        made = self.tx.run(begin_donation, sender, found, gateway, amount, bps, self.now_ms)
        return Begun(made.id, gateway, amount, streamer, bps)

    @rule(
        target=begun,
        user=st.sampled_from((*VIEWERS, *STREAMERS, None)),
        streamer=st.sampled_from((*STREAMERS, None)),
        gateway=gateways,
        amount=amounts,
        bps=st.sampled_from((0, 1, 2200, 9_999, 10_000)),
        is_paid=st.booleans(),
    )
    def pay(
        self,
        user: str | None,
        streamer: str | None,
        gateway: str,
        amount: int,
        bps: int,
        is_paid: bool,
    ) -> Any:
        """A top-up, or a donation to a streamer, also of a guest; some are paid later."""
        if streamer is not None:
            one = self.begin_donation(user, streamer, gateway, amount, bps)
        elif user is not None:
            one = self.begin_topup(user, gateway, amount)
        else:
            return multiple()
        if is_paid:
            self.settle(one, 0, 1)
        return one

    @rule(one=begun, fee=st.integers(0, 50), times=st.integers(1, 3))
    def settle(self, one: Begun, fee: int, times: int) -> None:
        """Paid: also late, after it was given up, and told again and again."""
        status = Status("paid", one.amount_minor, CURRENCY, fee_minor=fee)
        for _ in range(times):
            self.tx.run(settled, one.id, status, self.now_ms)
        if one.id in self.gone:
            return  # its gateway took it back: nothing that comes later counts
        clearing = ledger.clearing_of(one.gateway, CURRENCY)
        if one.id not in self.paid:
            self.paid.add(one.id)
            self.sums.add(clearing, one.amount_minor)
            if one.commission_bps is None:
                self.sums.add(self.account(Kind.WALLET, one.to), one.amount_minor)
            else:
                self.split(one.to, one.amount_minor, one.commission_bps)
        if fee and f"fee:{one.id}" not in self.paid:
            self.paid.add(f"fee:{one.id}")
            self.sums.add(clearing, -fee)
            self.sums.add(site(Kind.GATEWAY_FEES), fee)

    @rule(one=begun, standing=st.sampled_from(("open", "expired", "failed", "review", "paid")))
    def settle_otherwise(self, one: Begun, standing: Any) -> None:
        """Not paid, or another amount, as far as the gateway knows: it changes nothing, whether it
        comes late or in a wrong order.
        """
        if one.id in self.paid and standing in ("expired", "failed"):
            return
        status = Status(standing, one.amount_minor + 1, CURRENCY)
        self.tx.run(settled, one.id, status, self.now_ms)

    # What is given --------------------------------------------------------------------------------

    @rule(user=people, streamer=streamers, amount=amounts, times=st.integers(1, 2))
    def tip(self, user: str, streamer: str, amount: int, times: int) -> None:
        if user == streamer:
            return
        sender, key = self.users[user], new_id("key")
        can_pay = self.sums.held[self.account(Kind.WALLET, user)] >= amount
        slug = streamer.replace("_", "-")
        for _ in range(times):
            _, code = self.tried(tips.give, CONFIG, sender, slug, amount, Words(), key, self.now_ms)
            assert code == self.expected(user, can_pay=can_pay)
        if code:
            return
        self.sums.add(self.account(Kind.WALLET, user), -amount)
        self.split(streamer, amount, CONFIG.commission_bps)

    @rule(streamer=streamers, amount=amounts)
    def confirmtransfer(self, streamer: str, amount: int) -> None:
        """From bank to bank: a memo, which nobody can withdraw."""
        self.tx.run(transfer, self.channels[streamer], amount, self.now_ms)
        self.sums.add(site(Kind.DIRECT_GIVEN), amount)
        self.sums.add(self.account(Kind.DIRECT_RECEIVED, streamer), amount)

    # What admins enter ----------------------------------------------------------------------------

    @rule(target=reversible, gateway=gateways, amount=amounts, fee=st.integers(0, 50))
    def enter_settlement(self, gateway: str, amount: int, fee: int) -> Any:
        clearing = ledger.clearing_of(gateway, CURRENCY)
        arrived = Arrived(gateway, "2026-11-20", amount, fee, new_id("ref"))
        boss = self.actor("admin_one")
        entered, code = self.tried(settlements.enter, CURRENCY, boss, arrived, self.now_ms)
        if code:
            assert clearing not in self.sums.held, code
            return multiple()
        self.sums.add(clearing, -amount - fee)
        self.sums.add(site(Kind.BANK), amount)
        self.sums.add(site(Kind.GATEWAY_FEES), fee)
        return self.tx.run(ledger.get_entry, entered.entry_id)

    @rule(target=reversible, direction=st.sampled_from(("in", "out")), amount=amounts)
    def move_owners_share(self, direction: Any, amount: int) -> Any:
        change = amount if direction == "in" else -amount
        is_owed = self.own_minor() + change < 0 and direction == "out"
        boss = self.actor("admin_one")
        entry, code = self.tried(
            settlements.move_owners_share,
            *(CURRENCY, boss, direction, amount, "TRF", "", None, self.now_ms),
        )
        assert code == ("owed_to_others" if is_owed else "")
        if is_owed:
            return multiple()
        self.sums.add(site(Kind.BANK), change)
        self.sums.add(site(Kind.OWNERS_SHARE), change)
        return entry

    @rule(
        target=waiting,
        debit=st.sampled_from(("losses", "commission", "wallet", "bank")),
        credit=st.sampled_from(("wallet", "commission", "losses", "owners_share")),
        user=people,
        amount=amounts,
    )
    def correct(self, debit: str, credit: str, user: str, amount: int) -> Any:
        if debit == credit:
            return multiple()
        asked = Asked(debit, user, credit, user, amount, "A reason.")
        boss = self.actor("admin_one")
        accounts = [self.account(ledger.KINDS[kind], user) for kind in (debit, credit)]
        is_waiting = amount > ABOVE
        made, code = self.tried(corrections.ask, CONFIG, LETTERHEAD, boss, asked, None, self.now_ms)
        can = is_waiting or self.sums.can_move(accounts[0], accounts[1], amount)
        assert code == ("" if can else "insufficient_funds")
        if code:
            return multiple()
        assert made.state == ("waiting" if is_waiting else "booked")
        if is_waiting:
            return made
        self.sums.move(accounts[0], accounts[1], amount)
        return multiple()

    @rule(made=waiting, admin=st.sampled_from(("admin_one", "admin_two")))
    def agree(self, made: Correction, admin: str) -> None:
        debit, credit = map(ledger.account_of, (made.debit_id, made.credit_id))
        _, code = self.tried(corrections.approve, self.actor(admin), made.id, self.now_ms)
        if made.id in self.decided:
            assert code == "decided"
        elif admin == "admin_one":
            assert code == "same_admin"
        elif not self.sums.can_move(debit, credit, made.amount_minor):
            assert code == "insufficient_funds"
        else:
            assert code == ""
            self.decided.add(made.id)
            self.sums.move(debit, credit, made.amount_minor)

    @rule(entry=reversible)
    def reverse(self, entry: Entry) -> None:
        back = [(one.credit, one.debit, one.amount_minor) for one in entry.transfers]
        boss = self.actor("admin_one")
        made, code = self.tried(
            corrections.reverse, CONFIG, LETTERHEAD, boss, entry.id, "Wrong.", self.now_ms
        )
        if entry.id in self.reversed:
            assert code == "already_reversed"
        elif code:
            assert code == "insufficient_funds"
            assert not all(self.sums.can_move(*one) for one in back)
        elif made.state == "waiting":
            self.tx.run(corrections.reject, boss, made.id, self.now_ms)
        else:
            self.reversed.add(entry.id)
            for one in back:
                self.sums.move(*one)

    # What must always be so -----------------------------------------------------------------------

    @invariant()
    def the_books_add_up(self) -> None:
        self.clock.advance(1)
        found = self.tx.run(ledger_check.check)
        assert [one for one in found if one.rule != SOLVENCY] == []
        for one in self.tx.run(standings):
            kinds = (Kind.COMMISSION, Kind.OWNERS_SHARE, Kind.GATEWAY_FEES, Kind.LOSSES)
            assert one.own_minor == sum(kind.side * one.of(kind) for kind in kinds)
            assert one.is_solvent == (not found)

    @invariant()
    def every_account_holds_what_the_sums_say(self) -> None:
        booked = self.tx.run(all_balances)
        assert {key: held for key, held in booked.items() if held} == {
            key: held for key, held in self.sums.held.items() if held
        }

    # Words ----------------------------------------------------------------------------------------

    def tried(
        self, fn: Callable[Concatenate[Transaction, P], Any], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Any, str]:
        """What a step answers, and the code with which it was refused."""
        try:
            return self.tx.run(fn, *args, **kwargs), ""
        except MediaserverError as error:
            return None, error.code

    def account(self, kind: Kind, name: str) -> Account:
        if kind in PERSONAL:
            return Account(kind, self.users[name].id, CURRENCY)
        return ledger.site_account(kind, CURRENCY)

    def actor(self, name: str) -> Actor:
        return Actor(self.users[name].id, name)

    def expected(self, user: str, *, can_pay: bool) -> str:
        """The code with which a wallet refuses to pay."""
        wallet = self.tx.run(ledger.balance, self.account(Kind.WALLET, user))
        if wallet.frozen_for is not None:
            return "frozen"
        return "" if can_pay else "insufficient_funds"

    def split(self, streamer: str, amount: int, bps: int) -> None:
        parts = Split(amount, bps)
        self.sums.add(self.account(Kind.EARNINGS_PENDING, streamer), parts.net_minor)
        self.sums.add(site(Kind.COMMISSION), parts.fee_minor)

    def own_minor(self) -> int:
        """What is the owner's."""
        return sum(
            account.kind.side * held
            for account, held in self.sums.held.items()
            if account.kind in (Kind.COMMISSION, Kind.OWNERS_SHARE, Kind.GATEWAY_FEES, Kind.LOSSES)
        )
