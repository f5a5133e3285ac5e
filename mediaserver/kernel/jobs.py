"""Durable work: a row of `job`, made in the transaction that wants it and done after its commit.

A job is claimed with a lease, so that one whose process died is taken up again; done at least once,
so a handler must bear being run twice; retried with growing pauses, and kept as dead for the admin
when it gives up. Features write jobs (`enqueue`) and hand `Jobs` the functions that do them.
Owns the table `job`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import structlog
from sqlalchemy import (
    CheckConstraint,
    Index,
    Row,
    UniqueConstraint,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, MediaserverError, NotFound
from mediaserver.kernel.events import Events
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.tasks import Tasks

_log = structlog.get_logger(__name__)

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
Index(None, job.c.kind, job.c.created_at_ms, job.c.id)

State = Literal["waiting", "running", "done", "dead"]
Payload = dict[str, Any]
Handler = Callable[[Payload], Awaitable[None]]


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


@dataclass(frozen=True, slots=True)
class JobDied:
    """A job was given up after its last attempt."""

    id: str
    kind: str


class GiveUp(Exception):
    """Raised by a handler when trying again can't help; the message is for the admin."""


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
    if key is not None and tx.execute(select(job.c.id).where(job.c.key == key)).first():
        return None
    job_id = new_id("job")
    tx.execute(
        insert(job).values(
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
    tx.emit(JobQueued())
    return job_id


@dataclass(frozen=True, slots=True)
class _Kind:
    handle: Handler
    attempts_max: int
    keeps_payload: bool


class Jobs:
    """Does what is due. An async context manager; register every kind before entering it."""

    def __init__(self, db: Database, clock: Clock, events: Events) -> None:
        self._db = db
        self._clock = clock

        self._kinds: dict[str, _Kind] = {}
        self._intervals_ms: dict[str, int] = {}
        self._woken = asyncio.Event()
        self._tasks = Tasks("jobs")
        self._running = Tasks("job")
        self._closing = False
        events.subscribe(JobQueued, lambda _: self._woken.set())

    def register(
        self,
        kind: str,
        handle: Handler,
        *,
        attempts_max: int = limits.JOB_ATTEMPTS_MAX,
        keeps_payload: bool = True,
    ) -> None:
        """`handle` gets the payload; it ends, raises `GiveUp`, or anything else to be run again.

        Without `keeps_payload` a job's payload is emptied once it is done, since it holds a secret.
        """
        assert kind not in self._kinds, kind
        self._kinds[kind] = _Kind(handle, attempts_max, keeps_payload)

    def repeat(self, kind: str, handle: Callable[[], Awaitable[None]], interval_ms: int) -> None:
        """Have `handle` run once in each interval, also when the site was off for a while."""

        async def run(_: Payload) -> None:
            await handle()

        self.register(kind, run)
        self._intervals_ms[kind] = interval_ms

    async def __aenter__(self) -> Self:
        if self._db.is_sqlite:  # one process: what was running died with the last one
            await self._db.write(_release_all)
        self._tasks.start(self._run(), "worker")
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        await self._tasks.aclose()
        await self._running.aclose()

    async def run_due(self) -> int:
        """Do what is due now and wait for it; how many jobs that were."""
        claimed = await self._claim(limits.JOBS_AT_ONCE_MAX)
        await asyncio.gather(*(self._do(work) for work in claimed))
        return len(claimed)

    async def page(
        self, kind: str, *, states: Sequence[State] = (), after: str | None = None
    ) -> list[Job]:
        """Jobs of one kind, newest first, behind the one with the id `after`."""
        return await self._db.read(page, kind, states, after)

    async def count(self) -> dict[tuple[str, State], int]:
        """Jobs by kind and state."""
        return await self._db.read(_count)

    async def retry(self, job_id: str) -> Job:
        """Begin a dead job's attempts anew. Raises `NotFound` or `Conflict` (it isn't dead)."""
        return await self._db.write(retry, job_id, self._clock.wall_ms())

    async def drop(self, job_id: str) -> None:
        """Remove a dead job. Raises `NotFound` or `Conflict` (it isn't dead)."""
        await self._db.write(drop, job_id)

    async def delete_ended(self) -> None:
        """Forget what was done or given up a while ago."""
        await self._db.write(_delete_ended, self._clock.wall_ms())

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._start_due()
            except MediaserverError as error:
                _log.warning("jobs wait", reason=error.message)
            try:
                async with asyncio.timeout(limits.JOB_CHECK_S):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _start_due(self) -> None:
        """Fill the free places; one slow job holds up no other."""
        free = limits.JOBS_AT_ONCE_MAX - len(self._running)
        for work in await self._claim(free) if free else []:
            task = self._running.start(self._do(work), work.kind)
            task.add_done_callback(lambda _: self._woken.set())

    async def _claim(self, most: int) -> list[Job]:
        now_ms = self._clock.wall_ms()
        await self._enqueue_repeated(now_ms)
        if not await self._db.read(_is_any_due, now_ms):
            return []  # nearly always: no need to write
        return await self._db.write(_claim, list(self._kinds), most, now_ms)

    async def _enqueue_repeated(self, now_ms: int) -> None:
        missing = [
            (kind, f"{kind}/{now_ms // interval_ms}")
            for kind, interval_ms in self._intervals_ms.items()
        ]
        known = await self._db.read(_known_keys, [key for _, key in missing])
        for kind, key in missing:
            if key not in known:
                await self._db.write(_enqueue_repeated, kind, key, now_ms)

    async def _do(self, work: Job) -> None:
        kind = self._kinds[work.kind]
        try:
            async with asyncio.timeout(limits.JOB_TIMEOUT_S):
                await kind.handle(work.payload)
        except GiveUp as error:
            await self._failed(work, str(error), is_last=True)
        except asyncio.CancelledError:
            if not self._closing:
                raise
            await self._db.write(_release, work)
            raise
        except TimeoutError:
            await self._failed(work, "It took too long.", work.attempts >= kind.attempts_max)
        except Exception as error:
            reason = error.message if isinstance(error, MediaserverError) else repr(error)
            if not isinstance(error, MediaserverError | OSError):
                _log.exception("job crashed", kind=work.kind, job=work.id)
            await self._failed(work, reason, work.attempts >= kind.attempts_max)
        else:
            await self._db.write(_finish, work, kind.keeps_payload, self._clock.wall_ms())

    async def _failed(self, work: Job, reason: str, is_last: bool) -> None:
        _log.warning(
            "job failed", kind=work.kind, job=work.id, attempt=work.attempts, reason=reason
        )
        await self._db.write(_fail, work, reason, is_last, self._clock.wall_ms())


def page(
    tx: Transaction, kind: str, states: Sequence[State] = (), after: str | None = None
) -> list[Job]:
    """`Jobs.page` as a part of a larger transaction."""
    query = select(job).where(job.c.kind == kind)
    if states:
        query = query.where(job.c.state.in_(list(states)))
    if after is not None:
        last = select(job.c.created_at_ms, job.c.id).where(job.c.id == after)
        if (row := tx.execute(last).first()) is None:
            return []
        query = query.where(tuple_(job.c.created_at_ms, job.c.id) < tuple_(*row))
    rows = tx.execute(
        query.order_by(job.c.created_at_ms.desc(), job.c.id.desc()).limit(limits.JOBS_LISTED_MAX)
    )
    return [_to_job(row) for row in rows]


def dead_page(tx: Transaction, *, but: str, after: str | None = None) -> list[Job]:
    """Jobs that were given up, of all kinds but one, latest first, behind the one with the id
    `after`.
    """
    query = select(job).where(job.c.state == "dead", job.c.kind != but)
    if after is not None:
        last = select(job.c.run_at_ms, job.c.id).where(job.c.id == after)
        if (row := tx.execute(last).first()) is None:
            return []
        query = query.where(tuple_(job.c.run_at_ms, job.c.id) < tuple_(*row))
    rows = tx.execute(
        query.order_by(job.c.run_at_ms.desc(), job.c.id.desc()).limit(limits.JOBS_LISTED_MAX)
    )
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


def _is_any_due(tx: Transaction, now_ms: int) -> bool:
    return tx.execute(select(job.c.id).where(_is_due(now_ms)).limit(1)).first() is not None


def _claim(tx: Transaction, kinds: Sequence[str], most: int, now_ms: int) -> list[Job]:
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


def _finish(tx: Transaction, work: Job, keeps_payload: bool, now_ms: int) -> None:
    values: dict[str, Any] = {} if keeps_payload else {"payload": "{}"}
    tx.execute(
        update(job)
        .where(_own(work))
        .values(state="done", lease_until_ms=None, last_error=None, ended_at_ms=now_ms, **values)
    )


def _fail(tx: Transaction, work: Job, reason: str, is_last: bool, now_ms: int) -> None:
    values: dict[str, Any] = {"lease_until_ms": None, "last_error": reason[:500]}
    if is_last:
        values |= {"state": "dead", "ended_at_ms": now_ms}
    else:
        values |= {"state": "waiting", "run_at_ms": now_ms + pause_ms(work.attempts)}
    if tx.execute(update(job).where(_own(work)).values(values)).rowcount and is_last:
        tx.emit(JobDied(work.id, work.kind))


def _release(tx: Transaction, work: Job) -> None:
    """The site stops: this attempt doesn't count."""
    tx.execute(
        update(job)
        .where(_own(work))
        .values(state="waiting", lease_until_ms=None, attempts=work.attempts - 1)
    )


def _release_all(tx: Transaction) -> None:
    tx.execute(
        update(job).where(job.c.state == "running").values(state="waiting", lease_until_ms=None)
    )


def _known_keys(tx: Transaction, keys: Sequence[str]) -> set[str]:
    return (
        set(tx.execute(select(job.c.key).where(job.c.key.in_(keys))).scalars()) if keys else set()
    )


def _enqueue_repeated(tx: Transaction, kind: str, key: str, now_ms: int) -> None:
    enqueue(tx, kind, {}, now_ms, key=key)


def _count(tx: Transaction) -> dict[tuple[str, State], int]:
    rows = tx.execute(
        select(job.c.kind, job.c.state, func.count().label("jobs")).group_by(
            job.c.kind, job.c.state
        )
    )
    return {(row.kind, row.state): row.jobs for row in rows}


def _get_dead(tx: Transaction, job_id: str) -> Job:
    row = tx.execute(select(job).where(job.c.id == job_id).with_for_update()).first()
    if row is None:
        raise NotFound("There is no such job.")
    if row.state != "dead":
        raise Conflict("That job hasn't been given up.", code="not_dead")
    return _to_job(row)


def retry(tx: Transaction, job_id: str, now_ms: int) -> Job:
    """`Jobs.retry` as a part of a larger transaction."""
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
    """`Jobs.drop` as a part of a larger transaction; the job that it was."""
    dropped = _get_dead(tx, job_id)
    tx.execute(delete(job).where(job.c.id == job_id))
    return dropped


def _delete_ended(tx: Transaction, now_ms: int) -> None:
    tx.execute(
        delete(job).where(
            or_(
                and_(job.c.state == "done", job.c.ended_at_ms < now_ms - limits.JOB_DONE_KEEP_MS),
                and_(job.c.state == "dead", job.c.ended_at_ms < now_ms - limits.JOB_DEAD_KEEP_MS),
            )
        )
    )


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
