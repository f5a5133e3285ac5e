"""What members are told: every sentence of this package that leaves the site."""

from __future__ import annotations

from datetime import UTC, datetime

from mediaserver.kernel.db import Transaction
from mediaserver.kernel.mail import Letterhead
from mediaserver.memberships.memberships import Membership
from mediaserver.memberships.plans import Plan
from mediaserver.money.currencies import money
from mediaserver.notifications.notices import Topic, tell

PAGE = "/membership"


def day(at_ms: int) -> str:
    """A day as in "3 December 2026"; the day as UTC has it."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at.day} {at:%B %Y}"


class Letters:
    """Tells one member at a time, inside the transaction in which it happens."""

    def __init__(self, letterhead: Letterhead) -> None:
        self._letterhead = letterhead

    def started(
        self, tx: Transaction, user_id: str, of: Plan, paid_minor: int, ends_at_ms: int, now_ms: int
    ) -> None:
        body = (
            f"Your membership {of.name} has begun, and you are premium now. "
            f"{money(paid_minor, of.currency)} were paid from your wallet. The next payment, "
            f"{money(of.price_minor, of.currency)}, is due on {day(ends_at_ms)}."
        )
        self._tell(tx, user_id, f"You have the membership {of.name}", body, now_ms)

    def changed(
        self, tx: Transaction, user_id: str, of: Plan, paid_minor: int, ends_at_ms: int, now_ms: int
    ) -> None:
        body = (
            f"You have {of.name} now. {money(paid_minor, of.currency)} were paid from your wallet: "
            "its price, less what you hadn't used of the plan before. The next payment, "
            f"{money(of.price_minor, of.currency)}, is due on {day(ends_at_ms)}."
        )
        self._tell(tx, user_id, f"Your membership is {of.name} now", body, now_ms)

    def renewed(
        self, tx: Transaction, user_id: str, of: Plan, paid_minor: int, ends_at_ms: int, now_ms: int
    ) -> None:
        body = (
            f"Your membership {of.name} goes on until {day(ends_at_ms)}. "
            f"{money(paid_minor, of.currency)} were paid from your wallet."
        )
        self._tell(tx, user_id, "Your membership goes on", body, now_ms)

    def price_changes(
        self,
        tx: Transaction,
        user_id: str,
        of: Plan,
        before_minor: int,
        from_ms: int,
        now_ms: int,
    ) -> None:
        body = (
            f"{of.name} will cost {money(of.price_minor, of.currency)} instead of "
            f"{money(before_minor, of.currency)} for a {of.period}. You pay it for the first "
            f"{of.period} that begins after {day(from_ms)}. If you don't want that, cancel before."
        )
        self._tell(tx, user_id, "The price of your membership changes", body, now_ms)

    def price_stays(self, tx: Transaction, user_id: str, of: Plan, now_ms: int) -> None:
        body = (
            f"The price of {of.name} stays as it is: {money(of.price_minor, of.currency)} for a "
            f"{of.period}. What we told you before doesn't come."
        )
        self._tell(tx, user_id, "The price of your membership stays", body, now_ms)

    def withdrawn(
        self, tx: Transaction, user_id: str, of: Plan, ends_at_ms: int, now_ms: int
    ) -> None:
        body = (
            f"The plan {of.name} is given up. You have it until {day(ends_at_ms)}, and pay nothing "
            "any more. You may choose another plan at any time."
        )
        self._tell(tx, user_id, "Your membership will end", body, now_ms)

    def unpaid(
        self, tx: Transaction, due: Membership, of: Plan, is_frozen: bool, now_ms: int
    ) -> None:
        assert due.user_id is not None
        assert due.grace_until_ms is not None
        why = (
            "your wallet is on hold for now"
            if is_frozen
            else "there isn't enough money in your wallet"
        )
        body = (
            f"{money(due.next_price_minor, of.currency)} are due for your membership {of.name}, "
            f"but {why}. You keep everything until {day(due.grace_until_ms)}. Put money into your "
            "wallet by then, and it goes on by itself; else it ends, and you owe nothing."
        )
        self._tell(tx, due.user_id, "Your membership couldn't be paid", body, now_ms)

    def cancelled(
        self, tx: Transaction, user_id: str, of: Plan, ends_at_ms: int, now_ms: int
    ) -> None:
        body = (
            f"You have cancelled {of.name}. You have it until {day(ends_at_ms)}, and nothing is "
            "charged any more. Until then you can change your mind."
        )
        self._tell(tx, user_id, "Your membership is cancelled", body, now_ms)

    def resumed(
        self, tx: Transaction, user_id: str, of: Plan, ends_at_ms: int, now_ms: int
    ) -> None:
        body = f"Your membership {of.name} goes on. The next payment is due on {day(ends_at_ms)}."
        self._tell(tx, user_id, "Your membership goes on", body, now_ms)

    def ended(self, tx: Transaction, user_id: str, of: Plan, why: str, now_ms: int) -> None:
        reason = {
            "cancelled": "as you wished",
            "unpaid": "because it couldn't be paid. You owe nothing",
            "banned": "because your account is banned. Nothing was charged",
            "withdrawn": "because the plan is given up",
        }[why]
        body = f"Your membership {of.name} has ended, {reason}. You can take a new one any time."
        self._tell(tx, user_id, "Your membership has ended", body, now_ms)

    def _tell(self, tx: Transaction, user_id: str, title: str, body: str, now_ms: int) -> None:
        tell(tx, self._letterhead, user_id, Topic.MONEY, title, body, PAGE, now_ms)
