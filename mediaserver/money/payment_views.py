"""A payment with all that its page shows: what it was for, and who may look."""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.accounts.users import User, find_by_id
from mediaserver.channels import channels
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import NotFound
from mediaserver.money import contributions, payments
from mediaserver.money.contributions import Contribution
from mediaserver.money.payments import Payment


@dataclass(frozen=True, slots=True)
class PaymentView:
    """`given`: the donation, None for a top-up. `slug` of its channel, while there is one;
    `payer`: the member's name, None for a guest or an account that is gone.
    """

    payment: Payment
    given: Contribution | None
    slug: str | None
    payer: str | None


class PaymentViews:
    """Reads them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, payment_id: str, asker: User | None) -> PaymentView:
        """Raises `NotFound`, also for somebody else's. A guest's is open to who has its id: 100
        random bits that stand in the guest's own browser and mail.
        """
        return await self._db.read(_get, payment_id, asker)

    async def of_any(self, payment_id: str) -> PaymentView:
        """For admins. Raises `NotFound`."""
        return await self._db.read(_view, payment_id)


def _get(tx: Transaction, payment_id: str, asker: User | None) -> PaymentView:
    found = _view(tx, payment_id)
    owner_id = found.payment.user_id
    is_guests = owner_id is None and bool(found.payment.email)
    if is_guests or (asker is not None and asker.id == owner_id):
        return found
    raise NotFound("There is no such payment.", code="payment_not_found")


def _view(tx: Transaction, payment_id: str) -> PaymentView:
    found = payments.get(tx, payment_id)
    given = contributions.of_payment(tx, found.id)
    payer = None if found.user_id is None else find_by_id(tx, found.user_id)
    return PaymentView(found, given, _slug(tx, given), None if payer is None else payer.username)


def _slug(tx: Transaction, given: Contribution | None) -> str | None:
    if given is None or given.channel_id is None:
        return None
    try:
        return channels.get_by_id(tx, given.channel_id).slug
    except NotFound:
        return None
