"""Checks the books when the site starts, every night, and when an admin asks; keeps what it found.

The listeners don't wait for it, and it takes small steps, so nobody notices a long ledger being
read. Admins are told when what it finds is new. Owns the table `ledger_check`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from sqlalchemy import CheckConstraint, Index, Row, delete, insert, select

from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.tasks import Tasks
from mediaserver.money.ledger_check import Check
from mediaserver.money.ledger_rules import Finding, Rule
from mediaserver.notifications.notices import tell_admins

_log = structlog.get_logger(__name__)

PAGE = "/admin/books"

ledger_check = table(
    "ledger_check",
    identifier(),
    int64("began_at_ms"),
    int64("ended_at_ms"),
    int64("accounts"),
    int64("entries"),
    text("findings"),
    CheckConstraint("accounts >= 0 AND entries >= 0", name="counts"),
)
Index(None, ledger_check.c.ended_at_ms, ledger_check.c.id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check looked at and found."""

    id: str
    began_at_ms: int
    ended_at_ms: int
    accounts: int
    entries: int
    findings: tuple[Finding, ...]


class NightlyCheck:
    """One check at a time. Call `aclose` at the end."""

    def __init__(
        self, db: Database, clock: Clock, letterhead: Letterhead, more: Sequence[Rule] = ()
    ) -> None:
        """`more`: rules of features that stand above money."""
        self._db = db
        self._clock = clock
        self._letterhead = letterhead
        self._more = more

        self._tasks = Tasks("nightly check")
        self._turn = asyncio.Lock()

    def begin(self) -> None:
        """Check in the background."""
        self._tasks.start(self._run_quietly(), "first")

    async def run(self) -> Outcome:
        """Check everything now, after a check that runs already."""
        async with self._turn:
            check, began_at_ms = Check(self._more), self._clock.wall_ms()
            is_done = False
            while not is_done:
                is_done = await self._db.read(check.step)
                await asyncio.sleep(limits.LEDGER_CHECK_PAUSE_S)
            outcome = Outcome(
                new_id("chk"),
                began_at_ms,
                self._clock.wall_ms(),
                check.accounts,
                check.entries,
                tuple(check.findings),
            )
            for finding in outcome.findings:
                _log.error("the books are wrong", rule=finding.rule, about=finding.about)
            await self._db.write(self._keep, outcome)
        return outcome

    async def run_asked(self, actor: Actor) -> Outcome:
        """`run`, which an admin asked for."""
        outcome = await self.run()
        await self._db.write(_record, actor, outcome, self._clock.wall_ms())
        return outcome

    async def run_nightly(self) -> None:
        """`run`, as a job."""
        await self.run()

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def _run_quietly(self) -> None:
        try:
            await self.run()
        except Unavailable as error:
            _log.warning("the books are checked later", reason=error.message)

    def _keep(self, tx: Transaction, outcome: Outcome) -> None:
        before = last(tx)
        tx.execute(
            insert(ledger_check).values(
                id=outcome.id,
                began_at_ms=outcome.began_at_ms,
                ended_at_ms=outcome.ended_at_ms,
                accounts=outcome.accounts,
                entries=outcome.entries,
                findings=json.dumps([asdict(one) for one in outcome.findings]),
            )
        )
        old_ms = outcome.ended_at_ms - limits.LEDGER_CHECK_KEEP_MS
        tx.execute(delete(ledger_check).where(ledger_check.c.ended_at_ms < old_ms))
        known = before.findings if before is not None else ()
        if outcome.findings and outcome.findings != known:
            count = len(outcome.findings)
            title = f"The books are wrong in {count} place{'' if count == 1 else 's'}"
            body = outcome.findings[0].text
            tell_admins(tx, self._letterhead, title, body, PAGE, outcome.ended_at_ms)


def last(tx: Transaction) -> Outcome | None:
    """The newest one."""
    found = newest(tx, 1)
    return found[0] if found else None


def newest(tx: Transaction, most: int = limits.LEDGER_CHECKS_LISTED_MAX) -> list[Outcome]:
    """The newest ones first."""
    rows = tx.execute(
        select(ledger_check)
        .order_by(ledger_check.c.ended_at_ms.desc(), ledger_check.c.id.desc())
        .limit(most)
    )
    return [_to_outcome(row) for row in rows]


def count_wrong(tx: Transaction) -> int:
    """How much the newest check found."""
    found = last(tx)
    return 0 if found is None else len(found.findings)


def _record(tx: Transaction, actor: Actor, outcome: Outcome, now_ms: int) -> None:
    target = Target("books", "books", "the books")
    found = {"findings": len(outcome.findings)}
    audit.append(tx, actor, "books.check", target, now_ms, found)


def _to_outcome(row: Row[Any]) -> Outcome:
    return Outcome(
        row.id,
        row.began_at_ms,
        row.ended_at_ms,
        row.accounts,
        row.entries,
        tuple(Finding(**one) for one in json.loads(row.findings)),
    )
