"""The audit log as admins read it: searched, taken along, and checked from end to end.

kernel/audit.py holds the log itself. Called by the admin desk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import structlog

from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Broken, Entry, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Invalid

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are asked for. `actor` and `target` are names or ids; `action` is one, or how
    some begin, with its dot; `from_ms` and `until_ms` bound the time, the end not included.
    """

    action: str = ""
    actor: str = ""
    target: str = ""
    from_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the chain has found: how many entries are as they were written."""

    entries: int
    broken: Broken | None


class AuditLog:
    """Reads the log."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def page(self, wanted: Wanted, *, before: int | None = None) -> list[Entry]:
        """Newest first, with numbers below `before`."""
        return await self._db.read(audit.page, before=before, **asdict(wanted))

    async def export(self, actor: Actor, wanted: Wanted) -> AsyncIterator[list[Entry]]:
        """Everything that is wanted, in batches; that it was taken along is written down first."""
        target = Target("audit", "audit", "audit log")
        now_ms = self._clock.wall_ms()
        await self._db.write(audit.append, actor, "audit.export", target, now_ms)
        before = None
        while True:
            batch = await self._db.read(
                audit.page, before=before, most=limits.AUDIT_EXPORT_BATCH, **asdict(wanted)
            )
            if batch:
                yield batch
            if len(batch) < limits.AUDIT_EXPORT_BATCH:
                return
            before = batch[-1].sequence

    async def log_newest(self) -> None:
        """Put the newest hash into the site's own log, where nobody at the database reaches it."""
        sequence, _, newest = (await self._db.read(audit.head)).partition(" ")
        _log.info("newest entry of the audit log", sequence=sequence, hash=newest)

    async def check(self) -> Checked:
        """Read the whole chain, a piece at a time."""
        check = audit.Check()
        while not await self._db.read(check.step):
            pass
        return Checked(check.entries, check.broken)


def day_ms(day: str, field: str, *, is_end: bool = False) -> int | None:
    """When a day such as 2026-11-20 begins, in UTC, or is over; None for "". Raises `Invalid`."""
    if not day:
        return None
    try:
        begins = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid("Write a day as 2026-11-20.", field=field) from error
    return int(begins.timestamp() * 1000) + (limits.DAY_MS if is_end else 0)
