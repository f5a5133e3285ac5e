"""What people are told when money goes back: payers, streamers and admins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mediaserver.accounts.users import find_by_id
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.mail import Letterhead, send
from mediaserver.money.contributions import Contribution
from mediaserver.money.currencies import money
from mediaserver.money.payments import Payment
from mediaserver.notifications.notices import Topic, tell


class TakenPart(Protocol):
    """What was taken of one contribution."""

    @property
    def contribution(self) -> Contribution: ...
    @property
    def net_minor(self) -> int: ...


def payer(
    tx: Transaction, letterhead: Letterhead, paid: Payment, title: str, body: str, now_ms: int
) -> None:
    """Who made a payment: in the site and by mail, or by mail alone without an account."""
    if paid.user_id is not None:
        tell(tx, letterhead, paid.user_id, Topic.MONEY, title, body, "/wallet", now_ms)
    elif paid.email:
        send(tx, letterhead.mail(paid.email, title, "Hello,", body), now_ms)


def taken_from_streamers(
    tx: Transaction, letterhead: Letterhead, parts: Iterable[TakenPart], why: str, now_ms: int
) -> None:
    """Each streamer whose pending earnings got less, once, with the sum."""
    _streamers(
        tx,
        letterhead,
        parts,
        "Some of your earnings were taken back",
        "{amount} less will become available: a payment behind what viewers gave you was taken "
        f"back. The reason: {why}.",
        now_ms,
    )


def given_back_to_streamers(
    tx: Transaction, letterhead: Letterhead, parts: Iterable[TakenPart], now_ms: int
) -> None:
    """Each streamer who has it again."""
    _streamers(
        tx,
        letterhead,
        parts,
        "Your earnings are back",
        "{amount} that had been taken back is yours again.",
        now_ms,
    )


def _streamers(
    tx: Transaction,
    letterhead: Letterhead,
    parts: Iterable[TakenPart],
    title: str,
    body: str,
    now_ms: int,
) -> None:
    sums: dict[tuple[str, str], int] = {}
    for part in parts:
        whose = (part.contribution.recipient_id, part.contribution.currency)
        sums[whose] = sums.get(whose, 0) + part.net_minor
    for (user_id, currency), amount in sorted(sums.items()):
        if amount and find_by_id(tx, user_id) is not None:
            text = body.replace("{amount}", money(amount, currency))
            tell(tx, letterhead, user_id, Topic.MONEY, title, text, "/studio", now_ms)
