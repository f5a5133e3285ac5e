"""Idempotency keys: a request that is sent again, because its answer got lost, is done once.

The key of the `Idempotency-Key` header, or of a form's hidden field, is kept with the document that
the request made, beside a hash of what was asked, so the answer is simply that document again.
Keys belong to whoever sends them.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, is_dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.money.contributions import Contribution, contribution, to_contribution

_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, by the key it came with; both None without one."""

    key: str | None
    hash: str | None

    @classmethod
    def of(cls, key: str | None, *content: Any) -> Request:
        """`content`: everything that makes it this request. Raises `Invalid` for a bad key."""
        if key is None:
            return cls(None, None)
        if not (_KEY.fullmatch(key) and len(key) <= limits.IDEMPOTENCY_KEY_CHARS_MAX):
            raise Invalid(
                f"Use 1 to {limits.IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters.",
                field="Idempotency-Key",
            )
        text = json.dumps([asdict(one) if is_dataclass(one) else one for one in content])  # type: ignore[arg-type]  # instances only
        return cls(key, sha256(text.encode()).hexdigest())

    def check_same(self, first_hash: str | None) -> None:
        """Raises `Conflict` when the key came with something else before."""
        if self.hash != first_hash:
            raise Conflict(
                "That Idempotency-Key was used for another request.", code="idempotency_key"
            )


def first_contribution(tx: Transaction, sender: User, asked: Request) -> Contribution | None:
    """What the same request made before. Raises `Conflict` when it was another request."""
    return _first(tx, asked, contribution.c.sender_id == sender.id)


def first_of_guest(tx: Transaction, channel_id: str, asked: Request) -> Contribution | None:
    """The same for who has no account: a channel's guests share their keys."""
    is_theirs = and_(contribution.c.sender_id.is_(None), contribution.c.channel_id == channel_id)
    return _first(tx, asked, is_theirs)


def _first(tx: Transaction, asked: Request, is_theirs: ColumnElement[bool]) -> Contribution | None:
    if asked.key is None:
        return None
    query = select(contribution).where(is_theirs, contribution.c.idempotency_key == asked.key)
    row = tx.execute(query).first()
    if row is None:
        return None
    asked.check_same(row.request_hash)
    return to_contribution(row)
