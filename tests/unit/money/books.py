"""Money for tests: people with wallets, channels that are tipped, and what the books say then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import insert, select, update

from mediaserver.accounts.users import User, find_by_id, user_account
from mediaserver.channels.channels import Channel, channel
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.ids import new_id
from mediaserver.money import contributions, ledger, payments, tips
from mediaserver.money.contributions import Contribution, Offer, Words
from mediaserver.money.ledger import Account, Kind, Posting, Transfer, ledger_account
from mediaserver.money.payments import Payment, payment

USD = "USD"
GATEWAY = "sandbox"
DAY_MS = 24 * 3600 * 1000


class Books:
    """Does what people do, and reads what came of it."""

    def __init__(self, db: Database, clock: FakeClock, config: MoneyConfig | None = None) -> None:
        self.db = db
        self.clock = clock
        self.config = config or MoneyConfig()

    async def streamer(self, user: User) -> Channel:
        """A verified one, with a channel of the same name."""

        def make(tx: Transaction) -> Channel:
            tx.execute(
                update(user_account).where(user_account.c.id == user.id).values(is_verified=1)
            )
            now_ms = self.clock.wall_ms()
            tx.execute(
                insert(channel).values(
                    id=new_id("chn"),
                    slug=user.username,
                    name=user.username.title(),
                    title="",
                    description="",
                    owner_id=user.id,
                    created_at_ms=now_ms,
                    updated_at_ms=now_ms,
                )
            )
            return contributions.channels.get(tx, user.username)

        return await self.db.write(make)

    async def top_up(self, user: User, amount_minor: int) -> Payment:
        """Paid, and in the wallet."""

        def make(tx: Transaction) -> Payment:
            paid = self._payment(tx, "topup", user, amount_minor)
            wallet = ledger.wallet_of(user.id, USD)
            return self._settled(tx, paid, wallet)

        return await self.db.write(make)

    async def donate(self, user: User | None, found: Channel, amount_minor: int) -> Payment:
        """Paid through a gateway, straight to a channel."""

        def make(tx: Transaction) -> Payment:
            paid = self._payment(tx, "donation", user, amount_minor)
            bps = self.config.commission_bps
            offer = Offer("donation", found, user, Words(), amount_minor, USD, bps, paid.id)
            now_ms = self.clock.wall_ms()
            given = contributions.create(tx, offer, "open", now_ms)
            source = ledger.clearing_of(GATEWAY, USD)
            days = self.config.maturity_days
            given = contributions.pay(tx, given, source, now_ms, maturity_days=days)
            assert given.entry_id is not None
            return self._paid(tx, paid, given.entry_id)

        return await self.db.write(make)

    async def tip(self, user: User, found: Channel, amount_minor: int) -> Contribution:
        """A moment later than all before: within one nobody knows what was first."""
        self.clock.advance(1)
        return await self.db.write(
            tips.give,
            self.config,
            user,
            found.slug,
            amount_minor,
            Words(),
            None,
            self.clock.wall_ms(),
        )

    async def paid(self, paid: Payment) -> Payment:
        """A payment as it stands now."""
        return await self.db.read(payments.get, paid.id)

    async def given(self, one: Contribution) -> Contribution:
        """A contribution as it stands now."""
        return await self.db.read(contributions.get, one.id)

    async def held(self, kind: Kind, owner: User | str = ledger.SITE) -> int:
        name = owner if isinstance(owner, str) else owner.id
        return (await self.db.read(ledger.balance, Account(kind, name, USD))).amount_minor

    async def all(self) -> dict[str, int]:
        """Every account that holds something, without its currency, by the names of its owners."""

        def read(tx: Transaction) -> dict[str, int]:
            found = {}
            for row in tx.execute(select(ledger_account)):
                account = ledger.account_of(row.id)
                amount = account.kind.side * (row.credits - row.debits)
                owner = find_by_id(tx, account.owner)
                name = account.owner if owner is None else owner.username
                if amount:
                    found[f"{account.kind.label}:{name}"] = amount
            return found

        return await self.db.read(read)

    async def locked(self, paid: Payment, act: Callable[[Transaction, Payment], Any]) -> Any:
        """Do something as settlement does, with the payment's row locked."""
        return await self.db.write(lambda tx: act(tx, payments.get(tx, paid.id, locks=True)))

    def _payment(
        self, tx: Transaction, purpose: str, user: User | None, amount_minor: int
    ) -> Payment:
        now_ms = self.clock.wall_ms()
        row = tx.execute(
            insert(payment)
            .values(
                id=new_id(payments.PREFIX),
                purpose=purpose,
                gateway=GATEWAY,
                user_id=None if user is None else user.id,
                email="guest@example.org" if user is None else "",
                amount_minor=amount_minor,
                currency=USD,
                state="open",
                problem="",
                provider_ref="ref",
                charge_ref="",
                checkout_url="",
                refunded_minor=0,
                disputed_minor=0,
                created_at_ms=now_ms,
                expires_at_ms=now_ms + DAY_MS,
            )
            .returning(*payment.c)
        ).one()
        return payments.to_payment(row)

    def _settled(self, tx: Transaction, paid: Payment, to: Account) -> Payment:
        entry, _ = ledger.post(
            tx,
            Posting(
                paid.purpose,
                f"payment:{paid.id}",
                (Transfer(ledger.clearing_of(GATEWAY, USD), to, paid.amount_minor),),
                subject=paid.id,
            ),
            self.clock.wall_ms(),
        )
        return self._paid(tx, paid, entry.id)

    def _paid(self, tx: Transaction, paid: Payment, entry_id: str) -> Payment:
        tx.execute(
            update(payment)
            .where(payment.c.id == paid.id)
            .values(state="paid", entry_id=entry_id, paid_at_ms=self.clock.wall_ms())
        )
        return payments.get(tx, paid.id)
