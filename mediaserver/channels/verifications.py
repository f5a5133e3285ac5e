"""Verification: a streamer shows who they are, an admin decides, and a badge says so.

A request is submitted with documents (documents.py), then approved or rejected with a reason; after
a rejection, or when the badge is taken back, somebody may ask again. Owns the table `verification`;
called by the routes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    func,
    insert,
    select,
    update,
)

from mediaserver.accounts import users
from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User, user_account
from mediaserver.channels import documents, policies
from mediaserver.channels.documents import Document
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_line, checked_paragraphs
from mediaserver.kernel.vault import Vault
from mediaserver.notifications.notices import Topic, tell, tell_admins

verification = table(
    "verification",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE")),
    text("legal_name"),
    text("note"),
    text("state"),
    int64("submitted_at_ms"),
    int64("decided_at_ms", nullable=True),
    text("decided_by", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    text("reason"),
    CheckConstraint("state IN ('submitted', 'approved', 'rejected')", name="state"),
    CheckConstraint("(state = 'submitted') = (decided_at_ms IS NULL)", name="decided"),
)
Index(None, verification.c.user_id, verification.c.submitted_at_ms, verification.c.id)
Index(None, verification.c.state, verification.c.submitted_at_ms, verification.c.id)
Index(None, verification.c.decided_by)

State = Literal["submitted", "approved", "rejected"]

_PAGE = "/settings/streamer"
_REQUESTS = Rule("verification-user", limits.VERIFICATIONS_BURST, limits.VERIFICATIONS_INTERVAL_MS)


@dataclass(frozen=True, slots=True)
class Verification:
    """One request. `legal_name` is opened for the streamer and admins only; it and `note` are empty
    once the documents are deleted. `reason` is what an admin answered.
    """

    id: str
    user_id: str
    username: str
    legal_name: str
    note: str
    state: State
    submitted_at_ms: int
    decided_at_ms: int | None
    decided_by: str | None
    reason: str
    documents: tuple[Document, ...]


class Verifications:
    """Takes requests, lists and decides them."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        throttles: Throttles,
        letterhead: Letterhead,
        config: AccountsConfig,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._throttles = throttles
        self._letterhead = letterhead
        self._config = config

    async def submit(self, user: User, legal_name: str, note: str) -> Verification:
        """Ask with the documents that wait.

        Raises `Forbidden` (also while a policy is not accepted), `Invalid`, `Conflict` (asked
        already, or verified) or `RateLimited`.
        """
        check(user, Action.SEND_DOCUMENTS)
        legal_name = checked_line(
            legal_name, "legal_name", limits.LEGAL_NAME_CHARS_MAX, is_required=True
        )
        note = checked_paragraphs(note, "note", limits.VERIFICATION_NOTE_CHARS_MAX)
        await self._db.read(_check_may_ask, user)
        await self._throttles.charge((_REQUESTS, _REQUESTS.key(user.id)))
        return await self._db.write(self._submit, user, legal_name, note, self._clock.wall_ms())

    async def of(self, user: User) -> list[Verification]:
        """What `user` has asked, newest first."""
        return await self._db.read(self._of, user.id)

    async def page(
        self, states: Sequence[State], *, after: str | None = None
    ) -> list[Verification]:
        """Requests of everybody, those that wait longest first, behind the one with the id `after`.

        The caller has checked who asks, as for the methods below.
        """
        return await self._db.read(self._page, states, after)

    async def get(self, verification_id: str) -> Verification:
        """Raises `NotFound`."""
        return await self._db.read(self._get, verification_id)

    async def approve(self, actor: Actor, verification_id: str) -> Verification:
        """Give the badge. Raises `NotFound`, or `Conflict` when it was decided meanwhile."""
        return await self._db.write(
            self._decide, actor, verification_id, "approved", "", self._clock.wall_ms()
        )

    async def reject(self, actor: Actor, verification_id: str, reason: str) -> Verification:
        """Raises `NotFound`, `Invalid` without a reason, or `Conflict`."""
        reason, now_ms = _checked_reason(reason), self._clock.wall_ms()
        decide = self._decide
        return await self._db.write(decide, actor, verification_id, "rejected", reason, now_ms)

    async def withdraw(self, actor: Actor, verification_id: str, reason: str) -> Verification:
        """Take the badge of an approved request back; raises as `reject` does."""
        reason, now_ms = _checked_reason(reason), self._clock.wall_ms()
        return await self._db.write(self._withdraw, actor, verification_id, reason, now_ms)

    async def delete_due_documents(self) -> None:
        """Delete the documents of what was decided `accounts.documents_keep_days` ago."""
        now_ms = self._clock.wall_ms()
        before_ms = now_ms - self._config.documents_keep_days * limits.DAY_MS
        await self._db.write(_delete_due, before_ms, now_ms)

    def export(self, tx: Transaction, user_id: str) -> list[dict[str, Any]]:
        """What somebody asked and sent, for their copy of their data."""
        return [
            {
                "legal_name": one.legal_name,
                "note": one.note,
                "state": one.state,
                "submitted_at_ms": one.submitted_at_ms,
                "decided_at_ms": one.decided_at_ms,
                "reason": one.reason,
                "documents": [
                    {
                        "id": sent.id,
                        "kind": sent.kind,
                        "bytes": sent.bytes,
                        "sha256": sent.digest,
                        "created_at_ms": sent.created_at_ms,
                        "deleted_at_ms": sent.deleted_at_ms,
                    }
                    for sent in one.documents
                ],
            }
            for one in self._of(tx, user_id)
        ]

    def _submit(
        self, tx: Transaction, user: User, legal_name: str, note: str, now_ms: int
    ) -> Verification:
        users.lock(tx, user.id)
        _check_may_ask(tx, user)
        verification_id = new_id("ver")
        tx.execute(
            insert(verification).values(
                id=verification_id,
                user_id=user.id,
                legal_name=self._vault.seal(legal_name, _context(verification_id)),
                note=note,
                state="submitted",
                submitted_at_ms=now_ms,
                reason="",
            )
        )
        documents.attach(tx, user.id, verification_id)
        tell_admins(
            tx,
            self._letterhead,
            f"{user.username} asks to be verified",
            "Look at their documents and decide.",
            f"/admin/verification/{verification_id}",
            now_ms,
        )
        return self._get(tx, verification_id)

    def _decide(
        self,
        tx: Transaction,
        actor: Actor,
        verification_id: str,
        state: State,
        reason: str,
        now_ms: int,
    ) -> Verification:
        found = self._get(tx, verification_id)
        if not _move(tx, actor, verification_id, "submitted", state, reason, now_ms):
            raise Conflict("Somebody has decided this already.", code="already_decided")
        if state == "approved":
            users.set_verified(tx, found.user_id, is_verified=True)
            title, body = "You are verified", "A badge beside your name says so from now on."
        else:
            title = "Your verification was not approved"
            body = f"The reason: {reason}\n\nYou can ask again with other documents."
        verb = "approve" if state == "approved" else "reject"
        self._tell(tx, actor, found, verb, reason, (title, body), now_ms)
        return self._get(tx, verification_id)

    def _withdraw(
        self, tx: Transaction, actor: Actor, verification_id: str, reason: str, now_ms: int
    ) -> Verification:
        found = self._get(tx, verification_id)
        if not _move(tx, actor, verification_id, "approved", "rejected", reason, now_ms):
            raise Conflict("There is no badge to take back.", code="not_approved")
        users.set_verified(tx, found.user_id, is_verified=False)
        body = f"The reason: {reason}\n\nYou can ask again with other documents."
        told = ("Your verified badge was taken back", body)
        self._tell(tx, actor, found, "withdraw", reason, told, now_ms)
        return self._get(tx, verification_id)

    def _tell(
        self,
        tx: Transaction,
        actor: Actor,
        found: Verification,
        verb: str,
        reason: str,
        told: tuple[str, str],
        now_ms: int,
    ) -> None:
        """Tell the streamer, by a title and a body, and the audit log."""
        title, body = told
        topic = Topic.VERIFICATION
        tell(tx, self._letterhead, found.user_id, topic, title, body, _PAGE, now_ms)
        target = Target("verification", found.id, found.username)
        details = {"user_id": found.user_id, "reason": reason}
        audit.append(tx, actor, f"verification.{verb}", target, now_ms, details)

    def _get(self, tx: Transaction, verification_id: str) -> Verification:
        row = tx.execute(_select().where(verification.c.id == verification_id)).first()
        if row is None:
            raise NotFound("There is no such request.", code="verification_not_found")
        return self._made(tx, [row])[0]

    def _of(self, tx: Transaction, user_id: str) -> list[Verification]:
        query = _select().where(verification.c.user_id == user_id)
        rows = tx.execute(
            query.order_by(verification.c.submitted_at_ms.desc(), verification.c.id.desc()).limit(
                limits.VERIFICATIONS_LISTED_MAX
            )
        ).all()
        return self._made(tx, rows)

    def _page(
        self, tx: Transaction, states: Sequence[State], after: str | None
    ) -> list[Verification]:
        query = _select().where(verification.c.state.in_(states))
        rows = rows_behind(
            tx,
            query,
            verification.c.submitted_at_ms,
            after,
            limits.VERIFICATIONS_LISTED_MAX,
            is_oldest_first=True,
        )
        return self._made(tx, rows)

    def _made(self, tx: Transaction, rows: Sequence[Row[Any]]) -> list[Verification]:
        sent = documents.of_verifications(tx, [row.id for row in rows])
        return [
            Verification(
                id=row.id,
                user_id=row.user_id,
                username=row.username,
                legal_name=row.legal_name and self._vault.unseal(row.legal_name, _context(row.id)),
                note=row.note,
                state=row.state,
                submitted_at_ms=row.submitted_at_ms,
                decided_at_ms=row.decided_at_ms,
                decided_by=row.decider,
                reason=row.reason,
                documents=sent.get(row.id, ()),
            )
            for row in rows
        ]


def count_submitted(tx: Transaction) -> int:
    """How many wait for an admin."""
    waiting = select(func.count()).where(verification.c.state == "submitted")
    return int(tx.execute(waiting).scalar_one())


def erase(tx: Transaction, user_id: str, now_ms: int) -> None:
    """Delete the files of somebody whose account goes; the database deletes the rows."""
    documents.delete_all(tx, documents.of_user(tx, user_id), now_ms)


def _select() -> Any:
    decider = user_account.alias("decider")
    return (
        select(
            verification,
            user_account.c.username,
            decider.c.username.label("decider"),
        )
        .join(user_account, user_account.c.id == verification.c.user_id)
        .outerjoin(decider, decider.c.id == verification.c.decided_by)
    )


def _move(
    tx: Transaction,
    actor: Actor,
    verification_id: str,
    before: State,
    after: State,
    reason: str,
    now_ms: int,
) -> bool:
    """Whether the request was in the state `before`: of two admins at once, one finds it so."""
    moved = tx.execute(
        update(verification)
        .where(verification.c.id == verification_id, verification.c.state == before)
        .values(state=after, decided_at_ms=now_ms, decided_by=actor.id, reason=reason)
    )
    return moved.rowcount == 1


def _checked_reason(reason: str) -> str:
    reason = checked_paragraphs(reason, "reason", limits.VERIFICATION_REASON_CHARS_MAX)
    if not reason:
        raise Invalid("Tell them why: they read it.", field="reason")
    return reason


def _context(verification_id: str) -> str:
    return f"verification/{verification_id}"


def _check_may_ask(tx: Transaction, user: User) -> None:
    policies.check_accepted(tx, user)
    states = select(verification.c.state).where(verification.c.user_id == user.id)
    asked = set(tx.execute(states).scalars())
    if "approved" in asked:
        raise Conflict("You are verified already.", code="verified")
    if "submitted" in asked:
        raise Conflict("You have asked already: an admin will look at it.", code="submitted")
    if not documents.waiting(tx, user.id):
        raise Invalid("Add at least one document.", field="documents")


def _delete_due(tx: Transaction, before_ms: int, now_ms: int) -> None:
    due = (
        select(verification.c.id)
        .where(verification.c.decided_at_ms <= before_ms, verification.c.legal_name != "")
        .order_by(verification.c.decided_at_ms, verification.c.id)
        .limit(limits.DOCUMENTS_DELETED_AT_ONCE)
    )
    ids = list(tx.execute(due).scalars())
    for sent in documents.of_verifications(tx, ids).values():
        documents.delete_all(tx, sent, now_ms)
    emptied = update(verification).where(verification.c.id.in_(ids))
    tx.execute(emptied.values(legal_name="", note=""))
