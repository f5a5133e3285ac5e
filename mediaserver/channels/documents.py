"""Documents by which streamers show who they are: kept sealed, shown to them and admins only.

A document is uploaded first and waits until it is sent with a request (verifications.py). The files
lie below `storage/documents`, encrypted with the master key. Owns the table `document`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import CheckConstraint, ForeignKey, Index, Row, delete, insert, select, update

from mediaserver.accounts import users
from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.document_kind import Kind, kind_of
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from mediaserver.kernel.files import write_whole
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.images import Images, ImageShape
from mediaserver.kernel.jobs import Payload, enqueue
from mediaserver.kernel.vault import Vault

JOB = "delete-documents"
"""Deletes the files of a payload's `ids`."""

document = table(
    "document",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), index=True),
    text(
        "verification_id",
        ForeignKey("verification.id", ondelete="CASCADE"),
        nullable=True,
        index=True,
    ),
    text("kind"),
    int64("bytes"),
    text("digest"),
    int64("created_at_ms"),
    int64("deleted_at_ms", nullable=True),
    CheckConstraint("kind IN ('pdf', 'picture')", name="kind"),
    CheckConstraint("length(digest) = 64", name="digest"),
)
Index(None, document.c.deleted_at_ms, document.c.created_at_ms)

_PREFIX = "doc"
_FIELD = "documents"
_UPLOADS = Rule("document-user", limits.DOCUMENT_UPLOADS_BURST, limits.DOCUMENT_UPLOADS_INTERVAL_MS)
_SHAPE = ImageShape(
    width_max=limits.DOCUMENT_SIDE_MAX,
    height_max=limits.DOCUMENT_SIDE_MAX,
    bytes_max=limits.DOCUMENT_PICTURE_BYTES_MAX,
    upload_bytes_max=limits.DOCUMENT_BYTES_MAX,
    kinds=("JPEG", "PNG"),
    field=_FIELD,
)


@dataclass(frozen=True, slots=True)
class Document:
    """One file; a picture is a WebP by now. `bytes` counts what is kept, `digest` is the SHA-256
    of it.
    """

    id: str
    user_id: str
    verification_id: str | None
    kind: Kind
    bytes: int
    digest: str
    created_at_ms: int
    deleted_at_ms: int | None

    @property
    def media_type(self) -> str:
        return "application/pdf" if self.kind == "pdf" else "image/webp"

    @property
    def filename(self) -> str:
        """What it is called when it is saved: nothing that the sender chose."""
        return f"{self.id}.{'pdf' if self.kind == 'pdf' else 'webp'}"


class Documents:
    """Takes, gives out and deletes them. An async context manager: entering removes files that a
    crash left behind.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        throttles: Throttles,
        images: Images,
        folder: Path,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._throttles = throttles
        self._images = images
        self._folder = folder

    async def __aenter__(self) -> Self:
        kept = await self._db.read(_kept_ids)
        await asyncio.to_thread(_remove_others, self._folder, kept)
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    async def add(self, user: User, data: bytes) -> Document:
        """Keep a file until it is sent with a request.

        Raises `Forbidden`, `TooLarge`, `Invalid` (not a document), `Conflict` (there are enough),
        `RateLimited` or `Unavailable`.
        """
        check(user, Action.SEND_DOCUMENTS)
        if len(data) > limits.DOCUMENT_BYTES_MAX:
            raise TooLarge(f"A file may have {limits.DOCUMENT_BYTES_MAX // limits.MIB} MB.")
        await self._db.read(_check_room, user.id)
        await self._throttles.charge((_UPLOADS, _UPLOADS.key(user.id)))
        kind = await asyncio.to_thread(kind_of, data, _FIELD)
        if kind == "picture":
            data = (await self._images.encode(data, _SHAPE)).webp
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        now_ms = self._clock.wall_ms()
        made = Document(new_id(_PREFIX), user.id, None, kind, len(data), digest, now_ms, None)
        try:
            await asyncio.to_thread(self._write, made.id, data)
        except OSError as error:
            raise Unavailable(f"The file can't be kept: {error.strerror}.") from error
        try:
            await self._db.write(_insert, made)
        except Conflict:  # after any other error it may yet be committed
            await self._remove([made.id])
            raise
        return made

    async def waiting(self, user: User) -> list[Document]:
        """What `user` has uploaded and not sent yet, oldest first."""
        return await self._db.read(waiting, user.id)

    async def discard(self, user: User, document_id: str) -> None:
        """Delete a file that was not sent yet. Raises `NotFound`."""
        await self._db.write(_discard, user.id, document_id, self._clock.wall_ms())

    async def read(self, user: User, document_id: str) -> tuple[Document, bytes]:
        """One of one's own, as it was made on its way in. Raises `NotFound`, also for one that is
        somebody else's.
        """
        found = await self._db.read(_find, document_id)
        if found.user_id != user.id:
            raise _not_found()
        return found, await self._data(found)

    async def read_for(self, actor: Actor, document_id: str) -> tuple[Document, bytes]:
        """Anybody's, for an admin: the audit log says so first. The caller has checked that they
        may. Raises `NotFound`.
        """
        found = await self._db.read(_find, document_id)
        await self._db.write(_record_reading, actor, found, self._clock.wall_ms())
        return found, await self._data(found)

    async def delete_unsent(self) -> None:
        """Delete files that were never sent with a request."""
        now_ms = self._clock.wall_ms()
        await self._db.write(_delete_unsent, now_ms - limits.DOCUMENT_WAITING_MS, now_ms)

    async def delete_files(self, payload: Payload) -> None:
        """What does the jobs of kind `JOB`."""
        await self._remove(payload["ids"])

    async def _data(self, found: Document) -> bytes:
        try:
            return await asyncio.to_thread(self._read, found.id)
        except OSError as error:
            raise _not_found() from error

    def _path(self, document_id: str) -> Path:
        assert is_id(document_id, _PREFIX), document_id
        return self._folder / f"{document_id}.sealed"

    def _write(self, document_id: str, data: bytes) -> None:
        write_whole(self._path(document_id), self._vault.seal_bytes(data, _context(document_id)))

    def _read(self, document_id: str) -> bytes:
        sealed = self._path(document_id).read_bytes()
        return self._vault.unseal_bytes(sealed, _context(document_id))

    async def _remove(self, document_ids: Sequence[str]) -> None:
        def remove() -> None:
            for document_id in document_ids:
                self._path(document_id).unlink(missing_ok=True)

        await asyncio.to_thread(remove)


def waiting(tx: Transaction, user_id: str) -> list[Document]:
    rows = tx.execute(
        select(document)
        .where(
            document.c.user_id == user_id,
            document.c.verification_id.is_(None),
            document.c.deleted_at_ms.is_(None),
        )
        .order_by(document.c.created_at_ms, document.c.id)
    )
    return [_to_document(row) for row in rows]


def attach(tx: Transaction, user_id: str, verification_id: str) -> None:
    """Send what waits with a request. Raises `Invalid` when nothing does."""
    ids = [one.id for one in waiting(tx, user_id)]
    sent = tx.execute(
        update(document)
        .where(document.c.id.in_(ids), document.c.verification_id.is_(None))
        .values(verification_id=verification_id)
    )
    if not sent.rowcount:
        raise Invalid("Add at least one document.", field=_FIELD)


def of_verifications(tx: Transaction, ids: Collection[str]) -> dict[str, tuple[Document, ...]]:
    """Request → its documents, oldest first; those that were deleted too."""
    rows = tx.execute(
        select(document)
        .where(document.c.verification_id.in_(ids))
        .order_by(document.c.created_at_ms, document.c.id)
    )
    found: defaultdict[str, tuple[Document, ...]] = defaultdict(tuple)
    for row in rows:
        found[row.verification_id] += (_to_document(row),)
    return found


def delete_all(tx: Transaction, documents: Sequence[Document], now_ms: int) -> None:
    """Mark them as deleted, and have their files deleted after the commit."""
    ids = [one.id for one in documents if one.deleted_at_ms is None]
    if ids:
        tx.execute(update(document).where(document.c.id.in_(ids)).values(deleted_at_ms=now_ms))
        enqueue(tx, JOB, {"ids": ids}, now_ms)


def of_user(tx: Transaction, user_id: str) -> list[Document]:
    """Everything that somebody ever sent."""
    rows = tx.execute(select(document).where(document.c.user_id == user_id))
    return [_to_document(row) for row in rows]


def _context(document_id: str) -> str:
    return f"document/{document_id}"


def _check_room(tx: Transaction, user_id: str) -> None:
    if len(waiting(tx, user_id)) >= limits.DOCUMENTS_MAX:
        raise Conflict(
            f"{limits.DOCUMENTS_MAX} files are enough: remove one first.",
            field=_FIELD,
            code="too_many_documents",
        )


def _insert(tx: Transaction, made: Document) -> None:
    users.lock(tx, made.user_id)
    _check_room(tx, made.user_id)
    tx.execute(
        insert(document).values(
            id=made.id,
            user_id=made.user_id,
            kind=made.kind,
            bytes=made.bytes,
            digest=made.digest,
            created_at_ms=made.created_at_ms,
        )
    )


def _discard(tx: Transaction, user_id: str, document_id: str, now_ms: int) -> None:
    users.lock(tx, user_id)
    found = [one for one in waiting(tx, user_id) if one.id == document_id]
    if not found:
        raise NotFound("There is no such document.")
    _forget(tx, found, now_ms)


def _forget(tx: Transaction, documents: Sequence[Document], now_ms: int) -> None:
    """Delete what nobody was shown, rows and all."""
    delete_all(tx, documents, now_ms)
    tx.execute(delete(document).where(document.c.id.in_([one.id for one in documents])))


def _delete_unsent(tx: Transaction, before_ms: int, now_ms: int) -> None:
    rows = tx.execute(
        select(document)
        .where(
            document.c.verification_id.is_(None),
            document.c.deleted_at_ms.is_(None),
            document.c.created_at_ms < before_ms,
        )
        .order_by(document.c.id)
        .limit(limits.DOCUMENTS_DELETED_AT_ONCE)
        .with_for_update()
    )
    _forget(tx, [_to_document(row) for row in rows], now_ms)


def _find(tx: Transaction, document_id: str) -> Document:
    """Raises `NotFound`, also for one that is deleted."""
    if is_id(document_id, _PREFIX):
        row = tx.execute(select(document).where(document.c.id == document_id)).first()
        if row is not None and row.deleted_at_ms is None:
            return _to_document(row)
    raise _not_found()


def _not_found() -> NotFound:
    return NotFound("There is no such document.")


def _record_reading(tx: Transaction, actor: Actor, found: Document, now_ms: int) -> None:
    audit.append(
        tx,
        actor,
        "document.read",
        Target("document", found.id, found.id),
        now_ms,
        {"user_id": found.user_id},
    )


def _kept_ids(tx: Transaction) -> set[str]:
    kept = select(document.c.id).where(document.c.deleted_at_ms.is_(None))
    return set(tx.execute(kept).scalars())


def _remove_others(folder: Path, kept: set[str]) -> None:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.suffix in (".sealed", ".new") and path.stem not in kept:
            path.unlink(missing_ok=True)


def _to_document(row: Row[Any]) -> Document:
    return Document(
        row.id,
        row.user_id,
        row.verification_id,
        row.kind,
        row.bytes,
        row.digest,
        row.created_at_ms,
        row.deleted_at_ms,
    )
