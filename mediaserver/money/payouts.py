"""Payouts: earnings on their way to a streamer's bank.

    requested ──▶ paid ──▶ failed          (the bank sent it back)
        │  └──▶ approved ──▶ paid          (above a limit: by a second admin)
        ├──▶ rejected
        └──▶ cancelled

A request puts the amount on hold; an admin sends it from the site's bank and enters the bank's
reference. One may be open for each streamer, which the database sees to. payout_desk.py is what
admins do.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert

from mediaserver.accounts import second_factor, users
from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.money import ledger, payout_accounts, payout_rows
from mediaserver.money.currencies import currency_of, money, parsed_amount
from mediaserver.money.idempotency import Request
from mediaserver.money.ledger import Account, Kind, Posting, Transfer
from mediaserver.money.payout_accounts import BankDetails, PayoutAccounts
from mediaserver.money.payout_rows import Payout, payout
from mediaserver.notifications.notices import Topic, tell, tell_admins


@dataclass(frozen=True, slots=True)
class Readiness:
    """What stands between a streamer and a payout. `open_payout`: the one that is under way."""

    available_minor: int
    min_minor: int
    is_verified: bool
    has_second_factor: bool
    has_account: bool
    open_payout: Payout | None

    @property
    def is_ready(self) -> bool:
        return (
            self.is_verified
            and self.has_second_factor
            and self.has_account
            and self.open_payout is None
            and self.available_minor >= self.min_minor
        )


class Payouts:
    """What streamers do about theirs."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        letterhead: Letterhead,
        accounts: PayoutAccounts,
        config: MoneyConfig,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._letterhead = letterhead
        self._accounts = accounts
        self._config = config

    async def readiness(self, user: User) -> Readiness:
        return await self._db.read(self._readiness, user)

    async def page(self, user: User, *, after: str | None = None) -> list[Payout]:
        """Their own, newest first, behind the one with the id `after`."""
        return await self._db.read(payout_rows.page_of, user.id, after)

    async def request(self, user: User, amount_minor: int, key: str | None = None) -> Payout:
        """Ask for earnings. The caller has confirmed who asks. The same `key` answers the first.

        Raises `Forbidden` ("banned", "not_verified", "second_factor"), `Invalid` (the amount),
        `Conflict` ("no_payout_account", "payout_open", "insufficient_funds", "idempotency_key").
        """
        check(user, Action.WITHDRAW)
        asked = Request.of(key, "payout", amount_minor)
        return await self._db.write(
            self._request, user.id, amount_minor, asked, self._clock.wall_ms()
        )

    async def cancel(self, user: User, payout_id: str) -> Payout:
        """Think better of it, as long as no admin has begun. Raises `NotFound` or `Conflict`."""
        return await self._db.write(self._cancel, user, payout_id, self._clock.wall_ms())

    def _readiness(self, tx: Transaction, user: User) -> Readiness:
        currency = self._config.currency
        available = Account(Kind.EARNINGS_AVAILABLE, user.id, currency)
        return Readiness(
            ledger.balance(tx, available).amount_minor,
            self._min_minor(),
            user.is_verified,
            second_factor.standing(tx, user.id).is_on,
            payout_accounts.find(tx, user.id) is not None,
            payout_rows.open_of(tx, user.id),
        )

    def _request(
        self, tx: Transaction, user_id: str, amount_minor: int, asked: Request, now_ms: int
    ) -> Payout:
        users.lock(tx, user_id)  # of two tabs at once, the second one finds the first one's payout
        if (first := payout_rows.first_of(tx, user_id, asked)) is not None:
            return first
        user = users.find_by_id(tx, user_id)
        check(user, Action.WITHDRAW)
        assert user is not None
        details = self._checked(tx, user, amount_minor)
        payout_id = new_id(payout_rows.PREFIX)
        currency = self._config.currency
        entry, _ = ledger.post(
            tx,
            Posting(
                "payout.held",
                f"payout:{payout_id}",
                (
                    Transfer(
                        Account(Kind.EARNINGS_AVAILABLE, user.id, currency),
                        hold_of(user.id, currency),
                        amount_minor,
                    ),
                ),
                subject=payout_id,
                actor_id=user.id,
            ),
            now_ms,
        )
        row = tx.execute(
            insert(payout)
            .values(
                id=payout_id,
                user_id=user.id,
                username=user.username,
                amount_minor=amount_minor,
                currency=currency,
                state="requested",
                details=payout_accounts.seal(self._vault, details, context_of(payout_id)),
                hint=details.hint,
                entry_id=entry.id,
                approved_by_name="",
                decided_by_name="",
                bank_reference="",
                reason="",
                idempotency_key=asked.key,
                request_hash=asked.hash,
                created_at_ms=now_ms,
            )
            .returning(*payout.c)
        ).one()
        made = payout_rows.to_payout(row)
        self._tell_requested(tx, made, now_ms)
        return made

    def _checked(self, tx: Transaction, user: User, amount_minor: int) -> BankDetails:
        """Where the money goes, if they may have it. Raises as `request` does."""
        if not user.is_verified:
            raise Forbidden("Only verified streamers can be paid out.", code="not_verified")
        if not second_factor.standing(tx, user.id).is_on:
            raise Forbidden(
                "Turn on two-step log-in before money leaves your account.", code="second_factor"
            )
        details = self._accounts.details_of(tx, user.id)
        if details is None:
            raise Conflict("Say first where the money goes.", code="no_payout_account")
        if payout_rows.open_of(tx, user.id) is not None:
            raise Conflict(
                "You have asked for a payout already: wait until it is decided.",
                code="payout_open",
            )
        currency = currency_of(self._config.currency)
        if amount_minor < self._min_minor():
            raise Invalid(
                f"The smallest payout is {money(self._min_minor(), currency.code)}.",
                field="amount",
                code="amount_too_small",
            )
        if amount_minor > limits.AMOUNT_MINOR_MAX:
            raise Invalid("That is too much.", field="amount", code="amount_too_large")
        return details

    def _cancel(self, tx: Transaction, user: User, payout_id: str, now_ms: int) -> Payout:
        found = payout_rows.get(tx, payout_id, locks=True)
        if found.user_id != user.id:
            raise NotFound("There is no such payout.", code="payout_not_found")
        if found.state != "requested":
            raise Conflict("It is too late for that.", code="already_decided")
        ledger.reverse(tx, found.entry_id, "payout.cancelled", now_ms, actor_id=user.id)
        cancelled = payout_rows.change(tx, found, state="cancelled", decided_at_ms=now_ms)
        tell_streamer(
            tx,
            self._letterhead,
            cancelled,
            "You cancelled your payout",
            "It is available again.",
            now_ms,
        )
        return cancelled

    def _tell_requested(self, tx: Transaction, made: Payout, now_ms: int) -> None:
        amount = money(made.amount_minor, made.currency)
        body = (
            f"{amount} are on hold for it. An admin sends them to your account that ends in "
            f"{made.hint}. If it wasn't you, change your password and write to the admins at once."
        )
        tell_streamer(tx, self._letterhead, made, "You asked for a payout", body, now_ms)
        tell_admins(
            tx,
            self._letterhead,
            f"{made.username} asks for {amount}",
            "Send it from the site's bank and enter the reference, or say why not.",
            f"/admin/payouts/{made.id}",
            now_ms,
        )

    def _min_minor(self) -> int:
        currency = currency_of(self._config.currency)
        return parsed_amount(self._config.payout_min, currency, "payout_min")


def hold_of(user_id: str, currency: str) -> Account:
    return Account(Kind.PAYOUT_HOLD, user_id, currency)


def context_of(payout_id: str) -> str:
    """Where the details of a payout are sealed to."""
    return f"payout/{payout_id}"


def tell_streamer(
    tx: Transaction, letterhead: Letterhead, found: Payout, title: str, body: str, now_ms: int
) -> None:
    tell(tx, letterhead, found.user_id, Topic.MONEY, title, body, "/studio", now_ms)
