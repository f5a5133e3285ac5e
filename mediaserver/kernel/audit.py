"""The audit log: who did what to whom, in a chain of hashes that nobody can change unseen.

Every admin and money action appends one entry inside its own transaction. The database refuses to
change or remove entries (triggers); each entry's hash covers the one before it, and the hash of the
newest is kept apart, so `verify` also finds what was done behind the database's back, the end cut
off included. Owns the table `audit_entry`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import CheckConstraint, Index, Row, insert, select

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction, values
from mediaserver.kernel.db.schema import int64, table, text

audit_entry = table(
    "audit_entry",
    int64("sequence", primary_key=True),
    int64("at_ms"),
    text("actor_id", nullable=True),
    text("actor"),
    text("action"),
    text("target_kind"),
    text("target_id"),
    text("target"),
    text("details"),
    text("address", nullable=True),
    text("hash"),
    CheckConstraint("length(hash) = 64", name="hash"),
)
Index(None, audit_entry.c.actor_id, audit_entry.c.sequence)
Index(None, audit_entry.c.action, audit_entry.c.sequence)
Index(None, audit_entry.c.target_id, audit_entry.c.sequence)

_HEAD = "audit_head"
_BEGINNING = "0" * 64


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person at an address, or the site itself (`id` None)."""

    id: str | None
    name: str
    address: str | None = None


SITE = Actor(None, "the site")
COMMAND_LINE = Actor(None, "the command line")


@dataclass(frozen=True, slots=True)
class Target:
    """What is acted on: its kind, such as "user", its id, and what people call it."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One action. `details` holds what was before and after, or why; never a secret."""

    sequence: int
    at_ms: int
    actor_id: str | None
    actor: str
    action: str
    target_kind: str
    target_id: str
    target: str
    details: dict[str, Any]
    address: str | None
    hash: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that isn't what was written, and in which way."""

    sequence: int
    reason: str


def append(
    tx: Transaction,
    actor: Actor,
    action: str,
    target: Target,
    now_ms: int,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Record that `actor` did `action`, named `thing.verb`, such as "user.ban"."""
    sequence, before = _head(tx, locking=True)
    body: dict[str, Any] = {
        "sequence": sequence + 1,
        "at_ms": now_ms,
        "actor_id": actor.id,
        "actor": actor.name,
        "action": action,
        "target_kind": target.kind,
        "target_id": target.id,
        "target": target.name,
        "details": _canonical(dict(details or {})),
        "address": actor.address,
    }
    assert len(body["details"]) <= limits.AUDIT_DETAILS_CHARS_MAX, action
    after = _hash(before, body)
    tx.execute(insert(audit_entry).values(**body, hash=after))
    values.put(tx, _HEAD, f"{sequence + 1} {after}", now_ms)


def page(
    tx: Transaction,
    *,
    before: int | None = None,
    action: str = "",
    actor_id: str = "",
    target_id: str = "",
    most: int = limits.AUDIT_LISTED_MAX,
) -> list[Entry]:
    """Newest first, with numbers below `before`. `action` may be the beginning of one: "user."."""
    query = select(audit_entry).order_by(audit_entry.c.sequence.desc()).limit(most)
    if before is not None:
        query = query.where(audit_entry.c.sequence < before)
    if action:
        query = query.where(audit_entry.c.action.startswith(action, autoescape=True))
    if actor_id:
        query = query.where(audit_entry.c.actor_id == actor_id)
    if target_id:
        query = query.where(audit_entry.c.target_id == target_id)
    return [_to_entry(row) for row in tx.execute(query)]


def verify(tx: Transaction) -> Broken | None:
    """Read the whole chain. None: every entry is what was written, and none is missing."""
    last, hash_so_far = 0, _BEGINNING
    for entry in _all(tx):
        if entry.sequence != last + 1:
            return Broken(last + 1, "missing")
        body = asdict(entry) | {"details": _canonical(entry.details)}
        hash_so_far = _hash(hash_so_far, {key: body[key] for key in body if key != "hash"})
        if hash_so_far != entry.hash:
            return Broken(entry.sequence, "changed")
        last = entry.sequence
    head = _head(tx, locking=False)
    return None if head == (last, hash_so_far) else Broken(last + 1, "cut off")


def _all(tx: Transaction) -> Iterator[Entry]:
    last = 0
    while True:
        rows = tx.execute(
            select(audit_entry)
            .where(audit_entry.c.sequence > last)
            .order_by(audit_entry.c.sequence)
            .limit(limits.AUDIT_VERIFY_PAGE)
        ).all()
        yield from map(_to_entry, rows)
        if len(rows) < limits.AUDIT_VERIFY_PAGE:
            return
        last = rows[-1].sequence


def _head(tx: Transaction, *, locking: bool) -> tuple[int, str]:
    """Number and hash of the newest entry."""
    if locking:
        values.lock(tx, _HEAD)
    stored = values.get(tx, _HEAD)
    if stored is None:
        return 0, _BEGINNING
    sequence, _, newest = stored.partition(" ")
    return int(sequence), newest


def _hash(before: str, body: Mapping[str, Any]) -> str:
    return hashlib.sha256((before + _canonical(body)).encode()).hexdigest()


def _canonical(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _to_entry(row: Row[Any]) -> Entry:
    return Entry(
        row.sequence,
        row.at_ms,
        row.actor_id,
        row.actor,
        row.action,
        row.target_kind,
        row.target_id,
        row.target,
        json.loads(row.details),
        row.address,
        row.hash,
    )
