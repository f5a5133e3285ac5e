"""The payout desk: admins see who waits, send the money from the bank, and say so, or why not.

Above `money.two_admins_above` it takes two different ones. Everything here stands in the audit log,
also that somebody read the bank details.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mediaserver.accounts import users
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_line, checked_paragraphs
from mediaserver.kernel.vault import Vault
from mediaserver.money import ledger, payout_accounts, payout_rows, payouts
from mediaserver.money.currencies import currency_of, money, parsed_amount
from mediaserver.money.ledger import Kind, Posting, Transfer
from mediaserver.money.payout_accounts import BankDetails
from mediaserver.money.payout_rows import Payout, State
from mediaserver.notifications.notices import tell_admins


@dataclass(frozen=True, slots=True)
class Case:
    """A payout as an admin sees it. `is_banned`: its streamer is, by now."""

    payout: Payout
    is_banned: bool
    needs_two: bool


class PayoutDesk:
    """Lists and decides payouts. The caller has checked who asks."""

    def __init__(
        self, db: Database, clock: Clock, vault: Vault, letterhead: Letterhead, config: MoneyConfig
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._letterhead = letterhead
        self._config = config

    async def page(self, states: Sequence[State], *, after: str | None = None) -> list[Payout]:
        """Open ones oldest first, others newest first, behind the one with the id `after`."""
        return await self._db.read(payout_rows.page, states, after)

    async def get(self, payout_id: str) -> Case:
        """Raises `NotFound`."""
        return await self._db.read(self._case, payout_id)

    async def reveal(self, actor: Actor, payout_id: str) -> BankDetails:
        """Where the money goes; it is written down who looked. Raises `NotFound`."""
        return await self._db.write(self._reveal, actor, payout_id, self._clock.wall_ms())

    async def approve(self, actor: Actor, payout_id: str, bank_reference: str) -> Payout:
        """The money was sent, under this reference of the bank. Above the limit the first admin
        approves alone, without a reference, and a second, different one sends it.

        Raises `NotFound`, `Invalid` (no reference) or `Conflict` ("already_decided", "same_admin",
        "own_payout", "banned": their ban must end first, or the payout be rejected).
        """
        bank_reference = checked_line(
            bank_reference, "bank_reference", limits.BANK_REFERENCE_CHARS_MAX
        )
        return await self._db.write(
            self._approve, actor, payout_id, bank_reference, self._clock.wall_ms()
        )

    async def reject(self, actor: Actor, payout_id: str, reason: str) -> Payout:
        """It isn't sent: the money is available again. Raises `NotFound`, `Invalid` without a
        reason, or `Conflict`.
        """
        return await self._db.write(
            self._reject, actor, payout_id, _checked_reason(reason), self._clock.wall_ms()
        )

    async def fail(self, actor: Actor, payout_id: str, reason: str) -> Payout:
        """It was sent, and the bank sent it back: the money is available again. Raises as `reject`
        does.
        """
        return await self._db.write(
            self._fail, actor, payout_id, _checked_reason(reason), self._clock.wall_ms()
        )

    def needs_two(self, amount_minor: int) -> bool:
        """Whether so much takes a second admin."""
        currency = currency_of(self._config.currency)
        above = parsed_amount(self._config.two_admins_above, currency, "two_admins_above")
        return 0 < above < amount_minor

    def _case(self, tx: Transaction, payout_id: str) -> Case:
        found = payout_rows.get(tx, payout_id)
        return Case(found, _is_banned(tx, found), self.needs_two(found.amount_minor))

    def _reveal(self, tx: Transaction, actor: Actor, payout_id: str, now_ms: int) -> BankDetails:
        found = payout_rows.get(tx, payout_id)
        sealed = payout_rows.sealed_details(tx, payout_id)
        if not sealed:
            raise NotFound("These details are deleted.", code="details_deleted")
        _write_down(tx, actor, found, "payout.reveal", {}, now_ms)
        return payout_accounts.unseal(self._vault, sealed, payouts.context_of(payout_id))

    def _approve(
        self, tx: Transaction, actor: Actor, payout_id: str, reference: str, now_ms: int
    ) -> Payout:
        found = payout_rows.get(tx, payout_id, locks=True)
        _check_open(found)
        if _is_banned(tx, found):
            raise Conflict("This streamer is banned. Lift the ban, or reject.", code="banned")
        if self.needs_two(found.amount_minor) and actor.id == found.user_id:
            raise Conflict(
                "This payout is your own, and takes two others to approve it.", code="own_payout"
            )
        if self.needs_two(found.amount_minor) and found.approved_by is None:
            return self._approve_first(tx, actor, found, now_ms)
        if found.approved_by is not None and found.approved_by == actor.id:
            raise Conflict(
                "You have approved this already: another admin must send it.", code="same_admin"
            )
        if not reference:
            raise Invalid("Enter the bank's reference of the transfer.", field="bank_reference")
        entry, _ = ledger.post(
            tx,
            Posting(
                "payout",
                f"payout-paid:{found.id}",
                (
                    Transfer(
                        payouts.hold_of(found.user_id, found.currency),
                        ledger.site_account(Kind.BANK, found.currency),
                        found.amount_minor,
                    ),
                ),
                subject=found.id,
                actor_id=actor.id,
                external_ref=reference,
            ),
            now_ms,
        )
        paid = self._decide(
            tx,
            actor,
            found,
            now_ms,
            state="paid",
            paid_entry_id=entry.id,
            bank_reference=reference,
        )
        _write_down(tx, actor, found, "payout.approve", {"bank_reference": reference}, now_ms)
        amount = money(found.amount_minor, found.currency)
        body = (
            f"{amount} are on their way to your account that ends in {found.hint}. The bank's "
            f"reference is {reference}. It takes a few days."
        )
        title = f"{amount} are on their way to you"
        payouts.tell_streamer(tx, self._letterhead, paid, title, body, now_ms)
        return paid

    def _approve_first(self, tx: Transaction, actor: Actor, found: Payout, now_ms: int) -> Payout:
        approved = payout_rows.change(
            tx,
            found,
            state="approved",
            approved_by=actor.id,
            approved_by_name=actor.name,
            approved_at_ms=now_ms,
        )
        _write_down(tx, actor, found, "payout.approve_first", {}, now_ms)
        amount = money(found.amount_minor, found.currency)
        payouts.tell_streamer(
            tx,
            self._letterhead,
            approved,
            "Your payout was approved",
            f"A second admin looks at it, as it is a large one: {amount}. Then it is sent.",
            now_ms,
        )
        title = f"A payout of {amount} needs a second admin"
        body = f"{actor.name} has approved it. Somebody else sends it."
        path = f"/admin/payouts/{found.id}"
        tell_admins(tx, self._letterhead, title, body, path, now_ms)
        return approved

    def _reject(
        self, tx: Transaction, actor: Actor, payout_id: str, reason: str, now_ms: int
    ) -> Payout:
        found = payout_rows.get(tx, payout_id, locks=True)
        _check_open(found)
        ledger.reverse(
            tx, found.entry_id, "payout.rejected", now_ms, actor_id=actor.id, reason=reason
        )
        rejected = self._decide(tx, actor, found, now_ms, state="rejected", reason=reason)
        _write_down(tx, actor, found, "payout.reject", {"reason": reason}, now_ms)
        amount = money(found.amount_minor, found.currency)
        body = f"{amount} are available again. The reason: {reason}"
        title = "Your payout was not approved"
        payouts.tell_streamer(tx, self._letterhead, rejected, title, body, now_ms)
        return rejected

    def _fail(
        self, tx: Transaction, actor: Actor, payout_id: str, reason: str, now_ms: int
    ) -> Payout:
        found = payout_rows.get(tx, payout_id, locks=True)
        if found.state != "paid" or found.paid_entry_id is None:
            raise Conflict("Only a payout that was sent can come back.", code="not_paid")
        for entry_id in (found.paid_entry_id, found.entry_id):
            ledger.reverse(tx, entry_id, "payout.failed", now_ms, actor_id=actor.id, reason=reason)
        failed = self._decide(tx, actor, found, now_ms, state="failed", reason=reason)
        _write_down(tx, actor, found, "payout.fail", {"reason": reason}, now_ms)
        amount = money(found.amount_minor, found.currency)
        body = (
            f"The bank sent {amount} back, so they are available again. The reason: {reason}\n\n"
            "Look at your bank details before you ask again."
        )
        title = "Your payout came back"
        payouts.tell_streamer(tx, self._letterhead, failed, title, body, now_ms)
        return failed

    def _decide(
        self, tx: Transaction, actor: Actor, found: Payout, now_ms: int, **values: object
    ) -> Payout:
        return payout_rows.change(
            tx,
            found,
            decided_by=actor.id,
            decided_by_name=actor.name,
            decided_at_ms=now_ms,
            **values,
        )


def _check_open(found: Payout) -> None:
    if not found.is_open:
        raise Conflict("Somebody has decided this already.", code="already_decided")


def _is_banned(tx: Transaction, found: Payout) -> bool:
    user = users.find_by_id(tx, found.user_id)
    return user is not None and user.is_banned


def _checked_reason(reason: str) -> str:
    reason = checked_paragraphs(reason, "reason", limits.MONEY_REASON_CHARS_MAX)
    if not reason:
        raise Invalid("Tell them why: they read it.", field="reason")
    return reason


def _write_down(
    tx: Transaction, actor: Actor, found: Payout, action: str, details: dict[str, str], now_ms: int
) -> None:
    target = Target("payout", found.id, found.username)
    amount = money(found.amount_minor, found.currency)
    audit.append(tx, actor, action, target, now_ms, {"amount": amount, **details})
