"""Work that outlives the process that wanted it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from mediaserver.kernel import jobs as jobs_table
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, NotFound, Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.jobs import Job, Payload, State, enqueue, job, pause_ms
from mediaserver.kernel.worker import GiveUp, TooEarly, Worker


@pytest.fixture
def jobs(db: Database, clock: FakeClock, events: Events) -> Worker:
    return Worker(db, clock, events)


class Recorder:
    """A handler that notes what it was given and raises what it is told to."""

    def __init__(self, *errors: Exception | None) -> None:
        self.done: list[Payload] = []
        self._errors = list(errors)

    async def __call__(self, payload: Payload) -> None:
        self.done.append(payload)
        error = self._errors.pop(0) if self._errors else None
        if error is not None:
            raise error


async def add(
    db: Database, payload: Mapping[str, Any], clock: FakeClock, **options: Any
) -> str | None:
    return await db.write(enqueue, "test", payload, clock.wall_ms(), **options)


async def page(
    db: Database, kind: str, states: Sequence[State] = (), after: str | None = None
) -> list[Job]:
    return await db.read(jobs_table.page, kind, states, after)


async def only(db: Database) -> Job:
    (found,) = await page(db, "test")
    return found


async def test_a_job_is_done_once(jobs: Worker, db: Database, clock: FakeClock) -> None:
    worker = Recorder()
    jobs.register("test", worker)
    await add(db, {"name": "Zoë"}, clock)
    assert await jobs.run_due() == 1
    assert await jobs.run_due() == 0
    assert worker.done == [{"name": "Zoë"}]
    assert (await only(db)).state == "done"


async def test_nothing_is_done_of_what_was_rolled_back(
    jobs: Worker, db: Database, clock: FakeClock
) -> None:
    def fails(tx: Any) -> None:
        enqueue(tx, "test", {}, clock.wall_ms())
        raise Conflict("no")

    jobs.register("test", Recorder())
    with pytest.raises(Conflict):
        await db.write(fails)
    assert await jobs.run_due() == 0


async def test_a_key_makes_it_happen_once(jobs: Worker, db: Database, clock: FakeClock) -> None:
    worker = Recorder()
    jobs.register("test", worker)
    assert await add(db, {"n": 1}, clock, key="k") is not None
    assert await add(db, {"n": 2}, clock, key="k") is None
    await jobs.run_due()
    assert await add(db, {"n": 3}, clock, key="k") is None
    assert worker.done == [{"n": 1}]


async def test_a_key_makes_it_happen_once_among_many_at_once(
    db: Database, clock: FakeClock
) -> None:
    """As when several processes want what repeats."""
    made = await asyncio.gather(*(add(db, {}, clock, key="k") for _ in range(8)))
    assert sum(one is not None for one in made) == 1


async def test_a_delay(jobs: Worker, db: Database, clock: FakeClock) -> None:
    worker = Recorder()
    jobs.register("test", worker)
    await add(db, {}, clock, delay_ms=1_000)
    clock.advance(999)
    assert await jobs.run_due() == 0
    clock.advance(1)
    assert await jobs.run_due() == 1


async def test_a_failure_is_tried_again_with_growing_pauses(
    jobs: Worker, db: Database, clock: FakeClock
) -> None:
    worker = Recorder(Unavailable("no route"), ValueError("a bug"), None)
    jobs.register("test", worker)
    await add(db, {}, clock)
    await jobs.run_due()
    waiting = await only(db)
    assert (waiting.state, waiting.attempts, waiting.last_error) == ("waiting", 1, "no route")
    assert waiting.run_at_ms == clock.wall_ms() + pause_ms(1)
    clock.advance(pause_ms(1))
    await jobs.run_due()
    waiting = await only(db)
    assert "a bug" in (waiting.last_error or "")
    assert waiting.run_at_ms == clock.wall_ms() + pause_ms(2)
    clock.advance(pause_ms(2))
    await jobs.run_due()
    assert (await only(db)).state == "done"


def test_pauses_grow_up_to_a_bound() -> None:
    pauses = [pause_ms(attempts) for attempts in range(1, 40)]
    assert pauses == sorted(pauses)
    assert pauses[0] == limits.JOB_RETRY_MS_MIN
    assert pauses[-1] == limits.JOB_RETRY_MS_MAX


async def test_it_is_given_up_in_the_end(jobs: Worker, db: Database, clock: FakeClock) -> None:
    jobs.register("test", Recorder(*[Unavailable("down")] * 3), attempts_max=3)
    await add(db, {}, clock)
    for _ in range(5):
        await jobs.run_due()
        clock.advance(limits.JOB_RETRY_MS_MAX)
    dead = await only(db)
    assert (dead.state, dead.attempts, dead.last_error) == ("dead", 3, "down")
    assert (await jobs.count())["test", "dead"] == 1


async def test_giving_up_at_once(jobs: Worker, db: Database, clock: FakeClock) -> None:
    jobs.register("test", Recorder(GiveUp("550 no such mailbox")))
    await add(db, {}, clock)
    await jobs.run_due()
    assert (await only(db)).state == "dead"


async def test_the_admin_tries_a_dead_one_again_or_drops_it(
    jobs: Worker, db: Database, clock: FakeClock
) -> None:
    jobs.register("test", Recorder(GiveUp("a"), None, GiveUp("b")))
    one = await add(db, {}, clock) or ""
    await jobs.run_due()
    assert (await db.write(jobs_table.retry, one, clock.wall_ms())).attempts == 0
    with pytest.raises(Conflict):
        await db.write(jobs_table.retry, one, clock.wall_ms())
    await jobs.run_due()
    assert (await only(db)).state == "done"
    with pytest.raises(Conflict):
        await db.write(jobs_table.drop, one)
    two = await add(db, {}, clock) or ""
    await jobs.run_due()
    await db.write(jobs_table.drop, two)
    assert [found.id for found in await page(db, "test")] == [one]
    with pytest.raises(NotFound):
        await db.write(jobs_table.retry, "job_nothing", clock.wall_ms())


async def test_a_secret_payload_is_emptied_once_done(
    jobs: Worker, db: Database, clock: FakeClock
) -> None:
    jobs.register("test", Recorder(), keeps_payload=False)
    await add(db, {"code": "12345678"}, clock)
    await jobs.run_due()
    assert (await only(db)).payload == {}


async def test_a_job_whose_process_died_is_taken_up_again(
    db: Database, clock: FakeClock, events: Events
) -> None:
    lost, worker = Worker(db, clock, events), Recorder()
    lost.register("test", worker)
    await add(db, {}, clock)
    assert len(await lost._claim()) == 1  # and then the power went
    other = Worker(db, clock, events)
    other.register("test", worker)
    assert await other.run_due() == 0
    clock.advance(limits.JOB_LEASE_MS)
    assert await other.run_due() == 1
    assert worker.done == [{}]


async def test_one_that_ends_its_process_each_time_is_given_up(
    db: Database, clock: FakeClock, events: Events
) -> None:
    worker = Recorder()
    await add(db, {}, clock)
    for _ in range(2):
        lost = Worker(db, clock, events)
        lost.register("test", worker, attempts_max=2)
        assert len(await lost._claim()) == 1  # and then the process was killed
        clock.advance(limits.JOB_LEASE_MS)
    other = Worker(db, clock, events)
    other.register("test", worker, attempts_max=2)
    await other.run_due()
    assert worker.done == []
    assert (await only(db)).state == "dead"


async def test_a_late_worker_changes_nothing(
    db: Database, clock: FakeClock, events: Events
) -> None:
    """One that was believed dead ends after another has taken over."""
    slow, quick = Worker(db, clock, events), Worker(db, clock, events)
    slow.register("test", Recorder(GiveUp("too late")))
    quick.register("test", Recorder())
    await add(db, {}, clock)
    (claimed,) = await slow._claim()
    clock.advance(limits.JOB_LEASE_MS)
    await quick.run_due()
    await slow._do(claimed)
    assert (await only(db)).state == "done"


async def test_two_workers_never_do_the_same_job(
    db: Database, clock: FakeClock, events: Events
) -> None:
    worker = Recorder()
    workers = [Worker(db, clock, events) for _ in range(2)]
    for one in workers:
        one.register("test", worker)
    for number in range(12):
        await add(db, {"n": number}, clock)
    for _ in range(6):
        await asyncio.gather(*(one.run_due() for one in workers))
    assert sorted(payload["n"] for payload in worker.done) == list(range(12))


async def test_jobs_of_an_unknown_kind_wait(jobs: Worker, db: Database, clock: FakeClock) -> None:
    """As after a step back to an older version: they are there when the newer one returns."""
    await db.write(enqueue, "of-the-future", {}, clock.wall_ms())
    assert await jobs.run_due() == 0
    assert (await page(db, "of-the-future"))[0].state == "waiting"


async def test_what_repeats_runs_once_in_each_interval(jobs: Worker, clock: FakeClock) -> None:
    runs = []

    async def sweep() -> None:
        runs.append(clock.wall_ms())

    jobs.repeat("sweep", sweep, 60_000)
    for _ in range(3):
        await jobs.run_due()
    assert len(runs) == 1
    clock.advance(60_000)
    await jobs.run_due()
    assert len(runs) == 2
    clock.advance(600_000)  # the site was off: it runs once, not ten times
    for _ in range(3):
        await jobs.run_due()
    assert len(runs) == 3


async def test_jobs_of_a_kind_with_many_go_once_they_are_done(
    jobs: Worker, db: Database, clock: FakeClock
) -> None:
    jobs.register("test", Recorder(Unavailable("down"), None), keeps_done=False)
    await add(db, {}, clock)
    await jobs.run_due()
    assert (await only(db)).state == "waiting"
    clock.advance(pause_ms(1))
    assert await jobs.run_due() == 1
    assert await page(db, "test") == []


async def test_old_ones_are_forgotten(
    jobs: Worker, db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOBS_DELETED_AT_ONCE", 1)
    jobs.register("test", Recorder(None, None, GiveUp("no")))
    for _ in range(2):
        await add(db, {}, clock)
        await jobs.run_due()
    await add(db, {}, clock)
    await jobs.run_due()
    clock.advance(limits.JOB_DONE_KEEP_MS + 1)
    await jobs.delete_ended()
    assert (await only(db)).state == "dead"
    clock.advance(limits.JOB_DEAD_KEEP_MS)
    await jobs.delete_ended()
    assert await page(db, "test") == []


async def test_pages_are_newest_first(
    jobs: Worker, db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOBS_LISTED_MAX", 2)
    ids = []
    for _ in range(5):
        ids.append(await add(db, {}, clock))
        clock.advance(1)
    seen: list[str] = []
    after = None
    while found := await page(db, "test", after=after):
        assert len(found) <= 2
        seen += [one.id for one in found]
        after = seen[-1]
    assert seen == ids[::-1]
    assert await page(db, "test", states=("dead",)) == []
    assert await page(db, "test", after="job_nothing") == []


@asynccontextmanager
async def working(jobs: Worker) -> AsyncIterator[None]:
    async with asyncio.timeout(20), jobs:
        yield


async def test_a_running_site_does_new_jobs_at_once(
    jobs: Worker, db: Database, clock: FakeClock
) -> None:
    done = asyncio.Event()

    async def handle(payload: Payload) -> None:
        done.set()

    jobs.register("test", handle)
    async with working(jobs):
        await add(db, {}, clock)
        await done.wait()


async def test_an_error_of_the_database_ends_no_worker(
    jobs: Worker, db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, done = asyncio.Event(), asyncio.Event()

    async def handle(payload: Payload) -> None:
        done.set()

    def fails(*_: Any) -> bool:
        failed.set()
        raise IntegrityError("SELECT", {}, Exception("no"))

    jobs.register("test", handle)
    with monkeypatch.context() as patched:
        patched.setattr(jobs_table, "is_any_due", fails)
        await jobs.__aenter__()
        await failed.wait()
    async with asyncio.timeout(20):
        await add(db, {}, clock)
        await done.wait()
    await jobs.__aexit__(None, None, None)


async def test_a_slow_job_holds_up_no_other(jobs: Worker, db: Database, clock: FakeClock) -> None:
    done, never = asyncio.Event(), asyncio.Event()

    async def handle(payload: Payload) -> None:
        await (never.wait() if payload["slow"] else asyncio.sleep(0))
        done.set()

    jobs.register("test", handle)
    async with working(jobs):
        await add(db, {"slow": True}, clock)
        await add(db, {"slow": False}, clock)
        await done.wait()


async def test_a_flood_of_one_kind_holds_up_no_other(
    jobs: Worker, db: Database, clock: FakeClock
) -> None:
    done, never, begun = asyncio.Event(), asyncio.Event(), 0

    async def flood(payload: Payload) -> None:
        nonlocal begun
        begun += 1
        await never.wait()

    async def handle(payload: Payload) -> None:
        done.set()

    jobs.register("flood", flood, own_places=2)
    jobs.register("test", handle)
    for _ in range(limits.JOBS_AT_ONCE_MAX + 1):
        await db.write(enqueue, "flood", {}, clock.wall_ms())
    async with working(jobs):
        await add(db, {}, clock)
        await done.wait()
        assert begun == 2


async def test_too_early_counts_as_no_attempt(jobs: Worker, db: Database, clock: FakeClock) -> None:
    later_ms = clock.wall_ms() + 1_000
    worker = Recorder(TooEarly(later_ms))
    jobs.register("test", worker)
    await add(db, {}, clock)
    await jobs.run_due()
    waiting = await only(db)
    assert (waiting.state, waiting.attempts, waiting.run_at_ms) == ("waiting", 0, later_ms)
    assert await jobs.run_due() == 0
    clock.advance(1_000)
    await jobs.run_due()
    assert (await only(db)).state == "done"


async def test_what_a_stop_interrupts_counts_as_no_attempt(
    jobs: Worker, db: Database, clock: FakeClock
) -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def handle(payload: Payload) -> None:
        begun.set()
        await never.wait()

    jobs.register("test", handle)
    async with working(jobs):
        await add(db, {}, clock)
        await begun.wait()
    waiting = await only(db)
    assert (waiting.state, waiting.attempts) == ("waiting", 0)


async def test_a_job_that_hangs_is_ended(
    jobs: Worker, db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handle(payload: Payload) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(limits, "JOB_TIMEOUT_S", 0)
    jobs.register("test", handle)
    await add(db, {}, clock)
    await jobs.run_due()
    assert (await only(db)).last_error == "It took too long."


async def test_a_row_that_no_version_wrote_is_refused(db: Database, clock: FakeClock) -> None:
    await add(db, {}, clock)
    with pytest.raises(Exception, match=r"(?i)check"):
        await db.write(lambda tx: tx.execute(update(job).values(state="lost")))
