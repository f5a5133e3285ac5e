"""Durable work: a row of `job`, made in the transaction that wants it and done after its commit.

A job is claimed with a lease, so that one whose process died is taken up again; done at least once,
so a handler must bear being run twice; retried with growing pauses, and kept as dead for the admin
when it gives up. Features write jobs (`enqueue`); kernel/worker.py does them. Owns the table `job`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Index,
    Row,
    UniqueConstraint,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.kernel.ids import new_id

job = table(
    "job",
    identifier(),
    text("kind"),
    text("key", nullable=True),
    text("payload"),
    text("state"),
    int64("attempts"),
    int64("run_at_ms"),
    int64("lease_until_ms", nullable=True),
    text("last_error", nullable=True),
    int64("created_at_ms"),
    int64("ended_at_ms", nullable=True),
    UniqueConstraint("key"),
    CheckConstraint("state IN ('waiting', 'running', 'done', 'dead')", name="state"),
    CheckConstraint("(state = 'running') = (lease_until_ms IS NOT NULL)", name="lease"),
    CheckConstraint("(state IN ('done', 'dead')) = (ended_at_ms IS NOT NULL)", name="ended"),
)
Index(None, job.c.state, job.c.run_at_ms)
Index(None, job.c.kind, job.c.state, job.c.created_at_ms, job.c.id)
Index(None, job.c.ended_at_ms)

State = Literal["waiting", "running", "done", "dead"]
Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work. `attempts` counts those begun; `run_at_ms` is when the next one is due."""

    id: str
    kind: str
    key: str | None
    payload: Payload
    state: State
    attempts: int
    run_at_ms: int
    last_error: str | None
    created_at_ms: int
    ended_at_ms: int | None


@dataclass(frozen=True, slots=True)
class JobQueued:
    """There is new work: whoever does it need not wait for its next look."""


def enqueue(
    tx: Transaction,
    kind: str,
    payload: Mapping[str, Any],
    now_ms: int,
    *,
    key: str | None = None,
    delay_ms: int = 0,
) -> str | None:
    """Have `payload` (JSON) handled by what is registered for `kind`; the job's id.

    With a `key` it happens once: None when there is, or lately was, a job with that key.
    """
    text_of_payload = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    assert len(text_of_payload.encode()) <= limits.JOB_PAYLOAD_BYTES_MAX, kind
    job_id = new_id("job")
    made = tx.execute(
        _insert_unless_known(tx).values(
            id=job_id,
            kind=kind,
            key=key,
            payload=text_of_payload,
            state="waiting",
            attempts=0,
            run_at_ms=now_ms + delay_ms,
            created_at_ms=now_ms,
        )
    )
    if made.rowcount == 0:
        return None
    tx.emit(JobQueued())
    return job_id


def _insert_unless_known(tx: Transaction) -> Any:
    """Does nothing when there is a job with the key, or another process is just making one."""
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    return insert(job).on_conflict_do_nothing(index_elements=[job.c.key])


def page(
    tx: Transaction, kind: str, states: Sequence[State] = (), after: str | None = None
) -> list[Job]:
    """Jobs of one kind, newest first, behind the one with the id `after`."""
    query = select(job).where(job.c.kind == kind)
    if states:
        query = query.where(job.c.state.in_(list(states)))
    rows = rows_behind(tx, query, job.c.created_at_ms, after, limits.JOBS_LISTED_MAX)
    return [_to_job(row) for row in rows]


def dead_page(tx: Transaction, *, but: str, after: str | None = None) -> list[Job]:
    """Jobs that were given up, of all kinds but one, latest first, behind the one with the id
    `after`.
    """
    query = select(job).where(job.c.state == "dead", job.c.kind != but)
    rows = rows_behind(tx, query, job.c.run_at_ms, after, limits.JOBS_LISTED_MAX)
    return [_to_job(row) for row in rows]


def count_dead(tx: Transaction, *, only: str | None = None, but: str | None = None) -> int:
    """How many jobs were given up: of one kind, or of all but one."""
    query = select(func.count()).select_from(job).where(job.c.state == "dead")
    if only is not None:
        query = query.where(job.c.kind == only)
    if but is not None:
        query = query.where(job.c.kind != but)
    return int(tx.execute(query).scalar_one())


def pause_ms(attempts: int) -> int:
    """How long to wait after so many failures: doubled each time, up to a bound."""
    return min(limits.JOB_RETRY_MS_MIN << (attempts - 1), limits.JOB_RETRY_MS_MAX)


def _is_due(now_ms: int) -> Any:
    return or_(
        and_(job.c.state == "waiting", job.c.run_at_ms <= now_ms),
        and_(job.c.state == "running", job.c.lease_until_ms <= now_ms),
    )


def is_any_due(tx: Transaction, kinds: Sequence[str], now_ms: int) -> bool:
    """Whether `claim` would take anything of these kinds."""
    due = select(job.c.id).where(_is_due(now_ms), job.c.kind.in_(kinds)).limit(1)
    return tx.execute(due).first() is not None


def claim(tx: Transaction, kinds: Sequence[str], most: int, now_ms: int) -> list[Job]:
    """Take what is due: nobody else gets it before the lease is over."""
    due = (
        select(job.c.id)
        .where(_is_due(now_ms), job.c.kind.in_(kinds))
        .order_by(job.c.run_at_ms)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    rows = tx.execute(
        update(job)
        .where(job.c.id.in_(due.scalar_subquery()))
        .values(
            state="running",
            attempts=job.c.attempts + 1,
            lease_until_ms=now_ms + limits.JOB_LEASE_MS,
        )
        .returning(*job.c)
    )
    return [_to_job(row) for row in rows]


def _own(work: Job) -> Any:
    """The row, as long as nobody else has claimed it since."""
    return and_(job.c.id == work.id, job.c.state == "running", job.c.attempts == work.attempts)


def finish(tx: Transaction, work: Job, keeps_payload: bool, now_ms: int) -> None:
    """It is done: kept for a while, for the admin and its key, without `keeps_payload` emptied."""
    values: dict[str, Any] = {} if keeps_payload else {"payload": "{}"}
    tx.execute(
        update(job)
        .where(_own(work))
        .values(state="done", lease_until_ms=None, last_error=None, ended_at_ms=now_ms, **values)
    )


def finish_unkept(tx: Transaction, work: Job) -> None:
    """It is done, and nobody looks for it any more."""
    tx.execute(delete(job).where(_own(work)))


def fail(tx: Transaction, work: Job, reason: str, is_last: bool, now_ms: int) -> None:
    """It failed for `reason`, which the admin reads: again after a pause, or given up."""
    values: dict[str, Any] = {"lease_until_ms": None, "last_error": reason[:500]}
    if is_last:
        values |= {"state": "dead", "ended_at_ms": now_ms}
    else:
        values |= {"state": "waiting", "run_at_ms": now_ms + pause_ms(work.attempts)}
    tx.execute(update(job).where(_own(work)).values(values))


def release(tx: Transaction, work: Job, run_at_ms: int) -> None:
    """It is done later: this attempt doesn't count."""
    tx.execute(
        update(job)
        .where(_own(work))
        .values(
            state="waiting",
            lease_until_ms=None,
            attempts=work.attempts - 1,
            run_at_ms=run_at_ms,
        )
    )


def release_all(tx: Transaction) -> None:
    """Nobody works on anything: what was begun is due at once, and that attempt counts."""
    tx.execute(
        update(job).where(job.c.state == "running").values(state="waiting", lease_until_ms=None)
    )


def known_keys(tx: Transaction, keys: Sequence[str]) -> set[str]:
    """Those of `keys` that a job has, whatever its state."""
    return (
        set(tx.execute(select(job.c.key).where(job.c.key.in_(keys))).scalars()) if keys else set()
    )


def is_under_way(tx: Transaction, key: str) -> bool:
    """Whether the job with this key waits or runs: it isn't done, nor given up."""
    found = select(job.c.id).where(job.c.key == key, job.c.state.in_(("waiting", "running")))
    return tx.execute(found).first() is not None


def enqueue_repeated(tx: Transaction, kind: str, key: str, now_ms: int) -> None:
    """`enqueue` what needs no payload, for the interval that `key` names."""
    enqueue(tx, kind, {}, now_ms, key=key)


def count(tx: Transaction) -> dict[tuple[str, State], int]:
    """How many jobs there are by kind and state."""
    rows = tx.execute(
        select(job.c.kind, job.c.state, func.count().label("jobs")).group_by(
            job.c.kind, job.c.state
        )
    )
    return {(row.kind, row.state): row.jobs for row in rows}


def dead_by_kind(tx: Transaction) -> dict[str, int]:
    """How many were given up, by kind."""
    rows = tx.execute(
        select(job.c.kind, func.count().label("jobs"))
        .where(job.c.state == "dead")
        .group_by(job.c.kind)
    )
    return {row.kind: row.jobs for row in rows}


def count_waiting(tx: Transaction, kind: str, before_ms: int) -> int:
    """How many of a kind wait that were made before this moment."""
    waiting = select(func.count()).where(
        job.c.kind == kind, job.c.state == "waiting", job.c.created_at_ms < before_ms
    )
    return int(tx.execute(waiting).scalar_one())


def _get_dead(tx: Transaction, job_id: str) -> Job:
    row = tx.execute(select(job).where(job.c.id == job_id).with_for_update()).first()
    if row is None:
        raise NotFound("There is no such job.")
    if row.state != "dead":
        raise Conflict("That job hasn't been given up.", code="not_dead")
    return _to_job(row)


def retry(tx: Transaction, job_id: str, now_ms: int) -> Job:
    """Begin a dead job's attempts anew. Raises `NotFound` or `Conflict` (it isn't dead)."""
    _get_dead(tx, job_id)
    row = tx.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(state="waiting", attempts=0, run_at_ms=now_ms, ended_at_ms=None)
        .returning(*job.c)
    ).one()
    tx.emit(JobQueued())
    return _to_job(row)


def drop(tx: Transaction, job_id: str) -> Job:
    """Remove a dead job; what it was. Raises `NotFound` or `Conflict` (it isn't dead)."""
    dropped = _get_dead(tx, job_id)
    tx.execute(delete(job).where(job.c.id == job_id))
    return dropped


def delete_ended(tx: Transaction, now_ms: int) -> bool:
    """Forget some of what was done or given up a while ago; whether that were all."""
    old = (
        select(job.c.id)
        .where(
            or_(
                and_(job.c.state == "done", job.c.ended_at_ms < now_ms - limits.JOB_DONE_KEEP_MS),
                and_(job.c.state == "dead", job.c.ended_at_ms < now_ms - limits.JOB_DEAD_KEEP_MS),
            )
        )
        .limit(limits.JOBS_DELETED_AT_ONCE)
    )
    deleted = tx.execute(delete(job).where(job.c.id.in_(old.scalar_subquery()))).rowcount
    return deleted < limits.JOBS_DELETED_AT_ONCE


def _to_job(row: Row[Any]) -> Job:
    return Job(
        row.id,
        row.kind,
        row.key,
        json.loads(row.payload),
        row.state,
        row.attempts,
        row.run_at_ms,
        row.last_error,
        row.created_at_ms,
        row.ended_at_ms,
    )
