"""How often one may try: leaky buckets kept in the database, so that a restart forgives nobody.

Each bucket is one number, the time at which it is empty again (GCRA): an attempt pushes that time
back by the rule's interval, and is refused while it lies more than a burst ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import CheckConstraint, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import RateLimited
from mediaserver.kernel.ids import digest

throttle = table(
    "throttle",
    text("key", primary_key=True),
    int64("empty_at_ms"),
    CheckConstraint("empty_at_ms >= 0", name="empty_at"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`burst` attempts at once, then one in `interval_ms`."""

    name: str
    burst: int
    interval_ms: int

    def key(self, *subject: str) -> str:
        """Names the bucket of `subject`; hashed, since what people type ends up in it."""
        return f"{self.name}:{digest(chr(0).join(subject))}"


class Throttles:
    """Counts attempts. Every method is one short transaction."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def charge(self, *buckets: tuple[Rule, str]) -> None:
        """Count one attempt in each bucket, or raise `RateLimited` and count none."""
        try:
            await self._db.write(_charge, buckets, self._clock.wall_ms())
        except IntegrityError:  # two first attempts at the same moment
            await self._db.write(_charge, buckets, self._clock.wall_ms())

    async def check(self, *buckets: tuple[Rule, str]) -> None:
        """Raise `RateLimited` if an attempt would be refused; counts nothing."""
        await self._db.read(check, buckets, self._clock.wall_ms())

    async def is_full(self, bucket: tuple[Rule, str]) -> bool:
        """Whether an attempt would be refused; counts nothing."""
        try:
            await self.check(bucket)
        except RateLimited:
            return True
        return False

    async def refund(self, *buckets: tuple[Rule, str]) -> None:
        """Take one counted attempt back: it turned out to be right."""
        await self._db.write(_refund, buckets)

    async def forget(self, *buckets: tuple[Rule, str]) -> None:
        """Empty the buckets."""
        await self._db.write(_forget, buckets)

    async def delete_empty(self) -> None:
        await self._db.write(_delete_empty, self._clock.wall_ms())


def check(tx: Transaction, buckets: tuple[tuple[Rule, str], ...], now_ms: int) -> None:
    for rule, key in buckets:
        _level(tx, rule, key, now_ms, locking=False)


def _charge(tx: Transaction, buckets: tuple[tuple[Rule, str], ...], now_ms: int) -> None:
    levels = [_level(tx, rule, key, now_ms, locking=True) for rule, key in buckets]
    for (rule, key), (empty_at_ms, is_stored) in zip(buckets, levels, strict=True):
        values = {"empty_at_ms": empty_at_ms + rule.interval_ms}
        if is_stored:
            tx.execute(update(throttle).where(throttle.c.key == key).values(values))
        else:
            tx.execute(insert(throttle).values(key=key, **values))


def _level(
    tx: Transaction, rule: Rule, key: str, now_ms: int, *, locking: bool
) -> tuple[int, bool]:
    query = select(throttle.c.empty_at_ms).where(throttle.c.key == key)
    stored = tx.execute(query.with_for_update() if locking else query).scalar()
    most_ms = (rule.burst - 1) * rule.interval_ms
    empty_at_ms = max(now_ms, stored or 0)
    if empty_at_ms > now_ms + most_ms + rule.interval_ms:  # the clock was set back
        empty_at_ms = now_ms + most_ms  # one attempt now, then the trickle
    wait_ms = empty_at_ms - now_ms - most_ms
    if wait_ms > 0:
        raise RateLimited(
            "Too many attempts. Wait a moment, then try again.",
            retry_after_s=-(-wait_ms // 1000),
        )
    return empty_at_ms, stored is not None


def _refund(tx: Transaction, buckets: tuple[tuple[Rule, str], ...]) -> None:
    for rule, key in buckets:
        tx.execute(
            update(throttle)
            .where(throttle.c.key == key, throttle.c.empty_at_ms >= rule.interval_ms)
            .values(empty_at_ms=throttle.c.empty_at_ms - rule.interval_ms)
        )


def _forget(tx: Transaction, buckets: tuple[tuple[Rule, str], ...]) -> None:
    tx.execute(delete(throttle).where(throttle.c.key.in_([key for _, key in buckets])))


def _delete_empty(tx: Transaction, now_ms: int) -> None:
    tx.execute(delete(throttle).where(throttle.c.empty_at_ms < now_ms))
