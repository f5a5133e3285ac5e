"""Cases: reports as admins see and decide them.

A decision is about the reported thing, so it closes every open report of that thing; whoever made
one is told whether it broke the rules, never what followed for whom. Called by routes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import and_, func, select, true, update

from mediaserver.channels import channels, streams
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import ModerationConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.images import ImageFolder
from mediaserver.kernel.mail import Letterhead
from mediaserver.trust import bans, ended_streams, evidence, letters, reports, warnings
from mediaserver.trust.bans import Ban
from mediaserver.trust.evidence import Evidence
from mediaserver.trust.reasons import Grounds, checked_reason
from mediaserver.trust.reports import Report, State, report
from mediaserver.trust.sanctions import checked_words
from mediaserver.trust.targets import Kind
from mediaserver.trust.warnings import GivenWarning


class Outcome(StrEnum):
    """What came of a report. The value is kept; `label` is what admins read."""

    DISMISSED = "dismissed"
    STREAM_ENDED = "stream_ended"
    WARNED = "warned"
    BANNED = "banned"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Outcome.DISMISSED: "Dismissed",
    Outcome.STREAM_ENDED: "Stream ended",
    Outcome.WARNED: "Warned",
    Outcome.BANNED: "Banned",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What an admin decides. `answer` is for who reported; `reason` and `text` are for who is
    warned or banned or whose stream ends, `days` for a ban (None: no end).
    """

    outcome: str
    answer: str = ""
    reason: str = ""
    text: str = ""
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A report with all that helps to decide it. `is_on_air`: it is about a stream that runs now;
    `alike` are other reports of the same thing, `earlier` those of other things of the same person.
    """

    report: Report
    evidence: Evidence | None
    channel: str | None
    is_on_air: bool
    alike: list[Report]
    earlier: list[Report]
    warnings: list[GivenWarning]
    bans: list[Ban]


class Cases:
    """The queue, one case, and what admins do with it."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        letterhead: Letterhead,
        config: ModerationConfig,
        folder: ImageFolder,
    ) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead
        self._config = config
        self._folder = folder

    async def remove_leftovers(self) -> None:
        """At start: pictures that a crash has left without a report."""
        await self._folder.remove_others(await self._db.read(evidence.with_picture))

    async def page(
        self, state: State | None, kind: Kind | None, *, after: str | None = None
    ) -> list[Report]:
        """Those that wait oldest first, all others newest first, behind the one named `after`."""
        wanted = and_(
            true() if state is None else report.c.state == state,
            true() if kind is None else report.c.kind == kind,
        )
        is_waiting = state in ("new", "assigned")
        return await self._db.read(reports.page_of, wanted, after, is_oldest_first=is_waiting)

    async def counts(self) -> dict[str, int]:
        """State → how many."""
        return await self._db.read(_counts)

    async def case(self, report_id: str) -> Case:
        """Raises `NotFound`."""
        return await self._db.read(_case, report_id)

    async def picture(self, report_id: str) -> bytes:
        """What was to be seen: a JPEG of a stream, or a WebP of a person. Raises `NotFound`."""
        found = await self._db.read(evidence.find, report_id)
        if found is None or not found.has_picture:
            raise NotFound("There is no picture of this report.")
        return await self._folder.read(report_id)

    async def take(self, actor: Actor, report_id: str) -> Report:
        """Say that one is on it. Raises `NotFound` or `Conflict` (decided, somebody else's)."""
        return await self._db.write(_take, actor, report_id, self._clock.wall_ms())

    async def put_back(self, actor: Actor, report_id: str) -> Report:
        """Leave it to others. Raises `NotFound` or `Conflict` (decided)."""
        return await self._db.write(_put_back, actor, report_id, self._clock.wall_ms())

    async def decide(self, actor: Actor, report_id: str, decision: Decision) -> Report:
        """Close it and all that are about the same thing, at most `REPORTS_CLOSED_MAX`, and do what
        was decided.

        Raises `NotFound`, `Invalid`, `Conflict` (decided by somebody else just now, nobody left to
        warn, nothing on air, banned already) or `Forbidden` (an admin, yourself).
        """
        try:
            outcome = Outcome(decision.outcome)
        except ValueError as error:
            raise Invalid("Choose what to do.", field="outcome") from error
        return await self._db.write(self._decide, actor, report_id, outcome, decision)

    async def delete_old_evidence(self) -> None:
        """The clean-up: files first, so that a crash in between leaves rows to try again."""
        due = await self._db.read(evidence.due, self._clock.wall_ms())
        for report_id in due:
            await self._folder.remove(report_id)
        if due:
            await self._db.write(evidence.forget, due)

    def _decide(
        self, tx: Transaction, actor: Actor, report_id: str, outcome: Outcome, decision: Decision
    ) -> Report:
        now_ms = self._clock.wall_ms()
        found = _locked(tx, report_id)
        answer = _checked_answer(decision.answer)
        self._carry_out(tx, actor, found, outcome, decision, now_ms)
        closed = [found, *_alike(tx, found, is_open=True, most=limits.REPORTS_CLOSED_MAX)]
        tx.execute(
            update(report)
            .where(report.c.id.in_([one.id for one in closed]))
            .values(
                state="decided",
                outcome=outcome,
                outcome_text=answer,
                decided_at_ms=now_ms,
                decided_by_id=actor.id,
            )
        )
        for one in closed:
            self._close(tx, one, outcome, answer, now_ms)
        details = {"outcome": outcome, "reports": len(closed), "kind": found.kind}
        audit.append(tx, actor, "report.decide", _target_of(found), now_ms, details)
        return reports.get(tx, report_id)

    def _close(
        self, tx: Transaction, one: Report, outcome: Outcome, answer: str, now_ms: int
    ) -> None:
        keep_ms = self._config.evidence_keep_days * limits.DAY_MS
        evidence.delete_later(tx, one.id, now_ms + keep_ms)
        if one.reporter_id is not None:
            letters.report_decided(
                tx,
                self._letterhead,
                one.reporter_id,
                one.target,
                answer,
                now_ms,
                is_upheld=outcome is not Outcome.DISMISSED,
            )

    def _carry_out(
        self,
        tx: Transaction,
        actor: Actor,
        found: Report,
        outcome: Outcome,
        decision: Decision,
        now_ms: int,
    ) -> None:
        if outcome is Outcome.DISMISSED:
            return
        reason = checked_reason(decision.reason) if decision.reason else found.reason
        grounds = Grounds(reason, checked_words(decision.text), found.id)
        if outcome is Outcome.STREAM_ENDED:
            self._end_stream(tx, actor, found, grounds, now_ms)
            return
        if found.owner_id is None:
            raise Conflict("Whoever it was has deleted their account.", code="user_gone")
        if outcome is Outcome.WARNED:
            warnings.give(
                tx, self._letterhead, self._config, actor, found.owner_id, grounds, now_ms
            )
        else:
            until_ms = bans.until_ms_of(decision.days, now_ms)
            bans.place(tx, self._letterhead, actor, found.owner_id, grounds, until_ms, now_ms)

    def _end_stream(
        self, tx: Transaction, actor: Actor, found: Report, grounds: Grounds, now_ms: int
    ) -> None:
        if found.kind not in (Kind.STREAM, Kind.CHANNEL):
            raise Conflict("This report isn't about a stream.", code="no_stream")
        if not _is_on_air(tx, found):
            raise Conflict("That stream is over already.", code="not_live")
        assert found.channel_id is not None
        channel = channels.get_by_id(tx, found.channel_id)
        ended_streams.end(
            tx, self._letterhead, actor, channel, grounds.words, now_ms, report_id=found.id
        )


def _checked_answer(answer: str) -> str:
    """What the reporters are told. Raises `Invalid(field="answer")`."""
    try:
        return checked_words(answer)
    except Invalid as error:
        raise Invalid(error.message, field="answer") from error


def _take(tx: Transaction, actor: Actor, report_id: str, now_ms: int) -> Report:
    found = _locked(tx, report_id)
    if found.assignee_id not in (None, actor.id):
        raise Conflict(f"{found.assignee} is on it already.", code="taken")
    tx.execute(
        update(report)
        .where(report.c.id == report_id)
        .values(state="assigned", assignee_id=actor.id)
    )
    audit.append(tx, actor, "report.take", _target_of(found), now_ms)
    return reports.get(tx, report_id)


def _put_back(tx: Transaction, actor: Actor, report_id: str, now_ms: int) -> Report:
    found = _locked(tx, report_id)
    tx.execute(update(report).where(report.c.id == report_id).values(state="new", assignee_id=None))
    audit.append(tx, actor, "report.put-back", _target_of(found), now_ms)
    return reports.get(tx, report_id)


def _locked(tx: Transaction, report_id: str) -> Report:
    """One that isn't decided, held with all of the same thing until the transaction ends.

    Raises `NotFound` or `Conflict`.
    """
    found = reports.get(tx, report_id)
    same = select(report.c.id).where(
        report.c.kind == found.kind, report.c.target_id == found.target_id
    )
    tx.execute(same.order_by(report.c.id).with_for_update())
    found = reports.get(tx, report_id)
    if found.state == "decided":
        raise Conflict("Somebody has decided this report already.", code="already_decided")
    return found


def _is_on_air(tx: Transaction, found: Report) -> bool:
    """Whether what was reported can be ended: the channel's stream of now, or that very stream."""
    if found.channel_id is None or found.kind not in (Kind.STREAM, Kind.CHANNEL):
        return False
    running = streams.open_stream_id(tx, found.channel_id)
    return running is not None and (found.kind is Kind.CHANNEL or running == found.target_id)


def _case(tx: Transaction, report_id: str) -> Case:
    found = reports.get(tx, report_id)
    owner_id = found.owner_id
    channel = None
    if found.channel_id is not None:
        channel = channels.get_by_id(tx, found.channel_id).slug
    return Case(
        report=found,
        evidence=evidence.find(tx, report_id),
        channel=channel,
        is_on_air=_is_on_air(tx, found),
        alike=_alike(tx, found),
        earlier=[] if owner_id is None else _earlier(tx, found, owner_id),
        warnings=[] if owner_id is None else warnings.warnings_of(tx, owner_id),
        bans=[] if owner_id is None else bans.bans_of(tx, owner_id),
    )


def _alike(
    tx: Transaction,
    found: Report,
    *,
    is_open: bool = False,
    most: int = limits.REPORTS_ALIKE_MAX,
) -> list[Report]:
    """Other reports of the same thing."""
    same = and_(
        report.c.kind == found.kind,
        report.c.target_id == found.target_id,
        report.c.id != found.id,
        report.c.state != "decided" if is_open else true(),
        true() if found.owner_id is None else report.c.owner_id == found.owner_id,
    )
    return reports.page_of(tx, same, None, most=most)


def _earlier(tx: Transaction, found: Report, owner_id: str) -> list[Report]:
    other = and_(report.c.owner_id == owner_id, report.c.target_id != found.target_id)
    return reports.page_of(tx, other, None, most=limits.REPORTS_EARLIER_MAX)


def _counts(tx: Transaction) -> dict[str, int]:
    query = select(report.c.state, func.count().label("total")).group_by(report.c.state)
    return {row.state: int(row.total) for row in tx.execute(query)}


def _target_of(found: Report) -> Target:
    return Target("report", found.id, found.target)
