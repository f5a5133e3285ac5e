"""Policies: the site's rules as versioned texts, and who has accepted which version.

Somebody accepts the current ones before making the first channel, and again what has changed since
before making another or asking to be verified. Versions are added, never changed. Owns the tables
`policy` and `policy_acceptance`. Called by the routes, by channels.py and verifications.py.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Row, UniqueConstraint, func, insert, select
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts import users
from mediaserver.accounts.users import User
from mediaserver.channels import default_policies
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.texts import checked_line, checked_paragraphs

policy = table(
    "policy",
    identifier(),
    text("kind"),
    int64("version"),
    text("title"),
    text("body"),
    int64("published_at_ms"),
    text("author_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    UniqueConstraint("kind", "version"),
    CheckConstraint("kind IN ('streamers', 'content')", name="kind"),
    CheckConstraint("version >= 1", name="version"),
)

policy_acceptance = table(
    "policy_acceptance",
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    text("policy_id", ForeignKey("policy.id", ondelete="RESTRICT"), primary_key=True),
    int64("accepted_at_ms"),
    text("address"),
)


class Kind(StrEnum):
    """What a policy is about, in the order in which they are shown."""

    STREAMERS = "streamers"
    CONTENT = "content"

    @property
    def label(self) -> str:
        """What it is called before anybody has written one."""
        return {Kind.STREAMERS: "Rules for streamers", Kind.CONTENT: "Content policy"}[self]


_DEFAULTS = {Kind.STREAMERS: default_policies.STREAMERS, Kind.CONTENT: default_policies.CONTENT}


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one policy. `author_id` is None for what the site came with."""

    id: str
    kind: Kind
    version: int
    title: str
    body: str
    published_at_ms: int
    author_id: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A current policy, and when somebody accepted this version of it; None: not yet."""

    policy: Policy
    accepted_at_ms: int | None


class Policies:
    """Shows, publishes and accepts them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def begin(self) -> None:
        """Give a fresh site its first policies."""
        try:
            await self._db.write(_begin, self._clock.wall_ms())
        except IntegrityError:  # another process of the site was a moment faster
            return

    async def current(self) -> list[Policy]:
        """The version in force of each policy."""
        return await self._db.read(current)

    async def versions(self, kind: Kind) -> list[Policy]:
        """The latest ones, newest first."""
        return await self._db.read(_versions, kind)

    async def standing(self, user: User) -> list[Standing]:
        """Each current policy and whether `user` has accepted it."""
        return await self._db.read(standing, user.id)

    async def accept(self, user: User, policy_ids: Collection[str], address: str) -> None:
        """Record that `user` accepts these. Raises `Invalid` for one that isn't in force."""
        await self._db.write(accept, user.id, policy_ids, address, self._clock.wall_ms())

    async def publish(self, actor: Actor, kind: Kind, title: str, body: str) -> Policy:
        """Put a new version in force; the caller has checked who asks.

        Raises `Invalid`, or `Conflict` when it says what is in force already.
        """
        return await self._db.write(_publish, actor, kind, title, body, self._clock.wall_ms())


def current(tx: Transaction) -> list[Policy]:
    newest = (
        select(policy.c.kind, func.max(policy.c.version).label("version"))
        .group_by(policy.c.kind)
        .subquery()
    )
    rows = tx.execute(
        select(policy).join(
            newest,
            (newest.c.kind == policy.c.kind) & (newest.c.version == policy.c.version),
        )
    )
    return sorted(map(_to_policy, rows), key=lambda one: list(Kind).index(one.kind))


def standing(tx: Transaction, user_id: str) -> list[Standing]:
    rows = tx.execute(
        select(policy_acceptance.c.policy_id, policy_acceptance.c.accepted_at_ms).where(
            policy_acceptance.c.user_id == user_id
        )
    )
    accepted = {row.policy_id: row.accepted_at_ms for row in rows}
    return [Standing(one, accepted.get(one.id)) for one in current(tx)]


def accept(
    tx: Transaction, user_id: str, policy_ids: Collection[str], address: str, now_ms: int
) -> None:
    """`Policies.accept` as a part of a larger transaction; what is accepted already stays so."""
    users.lock(tx, user_id)  # two clicks at once accept once
    known = {one.policy.id: one for one in standing(tx, user_id)}
    for policy_id in dict.fromkeys(policy_ids):
        if policy_id not in known:
            raise Invalid(
                "There is a newer version: read it and accept that one.", field="accepted"
            )
        if known[policy_id].accepted_at_ms is None:
            tx.execute(
                insert(policy_acceptance).values(
                    user_id=user_id,
                    policy_id=policy_id,
                    accepted_at_ms=now_ms,
                    address=address,
                )
            )


def check_accepted(tx: Transaction, user: User) -> None:
    """Raises `Forbidden` until `user` has accepted all that is in force; admins need not."""
    if user.is_admin:
        return
    missing = [one.policy for one in standing(tx, user.id) if one.accepted_at_ms is None]
    if missing:
        titles = " and ".join(f"“{one.title}”" for one in missing)
        raise Forbidden(f"Read and accept {titles} first.", code="policies_not_accepted")


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """What somebody accepted, for their copy of their data."""
    rows = tx.execute(
        select(
            policy.c.kind,
            policy.c.version,
            policy.c.title,
            policy_acceptance.c.accepted_at_ms,
            policy_acceptance.c.address,
        )
        .join(policy, policy.c.id == policy_acceptance.c.policy_id)
        .where(policy_acceptance.c.user_id == user_id)
        .order_by(policy_acceptance.c.accepted_at_ms, policy.c.kind)
    )
    return [dict(row._mapping) for row in rows]


def _begin(tx: Transaction, now_ms: int) -> None:
    known = {one.kind for one in current(tx)}
    for kind, body in _DEFAULTS.items():
        if kind not in known:
            _insert(tx, Policy(new_id("pol"), kind, 1, kind.label, body, now_ms, None))


def _versions(tx: Transaction, kind: Kind) -> list[Policy]:
    rows = tx.execute(
        select(policy)
        .where(policy.c.kind == kind)
        .order_by(policy.c.version.desc())
        .limit(limits.POLICY_VERSIONS_LISTED_MAX)
    )
    return [_to_policy(row) for row in rows]


def _publish(
    tx: Transaction, actor: Actor, kind: Kind, title: str, body: str, now_ms: int
) -> Policy:
    title = checked_line(title, "title", limits.POLICY_TITLE_CHARS_MAX, is_required=True)
    body = checked_paragraphs(body, "body", limits.POLICY_BODY_CHARS_MAX)
    if not body:
        raise Invalid("This can't be empty.", field="body")
    before = next((one for one in current(tx) if one.kind == kind), None)
    if before is not None and (before.title, before.body) == (title, body):
        raise Conflict("That is what is in force already.", field="body")
    version = 1 if before is None else before.version + 1
    made = Policy(new_id("pol"), kind, version, title, body, now_ms, actor.id)
    try:
        _insert(tx, made)
    except IntegrityError as error:  # the other one was a moment faster
        raise Conflict("Somebody else has just published one: look at it first.") from error
    audit.append(
        tx, actor, "policy.publish", Target("policy", made.id, title), now_ms, {"version": version}
    )
    return made


def _insert(tx: Transaction, made: Policy) -> None:
    tx.execute(
        insert(policy).values(
            id=made.id,
            kind=made.kind,
            version=made.version,
            title=made.title,
            body=made.body,
            published_at_ms=made.published_at_ms,
            author_id=made.author_id,
        )
    )


def _to_policy(row: Row[Any]) -> Policy:
    return Policy(
        row.id,
        Kind(row.kind),
        row.version,
        row.title,
        row.body,
        row.published_at_ms,
        row.author_id,
    )
