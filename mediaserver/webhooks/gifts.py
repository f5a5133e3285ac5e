"""Tips and donations for webhooks: written by the durable job of each payment, so none is lost.

The money's transaction makes the job `contributions.JOB`; what handles it (money/told.py) calls
`announce` in its own transaction. The event's id is made of the contribution's, so it is told once,
however often the job is begun.
"""

from __future__ import annotations

from mediaserver.accounts.users import find_by_id
from mediaserver.channels import channels
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import contributions
from mediaserver.money.contributions import Contribution
from mediaserver.money.currencies import money
from mediaserver.webhooks import deliveries
from mediaserver.webhooks.envelopes import DonationReceived, EventType, PersonRef, TipReceived


def announce(letterhead: Letterhead, tx: Transaction, given: Contribution, now_ms: int) -> None:
    """Have every program told that wants to know of a contribution that was paid. Twice is as good
    as once. Raises `NotFound`.
    """
    paid = contributions.get(tx, given.id, locks=True)  # of two at once one waits
    if paid.state != "paid" or paid.paid_at_ms is None or paid.channel_id is None:
        return
    try:
        channel = channels.get_by_id(tx, paid.channel_id)
    except NotFound:
        return
    event = EventType.TIP_RECEIVED if paid.kind == "tip" else EventType.DONATION_RECEIVED
    event_id = deliveries.event_id_of(paid.id)
    data = _data(tx, paid)
    deliveries.announce(tx, letterhead, event_id, event, channel, data, paid.paid_at_ms, now_ms)


def _data(tx: Transaction, paid: Contribution) -> TipReceived | DonationReceived:
    fields = {
        "contribution_id": paid.id,
        "user": _giver(tx, paid),
        "name": paid.public_name,
        "message": paid.message,
        "is_held": paid.alert == "held",
        "amount_minor": paid.amount_minor,
        "commission_minor": 0 if paid.kind == "transfer" else paid.fee_minor,
        "currency": paid.currency,
        "amount": money(paid.amount_minor, paid.currency),
    }
    if paid.kind == "tip":
        return TipReceived(**fields)
    return DonationReceived(**fields, is_transfer=paid.kind == "transfer")


def _giver(tx: Transaction, paid: Contribution) -> PersonRef | None:
    """Nobody who wants no name there."""
    if paid.is_anonymous or paid.sender_id is None:
        return None
    user = find_by_id(tx, paid.sender_id)
    return None if user is None else PersonRef(id=user.id, username=user.username)
