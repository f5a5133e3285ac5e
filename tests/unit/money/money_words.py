"""What the machine of money is made of: people, channels, payments, and sums to compare with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import insert, select

from mediaserver.accounts.second_factor import totp
from mediaserver.accounts.users import User, find_by_id, user_account
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.money import contributions, ledger, payments, settlement
from mediaserver.money.contributions import Offer, Words
from mediaserver.money.gateways.gateway import Status
from mediaserver.money.idempotency import Request
from mediaserver.money.ledger import Account, Kind, ledger_account
from mediaserver.money.payments import NewPayment, Payment
from mediaserver.money.settlement import Rules
from tests.unit.money.bookings import CURRENCY, DAY_MS

VAULT = Vault(bytes(32))
LETTERHEAD = Letterhead(lambda: "Test Site", lambda: "https://site.example", VAULT.mac)
CONFIG = MoneyConfig(two_admins_above="8", tip_min="0.01", maturity_days=14, payout_min="0.01")
RULES = Rules(LETTERHEAD, CONFIG.maturity_days)
ABOVE = 800
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


def all_balances(tx: Transaction) -> dict[Account, int]:
    ids = tx.execute(select(ledger_account.c.id)).scalars().all()
    accounts = [ledger.account_of(one) for one in ids]
    return {one: ledger.balance(tx, one).amount_minor for one in accounts}


def make_user(tx: Transaction, name: str) -> User:
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
    tx.execute(
        insert(totp).values(
            user_id=user_id, secret="-", created_at_ms=1, confirmed_at_ms=1, last_step=0
        )
    )
    found = find_by_id(tx, user_id)
    assert found is not None
    return found


def make_channel(tx: Transaction, owner: User, name: str) -> Channel:
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


def begin(
    tx: Transaction, purpose: Any, gateway: str, payer: User | None, amount: int, now_ms: int
) -> Payment:
    email = "" if payer else "guest@example.org"
    new = NewPayment(purpose, gateway, payer, email, amount, CURRENCY, now_ms + DAY_MS)
    return payments.create(tx, new, Request.of(None), now_ms)


def begin_donation(
    tx: Transaction,
    sender: User | None,
    found: Channel,
    gateway: str,
    amount: int,
    bps: int,
    now_ms: int,
) -> Payment:
    made = begin(tx, "donation", gateway, sender, amount, now_ms)
    offer = Offer("donation", found, sender, Words(), amount, CURRENCY, bps, payment_id=made.id)
    contributions.create(tx, offer, "open", now_ms)
    return made


def transfer(tx: Transaction, found: Channel, amount: int, now_ms: int) -> None:
    offer = Offer("transfer", found, None, Words(), amount, CURRENCY, CONFIG.commission_bps)
    given = contributions.create(tx, offer, "declared", now_ms)
    contributions.pay(tx, given, site(Kind.DIRECT_GIVEN), now_ms, maturity_days=14)
