"""Receipts: one contribution with everything that was booked, for who gave it and who got it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from mediaserver.accounts.permissions import Action, can, check
from mediaserver.accounts.users import User
from mediaserver.channels.channels import channel
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import NotFound
from mediaserver.money import contributions
from mediaserver.money.commission import fee_of_part
from mediaserver.money.contributions import Contribution


@dataclass(frozen=True, slots=True)
class Receipt:
    """`giver` is how the reader may see who gave it. `channel_slug` is None when the channel is
    gone. What was taken back is split as it was booked.
    """

    given: Contribution
    giver: str
    channel_slug: str | None
    is_givers: bool
    fee_taken_back_minor: int

    @property
    def is_final(self) -> bool:
        """Whether the money has moved."""
        return self.given.state == "paid"


class Receipts:
    """Shows them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, user: User, contribution_id: str) -> Receipt:
        """Raises `NotFound`, also for what is somebody else's."""
        check(user, Action.READ_OWN_MONEY)
        return await self._db.read(_get, user, contribution_id)


def _get(tx: Transaction, user: User, contribution_id: str) -> Receipt:
    given = contributions.get(tx, contribution_id)
    is_givers = contributions.is_sender(given, user)
    is_admins = can(user, Action.READ_BOOKS)
    if not is_givers and not is_admins and not _is_recipients(given, user):
        raise NotFound("There is no such contribution.", code="contribution_not_found")
    row = tx.execute(select(channel.c.slug).where(channel.c.id == given.channel_id)).first()
    fee_taken_back = fee_of_part(given.fee_minor, given.amount_minor, 0, given.taken_back_minor)
    giver = (given.sender_name or contributions.NOBODY) if is_givers else given.public_name
    return Receipt(given, giver, None if row is None else row.slug, is_givers, fee_taken_back)


def _is_recipients(given: Contribution, user: User) -> bool:
    """Streamers see what was paid or announced to them, no payment that came to nothing."""
    return given.recipient_id == user.id and given.state not in ("open", "failed")
