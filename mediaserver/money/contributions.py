"""Contributions: what viewers give to a channel, whichever way the money comes.

    tip        from the giver's wallet, at once
    donation   through a gateway: open until its payment is settled
    transfer   from bank to bank: the streamer says that it has come. The site never held it, so it
               is a memo in the ledger, never part of what can be withdrawn, and has no commission

Each keeps the commission as it was when it began. This module owns the table `contribution`, posts
what is given, and puts it before people: a line in the chat and an alert, in one transaction with
the money. Called by tips, donations and transfers; taken back by take_back.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.accounts.users import User, find_by_id
from mediaserver.channels import channels, streams
from mediaserver.channels.channels import Channel
from mediaserver.kernel import jobs, limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import flag, identifier, int64, table, text
from mediaserver.kernel.errors import Forbidden, NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.texts import checked_line
from mediaserver.moderation import restrictions
from mediaserver.money import alerts, ledger
from mediaserver.money.commission import Split
from mediaserver.money.ledger import Account, Kind, Posting, Transfer

PREFIX = "ctb"

JOB = "contribution-paid"
"""Written with every payment of one: giver and streamer get their mail, programs their webhooks."""

contribution = table(
    "contribution",
    identifier(),
    text("kind"),
    text("channel_id", ForeignKey("channel.id", ondelete="SET NULL"), nullable=True),
    text("channel_name"),
    text("recipient_id"),
    text("sender_id", nullable=True),
    text("sender_name"),
    flag("is_anonymous"),
    text("message"),
    int64("amount_minor"),
    text("currency"),
    int64("commission_bps"),
    int64("fee_minor"),
    int64("net_minor"),
    int64("taken_back_minor"),
    text("state"),
    text("alert"),
    text("payment_id", nullable=True),
    text("entry_id", nullable=True),
    text("stream_id", ForeignKey("stream.id", ondelete="SET NULL"), nullable=True),
    text("idempotency_key", nullable=True),
    text("request_hash", nullable=True),
    int64("created_at_ms"),
    int64("paid_at_ms", nullable=True),
    int64("matures_at_ms", nullable=True),
    int64("matured_at_ms", nullable=True),
    UniqueConstraint("payment_id"),
    UniqueConstraint("sender_id", "idempotency_key"),
    CheckConstraint("kind IN ('tip', 'donation', 'transfer')", name="kind"),
    CheckConstraint("is_anonymous IN (0, 1)", name="is_anonymous"),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_minor"),
    CheckConstraint("commission_bps BETWEEN 0 AND 10000", name="commission_bps"),
    CheckConstraint("fee_minor >= 0 AND fee_minor + net_minor = amount_minor", name="split"),
    CheckConstraint("taken_back_minor BETWEEN 0 AND amount_minor", name="taken_back"),
    CheckConstraint("state IN ('open', 'declared', 'paid', 'rejected', 'failed')", name="state"),
    CheckConstraint(
        "alert IN ('none', 'held', 'waiting', 'shown', 'skipped', 'denied')", name="alert"
    ),
    CheckConstraint(
        "(state = 'paid') = (paid_at_ms IS NOT NULL AND entry_id IS NOT NULL)", name="paid"
    ),
    CheckConstraint("length(message) <= 250 AND length(sender_name) <= 40", name="texts"),
)
Index(None, contribution.c.channel_id, contribution.c.paid_at_ms, contribution.c.id)
Index(None, contribution.c.recipient_id, contribution.c.created_at_ms, contribution.c.id)
Index(
    "ix_contribution_sender_id",
    contribution.c.sender_id,
    contribution.c.created_at_ms,
    contribution.c.id,
)
Index(None, contribution.c.stream_id)
_IS_GUESTS = sql("sender_id IS NULL AND idempotency_key IS NOT NULL")
Index(
    "ix_contribution_guest_key",
    contribution.c.channel_id,
    contribution.c.idempotency_key,
    unique=True,
    sqlite_where=_IS_GUESTS,
    postgresql_where=_IS_GUESTS,
)
Index(None, contribution.c.state, contribution.c.matured_at_ms, contribution.c.matures_at_ms)

ContributionKind = Literal["tip", "donation", "transfer"]
State = Literal["open", "declared", "paid", "rejected", "failed"]
Alert = Literal["none", "held", "waiting", "shown", "skipped", "denied"]

NOBODY = "Somebody"
"""What stands in public for who wants no name there."""


@dataclass(frozen=True, slots=True)
class Words:
    """What goes with the money: a message, and a name for who has no account."""

    message: str = ""
    name: str = ""
    is_anonymous: bool = False

    @classmethod
    def checked(cls, message: str, name: str = "", *, is_anonymous: bool = False) -> Words:
        """Raises `Invalid`."""
        return cls(
            checked_line(message, "message", limits.CONTRIBUTION_MESSAGE_CHARS_MAX),
            checked_line(name, "name", limits.CONTRIBUTION_NAME_CHARS_MAX),
            is_anonymous,
        )


@dataclass(frozen=True, slots=True)
class Contribution:
    """One of them. `channel_id` is None when the channel is gone; `sender_id` for a guest.

    `sender_name` is for the giver and the books; `public_name` is what everybody may see.
    """

    id: str
    kind: ContributionKind
    channel_id: str | None
    channel_name: str
    recipient_id: str
    sender_id: str | None
    sender_name: str = field(repr=False)
    is_anonymous: bool
    message: str
    amount_minor: int
    currency: str
    commission_bps: int
    fee_minor: int
    net_minor: int
    taken_back_minor: int
    state: State
    alert: Alert
    payment_id: str | None
    entry_id: str | None
    stream_id: str | None
    created_at_ms: int
    paid_at_ms: int | None
    matures_at_ms: int | None
    matured_at_ms: int | None

    @property
    def public_name(self) -> str:
        return NOBODY if self.is_anonymous or not self.sender_name else self.sender_name


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody is about to give: checked words, a channel that may receive, the terms."""

    kind: ContributionKind
    channel: Channel
    sender: User | None
    words: Words
    amount_minor: int
    currency: str
    commission_bps: int
    payment_id: str | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None


def check_may_receive(tx: Transaction, found: Channel, sender: User | None, now_ms: int) -> None:
    """Raises `NotFound` or `Forbidden`: only channels of verified streamers receive, nobody gives
    to themselves, and nobody who is shut out of a channel's chat speaks there by paying.
    """
    if found.is_hidden:
        raise NotFound("This channel is not available right now.", code="channel_unavailable")
    if not found.is_verified:
        raise Forbidden(
            "This streamer isn't verified yet, so they can't receive money.", code="not_verified"
        )
    if sender is None:
        return
    if sender.is_banned:
        raise Forbidden("This account is banned.", code="banned")
    if sender.id == found.owner_id:
        raise Forbidden("You can't give to your own channel.", code="own_channel")
    if restrictions.find(tx, found.id, sender.id, now_ms) is not None:
        raise Forbidden("You are shut out of this channel's chat for now.", code="shut_out")


def create(tx: Transaction, offer: Offer, state: State, now_ms: int) -> Contribution:
    """Write down what somebody is about to give. Nothing is booked yet."""
    assert state in ("open", "declared"), state
    split = Split(offer.amount_minor, offer.commission_bps)
    row = tx.execute(
        insert(contribution)
        .values(
            id=new_id(PREFIX),
            kind=offer.kind,
            channel_id=offer.channel.id,
            channel_name=offer.channel.name,
            recipient_id=offer.channel.owner_id,
            sender_id=None if offer.sender is None else offer.sender.id,
            sender_name=offer.words.name if offer.sender is None else offer.sender.username,
            is_anonymous=int(offer.words.is_anonymous),
            message=offer.words.message,
            amount_minor=offer.amount_minor,
            currency=offer.currency,
            commission_bps=offer.commission_bps,
            fee_minor=split.fee_minor,
            net_minor=split.net_minor,
            taken_back_minor=0,
            state=state,
            alert="none",
            payment_id=offer.payment_id,
            idempotency_key=offer.idempotency_key,
            request_hash=offer.request_hash,
            created_at_ms=now_ms,
        )
        .returning(*contribution.c)
    ).one()
    return to_contribution(row)


def pay(
    tx: Transaction, given: Contribution, source: Account, now_ms: int, *, maturity_days: int
) -> Contribution:
    """Book `given` from `source` (a wallet, or what a gateway holds) and show it.

    Raises `Conflict` when the source doesn't hold as much, or is frozen.
    """
    assert given.state in ("open", "declared"), given.state
    is_memo = given.kind == "transfer"
    entry, is_new = ledger.post(
        tx,
        Posting(
            given.kind,
            f"contribution:{given.id}",
            _memo(given) if is_memo else _split(given, source),
            subject=given.id,
            actor_id=given.sender_id,
        ),
        now_ms,
    )
    assert is_new, given.id
    found = _channel(tx, given)
    row = tx.execute(
        update(contribution)
        .where(contribution.c.id == given.id)
        .values(
            state="paid",
            entry_id=entry.id,
            paid_at_ms=now_ms,
            matures_at_ms=None if is_memo else now_ms + maturity_days * 24 * 3600 * 1000,
            stream_id=None if found is None else streams.open_stream_id(tx, found.id),
        )
        .returning(*contribution.c)
    ).one()
    paid = to_contribution(row)
    jobs.enqueue(tx, JOB, {"contribution": paid.id}, now_ms, key=f"told:{paid.id}")
    return paid if found is None else alerts.present(tx, found, paid, now_ms)


def get(tx: Transaction, contribution_id: str, *, locks: bool = False) -> Contribution:
    """Raises `NotFound`. With `locks` nobody else changes it before the transaction ends."""
    if is_id(contribution_id, PREFIX):
        query = select(contribution).where(contribution.c.id == contribution_id)
        row = tx.execute(query.with_for_update() if locks else query).first()
        if row is not None:
            return to_contribution(row)
    raise NotFound("There is no such contribution.", code="contribution_not_found")


def of_payment(tx: Transaction, payment_id: str) -> Contribution | None:
    """What a payment through a gateway was for, unless it was for a wallet."""
    row = tx.execute(select(contribution).where(contribution.c.payment_id == payment_id)).first()
    return None if row is None else to_contribution(row)


def end(tx: Transaction, given: Contribution, state: State) -> None:
    """What was announced doesn't come: rejected by the streamer, or its payment failed."""
    assert state in ("rejected", "failed"), state
    tx.execute(update(contribution).where(contribution.c.id == given.id).values(state=state))


def set_amount(tx: Transaction, given: Contribution, amount_minor: int) -> None:
    """For settlement.py: something else was paid than was announced. Nothing is booked yet."""
    assert given.state in ("open", "failed"), given.state
    split = Split(amount_minor, given.commission_bps)
    tx.execute(
        update(contribution)
        .where(contribution.c.id == given.id)
        .values(amount_minor=amount_minor, fee_minor=split.fee_minor, net_minor=split.net_minor)
    )


def locked(tx: Transaction, contribution_ids: Iterable[str]) -> list[Contribution]:
    """Those of them that exist; nobody else changes them before the transaction ends."""
    rows = tx.execute(
        select(contribution)
        .where(contribution.c.id.in_(sorted(contribution_ids)))
        .order_by(contribution.c.id)
        .with_for_update()
    )
    return [to_contribution(row) for row in rows]


def take_back(tx: Transaction, contribution_id: str, more_minor: int) -> None:
    """For take_back.py: so much more of it was taken back, or less where that is negative."""
    tx.execute(
        update(contribution)
        .where(contribution.c.id == contribution_id)
        .values(taken_back_minor=contribution.c.taken_back_minor + more_minor)
    )


def set_matured(tx: Transaction, contribution_id: str, now_ms: int) -> None:
    """For earnings.py: what is left of it may be withdrawn."""
    tx.execute(
        update(contribution)
        .where(contribution.c.id == contribution_id)
        .values(matured_at_ms=now_ms)
    )


def to_contribution(row: Row[Any]) -> Contribution:
    return Contribution(
        id=row.id,
        kind=row.kind,
        channel_id=row.channel_id,
        channel_name=row.channel_name,
        recipient_id=row.recipient_id,
        sender_id=row.sender_id,
        sender_name=row.sender_name,
        is_anonymous=bool(row.is_anonymous),
        message=row.message,
        amount_minor=row.amount_minor,
        currency=row.currency,
        commission_bps=row.commission_bps,
        fee_minor=row.fee_minor,
        net_minor=row.net_minor,
        taken_back_minor=row.taken_back_minor,
        state=row.state,
        alert=row.alert,
        payment_id=row.payment_id,
        entry_id=row.entry_id,
        stream_id=row.stream_id,
        created_at_ms=row.created_at_ms,
        paid_at_ms=row.paid_at_ms,
        matures_at_ms=row.matures_at_ms,
        matured_at_ms=row.matured_at_ms,
    )


def _split(given: Contribution, source: Account) -> tuple[Transfer, ...]:
    return (
        Transfer(
            source,
            Account(Kind.EARNINGS_PENDING, given.recipient_id, given.currency),
            given.net_minor,
        ),
        Transfer(source, ledger.site_account(Kind.COMMISSION, given.currency), given.fee_minor),
    )


def _memo(given: Contribution) -> tuple[Transfer, ...]:
    return (
        Transfer(
            ledger.site_account(Kind.DIRECT_GIVEN, given.currency),
            Account(Kind.DIRECT_RECEIVED, given.recipient_id, given.currency),
            given.amount_minor,
        ),
    )


def _channel(tx: Transaction, given: Contribution) -> Channel | None:
    """Where it is shown: nowhere when the channel was deleted while a payment was open."""
    if given.channel_id is None:
        return None
    try:
        return channels.get_by_id(tx, given.channel_id)
    except NotFound:
        return None


def is_sender(given: Contribution, user: User | None) -> bool:
    return user is not None and given.sender_id == user.id


def sender_of(tx: Transaction, given: Contribution) -> User | None:
    """The giver's account, while there is one."""
    return None if given.sender_id is None else find_by_id(tx, given.sender_id)
