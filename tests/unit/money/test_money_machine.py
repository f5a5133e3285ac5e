"""Whatever happens with money, in whichever order: the books add up, and they say what a few plain
sums say, too. On both databases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import insert, select

from mediaserver.accounts.users import User, find_by_id, user_account
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.money import (
    contributions,
    corrections,
    ledger,
    ledger_check,
    payments,
    settlement,
    settlements,
    tips,
)
from mediaserver.money.commission import Split
from mediaserver.money.contributions import Offer, Words
from mediaserver.money.corrections import Asked, Correction
from mediaserver.money.gateways.gateway import Status
from mediaserver.money.idempotency import Request
from mediaserver.money.ledger import Account, Entry, Kind, ledger_account
from mediaserver.money.ledger_rules import SOLVENCY
from mediaserver.money.payments import NewPayment, Payment
from mediaserver.money.settlement import Rules
from mediaserver.money.settlements import Arrived
from mediaserver.money.standing import standings
from tests.unit.money.bookings import CURRENCY, DAY_MS
from tests.unit.money.one_transaction import OneTransaction, Stage

P = ParamSpec("P")

LETTERHEAD = Letterhead(lambda: "Test Site", lambda: "https://site.example", Vault(bytes(32)).mac)
CONFIG = MoneyConfig(two_admins_above="20", tip_min="0.01", maturity_days=14)
RULES = Rules(LETTERHEAD, CONFIG.maturity_days)
ABOVE = 2_000
PERSONAL = (
    *(Kind.WALLET, Kind.EARNINGS_PENDING, Kind.EARNINGS_AVAILABLE, Kind.PAYOUT_HOLD),
    Kind.DIRECT_RECEIVED,
)
VIEWERS = ("viewer_one", "viewer_two")
STREAMERS = ("streamer_one", "streamer_two")
GATEWAYS = ("first", "second")

amounts = st.one_of(st.integers(1, 100), st.integers(1, 5_000))
people = st.sampled_from((*VIEWERS, *STREAMERS))
streamers = st.sampled_from(STREAMERS)
gateways = st.sampled_from(GATEWAYS)


def site(kind: Kind) -> Account:
    return ledger.site_account(kind, CURRENCY)


def settled(tx: Transaction, payment_id: str, status: Status, now_ms: int) -> Payment:
    return settlement.settle(tx, payment_id, status, RULES, now_ms)


@dataclass(frozen=True, slots=True)
class Begun:
    """A payment that is begun, to a wallet (of `to`) or a streamer."""

    id: str
    gateway: str
    amount_minor: int
    to: str
    commission_bps: int | None = None


class Sums:
    """What each account should hold: plain sums, which know nothing of entries."""

    def __init__(self) -> None:
        self.held: Counter[Account] = Counter()

    def add(self, account: Account, amount_minor: int) -> None:
        self.held[account] += amount_minor
        assert account.kind.may_go_negative or self.held[account] >= 0, account

    def changes(self, debit: Account, credit: Account, amount_minor: int) -> dict[Account, int]:
        """What a debit and a credit do to what two accounts hold."""
        return {
            debit: -debit.kind.side * amount_minor,
            credit: credit.kind.side * amount_minor,
        }

    def can_move(self, debit: Account, credit: Account, amount_minor: int) -> bool:
        return all(
            account.kind.may_go_negative or change >= 0 or self.held[account] + change >= 0
            for account, change in self.changes(debit, credit, amount_minor).items()
        )

    def move(self, debit: Account, credit: Account, amount_minor: int) -> None:
        for account, change in self.changes(debit, credit, amount_minor).items():
            self.add(account, change)


class MoneyMachine(RuleBasedStateMachine):
    """`stage` is put in by the test."""

    stage: Stage

    begun: Bundle[Begun] = Bundle("begun")
    waiting: Bundle[Correction] = Bundle("waiting")
    reversible: Bundle[Entry] = Bundle("reversible")

    def __init__(self) -> None:
        super().__init__()
        self.tx: OneTransaction = self.stage.open()
        self.now_ms = 1_700_000_000_000
        self.sums = Sums()
        self.paid: set[str] = set()
        self.decided: set[str] = set()
        self.reversed: set[str] = set()

    def teardown(self) -> None:
        self.tx.roll_back()

    @initialize()
    def people_come(self) -> None:
        self.users: dict[str, User] = {}
        for name in (*VIEWERS, *STREAMERS, "admin_one", "admin_two"):
            self.users[name] = self.tx.run(_make_user, name)
        self.channels: dict[str, Channel] = {}
        for name in STREAMERS:
            self.channels[name] = self.tx.run(_make_channel, self.users[name], name)

    # What comes in --------------------------------------------------------------------------------

    @rule(target=begun, user=people, gateway=gateways, amount=amounts)
    def begin_topup(self, user: str, gateway: str, amount: int) -> Begun:
        made = self.tx.run(_begin, "topup", gateway, self.users[user], amount, self.now_ms)
        return Begun(made.id, gateway, amount, user)

    @rule(
        target=begun,
        user=st.sampled_from((*VIEWERS, None)),
        streamer=streamers,
        gateway=gateways,
        amount=amounts,
        bps=st.sampled_from((0, 1, 2200, 9_999, 10_000)),
    )
    def begin_donation(
        self, user: str | None, streamer: str, gateway: str, amount: int, bps: int
    ) -> Begun:
        sender = None if user is None else self.users[user]
        found = self.channels[streamer]
        made = self.tx.run(_begin_donation, sender, found, gateway, amount, bps, self.now_ms)
        return Begun(made.id, gateway, amount, streamer, bps)

    @rule(one=begun, fee=st.integers(0, 50), times=st.integers(1, 3))
    def settle(self, one: Begun, fee: int, times: int) -> None:
        """Paid: also late, after it was given up, and told again and again."""
        status = Status("paid", one.amount_minor, CURRENCY, fee_minor=fee)
        for _ in range(times):
            self.tx.run(settled, one.id, status, self.now_ms)
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

    @rule(one=begun, standing=st.sampled_from(("open", "expired", "failed", "review")))
    def settle_otherwise(self, one: Begun, standing: Any) -> None:
        """Not paid, as far as the gateway knows: late and reordered answers change nothing."""
        if one.id in self.paid and standing in ("expired", "failed"):
            return
        self.tx.run(settled, one.id, Status(standing, 0, CURRENCY), self.now_ms)

    @rule(one=begun, more=st.integers(1, 5))
    def settle_another_amount(self, one: Begun, more: int) -> None:
        status = Status("paid", one.amount_minor + more, CURRENCY)
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
            assert code == ("" if can_pay else "insufficient_funds")
        if not can_pay:
            return
        self.sums.add(self.account(Kind.WALLET, user), -amount)
        self.split(streamer, amount, CONFIG.commission_bps)

    @rule(streamer=streamers, amount=amounts)
    def confirm_transfer(self, streamer: str, amount: int) -> None:
        """From bank to bank: a memo, which nobody can withdraw."""
        self.tx.run(_transfer, self.channels[streamer], amount, self.now_ms)
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

    @rule(days=st.integers(0, 20))
    def time_goes_by(self, days: int) -> None:
        self.now_ms += days * DAY_MS + 1

    @invariant()
    def the_books_add_up(self) -> None:
        self.now_ms += 1
        found = self.tx.run(ledger_check.check)
        assert [one for one in found if one.rule != SOLVENCY] == []
        for one in self.tx.run(standings):
            kinds = (Kind.COMMISSION, Kind.OWNERS_SHARE, Kind.GATEWAY_FEES, Kind.LOSSES)
            assert one.own_minor == sum(kind.side * one.of(kind) for kind in kinds)
            assert one.is_solvent == (not found)

    @invariant()
    def every_account_holds_what_the_sums_say(self) -> None:
        booked = self.tx.run(_all_balances)
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


def _all_balances(tx: Transaction) -> dict[Account, int]:
    ids = tx.execute(select(ledger_account.c.id)).scalars().all()
    accounts = [ledger.account_of(one) for one in ids]
    return {one: ledger.balance(tx, one).amount_minor for one in accounts}


def _make_user(tx: Transaction, name: str) -> User:
    user_id = new_id("usr")
    tx.execute(
        insert(user_account).values(
            id=user_id,
            username=name,
            email=f"{name}@example.org",
            password_hash="-",
            is_admin=int(name.startswith("admin")),
            created_at_ms=1,
            is_verified=1,
        )
    )
    found = find_by_id(tx, user_id)
    assert found is not None
    return found


def _make_channel(tx: Transaction, owner: User, name: str) -> Channel:
    slug = name.replace("_", "-")
    tx.execute(
        insert(channels.channel).values(
            id=new_id("chn"),
            slug=slug,
            name=name,
            title="",
            description="",
            owner_id=owner.id,
            created_at_ms=1,
            updated_at_ms=1,
        )
    )
    return channels.get(tx, slug)


def _begin(
    tx: Transaction, purpose: Any, gateway: str, payer: User | None, amount: int, now_ms: int
) -> Payment:
    email = "" if payer else "guest@example.org"
    new = NewPayment(purpose, gateway, payer, email, amount, CURRENCY, now_ms + DAY_MS)
    return payments.create(tx, new, Request.of(None), now_ms)


def _begin_donation(
    tx: Transaction,
    sender: User | None,
    found: Channel,
    gateway: str,
    amount: int,
    bps: int,
    now_ms: int,
) -> Payment:
    made = _begin(tx, "donation", gateway, sender, amount, now_ms)
    offer = Offer("donation", found, sender, Words(), amount, CURRENCY, bps, payment_id=made.id)
    contributions.create(tx, offer, "open", now_ms)
    return made


def _transfer(tx: Transaction, found: Channel, amount: int, now_ms: int) -> None:
    offer = Offer("transfer", found, None, Words(), amount, CURRENCY, CONFIG.commission_bps)
    given = contributions.create(tx, offer, "declared", now_ms)
    contributions.pay(tx, given, site(Kind.DIRECT_GIVEN), now_ms, maturity_days=14)


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    made = Stage(database_url)
    yield made
    made.close()


def test_whatever_happens_with_money(stage: Stage) -> None:
    machine = type("Machine", (MoneyMachine,), {"stage": stage})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
