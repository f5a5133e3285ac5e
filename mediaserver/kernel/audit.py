"""The audit log: who did what to whom, in a chain of hashes.

Every action of an admin appends one entry inside its own transaction. The database refuses to
change or remove entries (triggers); each entry's hash covers the one before it, and the hash of the
newest is kept apart, so `verify` also finds what was done behind the database's back, the end cut
off included. The chain has no key: somebody who can write the database and computes all hashes anew
is found only by comparing the newest hash with one kept elsewhere, so the site logs it once a day.
Owns the table `audit_entry`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import CheckConstraint, Index, Row, func, insert, or_, select

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction, values
from mediaserver.kernel.db.schema import int64, table, text

_log = structlog.get_logger(__name__)

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
Index(None, audit_entry.c.at_ms, audit_entry.c.sequence)
Index(None, audit_entry.c.actor_id, audit_entry.c.sequence)
Index(None, audit_entry.c.actor, audit_entry.c.sequence)
Index(None, audit_entry.c.action, audit_entry.c.sequence)
Index(None, audit_entry.c.target_id, audit_entry.c.sequence)
Index(None, audit_entry.c.target, audit_entry.c.sequence)

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
    newest, before = _newest(tx)
    body: dict[str, Any] = {
        "sequence": newest + 1,
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
    values.put(tx, _HEAD, f"{newest + 1} {after}", now_ms)


def page(
    tx: Transaction,
    *,
    before: int | None = None,
    action: str = "",
    actor: str = "",
    target: str = "",
    from_ms: int | None = None,
    until_ms: int | None = None,
    most: int = limits.AUDIT_LISTED_MAX,
) -> list[Entry]:
    """Newest first, with numbers below `before`. `actor` and `target` are ids or names; `action`
    may be the beginning of one, with its dot: "user.". Times are those of the clock then, which
    somebody may have set back since.
    """
    query = select(audit_entry).order_by(audit_entry.c.sequence.desc()).limit(most)
    if until_ms is not None and (end := _first_since(tx, until_ms)) is not None:
        before = end if before is None else min(before, end)
    if before is not None:
        query = query.where(audit_entry.c.sequence < before)
    if from_ms is not None:
        if (start := _first_since(tx, from_ms)) is None:
            return []
        query = query.where(audit_entry.c.sequence >= start)
    if action.endswith("."):
        query = query.where(audit_entry.c.action.startswith(action, autoescape=True))
    elif action:
        query = query.where(audit_entry.c.action == action)
    if actor:
        query = query.where(or_(audit_entry.c.actor_id == actor, audit_entry.c.actor == actor))
    if target:
        query = query.where(or_(audit_entry.c.target_id == target, audit_entry.c.target == target))
    return [_to_entry(row) for row in tx.execute(query)]


class Check:
    """Reads the chain in steps, so that a long one holds nothing up. `broken` is None as long as
    every entry is what was written, and none is missing.
    """

    def __init__(self) -> None:
        self.entries = 0
        self.broken: Broken | None = None
        self._hash = _BEGINNING

    def step(self, tx: Transaction) -> bool:
        """Check the next entries; whether that was the end."""
        rows = tx.execute(
            select(audit_entry)
            .where(audit_entry.c.sequence > self.entries)
            .order_by(audit_entry.c.sequence)
            .limit(limits.AUDIT_VERIFY_PAGE)
        ).all()
        for row in rows:
            if not self._follows(row):
                return True
        if len(rows) == limits.AUDIT_VERIFY_PAGE:
            return False
        if head(tx) != f"{self.entries} {self._hash}":
            self.broken = Broken(self.entries + 1, "cut off")
        return True

    def _follows(self, row: Row[Any]) -> bool:
        """Takes what is stored as it is: whoever changed it may have left what can't be read."""
        if row.sequence != self.entries + 1:
            self.broken = Broken(self.entries + 1, "missing")
            return False
        body = dict(row._mapping)
        stored = body.pop("hash")
        self._hash = _hash(self._hash, body)
        if self._hash != stored:
            self.broken = Broken(row.sequence, "changed")
            return False
        self.entries = row.sequence
        return True


def verify(tx: Transaction) -> Broken | None:
    """Read the whole chain at once. None: it is whole."""
    check = Check()
    while not check.step(tx):
        pass
    return check.broken


def _first_since(tx: Transaction, at_ms: int) -> int | None:
    return tx.execute(
        select(audit_entry.c.sequence)
        .where(audit_entry.c.at_ms >= at_ms)
        .order_by(audit_entry.c.at_ms, audit_entry.c.sequence)
        .limit(1)
    ).scalar()


def head(tx: Transaction) -> str:
    """Number and hash of the newest entry, as they are kept apart."""
    return values.get(tx, _HEAD) or f"0 {_BEGINNING}"


def _newest(tx: Transaction) -> tuple[int, str]:
    """Number of the newest entry, and what the next one's hash follows."""
    values.lock(tx, _HEAD)
    kept = head(tx)
    newest = tx.execute(select(func.max(audit_entry.c.sequence))).scalar() or 0
    number, _, hash_of_newest = kept.partition(" ")
    if number == str(newest):
        return newest, hash_of_newest
    # The site must go on; what follows such a head never fits, so every check shows it.
    _log.error("the audit log was changed by hand", newest=newest, head=kept)
    return newest, kept


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
        _details(row.details),
        row.address,
        row.hash,
    )


def _details(stored: str) -> dict[str, Any]:
    """What `append` wrote; what somebody put there by hand is shown as it is."""
    try:
        details = json.loads(stored)
    except (ValueError, RecursionError):
        details = None
    return details if isinstance(details, dict) else {"unreadable": stored}
