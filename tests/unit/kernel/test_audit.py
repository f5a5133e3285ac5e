"""The chain of who did what: it only grows, and tells when somebody changed it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, or_, select, text, update
from sqlalchemy.exc import DBAPIError

from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Broken, Target, audit_entry
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, Transaction, values

ROOT = Actor("usr_root", "root", "192.0.2.1")
ALICE = Target("user", "usr_alice", "alice")


async def add(db: Database, clock: FakeClock, *actions: str) -> None:
    for action in actions:
        await db.write(audit.append, ROOT, action, ALICE, clock.wall_ms(), {"reason": "ü\n"})
        clock.advance(1)


async def tamper(db: Database, *statements: str) -> None:
    """As somebody does who has the file: without the triggers."""

    def behind_its_back(tx: Transaction) -> None:
        if db.is_sqlite:
            tx.execute(text("DROP TRIGGER audit_entry_no_update"))
            tx.execute(text("DROP TRIGGER audit_entry_no_delete"))
        else:
            tx.execute(text("DROP TRIGGER audit_entry_append_only ON audit_entry"))
        for statement in statements:
            tx.execute(text(statement))

    await db.write(behind_its_back)


async def test_an_entry_is_read_as_it_was_written(db: Database, clock: FakeClock) -> None:
    await add(db, clock, "user.ban")
    (entry,) = await db.read(audit.page)
    assert (entry.sequence, entry.actor, entry.action) == (1, "root", "user.ban")
    assert (entry.target_kind, entry.target_id, entry.target) == ("user", "usr_alice", "alice")
    assert entry.details == {"reason": "ü\n"}
    assert entry.address == "192.0.2.1"
    assert await db.read(audit.verify) is None


async def test_an_empty_chain_is_whole(db: Database) -> None:
    assert await db.read(audit.verify) is None


@pytest.mark.parametrize("action", [delete(audit_entry), update(audit_entry).values(actor="x")])
async def test_the_database_refuses_to_change_it(
    db: Database, clock: FakeClock, action: Any
) -> None:
    await add(db, clock, "user.ban")
    with pytest.raises(DBAPIError, match="append-only"):
        await db.write(lambda tx: tx.execute(action))


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit_entry SET actor = 'bob' WHERE sequence = 2", Broken(2, "changed")),
        ("UPDATE audit_entry SET details = '{}' WHERE sequence = 1", Broken(1, "changed")),
        ("UPDATE audit_entry SET details = '{' WHERE sequence = 2", Broken(2, "changed")),
        ("UPDATE audit_entry SET at_ms = 5 WHERE sequence = 3", Broken(3, "changed")),
        ("UPDATE site_value SET value = 'x' WHERE key = 'audit_head'", Broken(4, "cut off")),
        ("DELETE FROM audit_entry WHERE sequence = 2", Broken(2, "missing")),
        ("DELETE FROM audit_entry WHERE sequence = 1", Broken(1, "missing")),
        ("DELETE FROM audit_entry WHERE sequence = 3", Broken(3, "cut off")),
        ("DELETE FROM audit_entry", Broken(1, "cut off")),
    ],
)
async def test_what_was_done_behind_its_back_is_found(
    db: Database, clock: FakeClock, statement: str, broken: Broken
) -> None:
    await add(db, clock, "a.a", "b.b", "c.c")
    await tamper(db, statement)
    assert await db.read(audit.verify) == broken


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE site_value SET value = 'x' WHERE key = 'audit_head'", Broken(3, "changed")),
        ("UPDATE site_value SET value = '1 x' WHERE key = 'audit_head'", Broken(3, "changed")),
        ("DELETE FROM site_value WHERE key = 'audit_head'", Broken(3, "changed")),
        ("DELETE FROM audit_entry WHERE sequence = 2", Broken(2, "changed")),
    ],
)
async def test_the_site_goes_on_and_the_check_finds_it_ever_after(
    db: Database, clock: FakeClock, statement: str, broken: Broken
) -> None:
    await add(db, clock, "a.a", "b.b")
    await tamper(db, statement)
    await add(db, clock, "c.c", "d.d")
    assert await db.read(audit.verify) == broken


async def test_what_cannot_be_read_is_shown_as_it_is(db: Database, clock: FakeClock) -> None:
    await add(db, clock, "a.a", "b.b")
    await tamper(db, "UPDATE audit_entry SET details = '[1' WHERE sequence = 2")
    assert [one.details for one in await db.read(audit.page)] == [
        {"unreadable": "[1"},
        {"reason": "ü\n"},
    ]


async def test_the_chain_is_read_in_pages(
    db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AUDIT_VERIFY_PAGE", 2)
    await add(db, clock, *["a.a"] * 5)
    assert await db.read(audit.verify) is None
    await tamper(db, "UPDATE audit_entry SET target = 'x' WHERE sequence = 5")
    assert await db.read(audit.verify) == Broken(5, "changed")


async def test_an_entry_goes_with_its_transaction(db: Database, clock: FakeClock) -> None:
    def fails(tx: Transaction) -> None:
        audit.append(tx, ROOT, "user.ban", ALICE, clock.wall_ms())
        values.put(tx, "k", "v", 0)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await db.write(fails)
    assert await db.read(audit.page) == []
    await add(db, clock, "user.warn")
    assert await db.read(audit.verify) is None


async def test_looking_for_somebody_reads_no_other_entry(db: Database, clock: FakeClock) -> None:
    if not db.is_sqlite:
        pytest.skip("PostgreSQL reads a small table whole, whatever indexes it has")
    await add(db, clock, "user.ban")
    plans: list[str] = []

    def explained(tx: Transaction) -> None:
        entry = audit_entry.c
        for name, id_ in ((entry.actor, entry.actor_id), (entry.target, entry.target_id)):
            query = select(audit_entry).where(or_(id_ == "root", name == "root"))
            compiled = query.compile(compile_kwargs={"literal_binds": True})
            plan = tx.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))
            plans.extend(row.detail for row in plan)

    await db.read(explained)
    assert not [plan for plan in plans if plan.startswith("SCAN")]


async def test_filters_and_pages(db: Database, clock: FakeClock) -> None:
    await add(db, clock, "user.ban", "user.warn", "user.ban")
    await db.write(audit.append, audit.SITE, "user.unban", ALICE, clock.wall_ms())
    newest = await db.read(lambda tx: audit.page(tx, most=2))
    assert [entry.sequence for entry in newest] == [4, 3]
    older = await db.read(lambda tx: audit.page(tx, before=3))
    assert [entry.sequence for entry in older] == [2, 1]
    bans = await db.read(lambda tx: audit.page(tx, action="user.ban"))
    assert [entry.sequence for entry in bans] == [3, 1]
