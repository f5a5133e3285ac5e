"""Emotes: uploading and removing them, for a channel by its owner, for the site by an admin.

A picture is made anew (kernel/images.py) and kept under a name of its own; a new picture for a code
gets a new name, so that every copy may be cached for good.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.permissions import SITE, Action, Rank, check_rank, rank_of
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User, reload
from mediaserver.channels.channels import Channel
from mediaserver.chat import log
from mediaserver.chat.chat import Chat
from mediaserver.chat.emote_list import emote, list_emotes, to_emote
from mediaserver.chat.events import Emote
from mediaserver.chat.line_text import EMOTE_CODE
from mediaserver.chat.log import NewEvent
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.images import ImageFolder, Images, ImageShape, Picture
from mediaserver.moderation import actions_log, ranks

EMOTE_SHAPE = ImageShape(
    width_max=limits.EMOTE_SIDE_MAX,
    height_max=limits.EMOTE_SIDE_MAX,
    bytes_max=limits.EMOTE_BYTES_MAX,
    upload_bytes_max=limits.EMOTE_UPLOAD_BYTES_MAX,
    frames_max=limits.EMOTE_FRAMES_MAX,
    kinds=("PNG", "WEBP", "GIF"),
)

_PREFIX = "emo"
_CODE = re.compile(EMOTE_CODE)
_UPLOADS = Rule("emote-user", limits.EMOTE_UPLOADS_BURST, limits.EMOTE_UPLOADS_INTERVAL_MS)


class Emotes:
    """An async context manager: entering removes pictures that a crash left behind."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        chat: Chat,
        throttles: Throttles,
        images: Images,
        folder: Path,
    ) -> None:
        self._db = db
        self._clock = clock
        self._chat = chat
        self._throttles = throttles
        self._images = images

        self._folder = ImageFolder(folder, _PREFIX)

    async def __aenter__(self) -> Self:
        await self._folder.remove_others(await self._db.read(_ids))
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    async def list_all(self, channel: Channel | None) -> tuple[Emote, ...]:
        """What may be used in the channel; None: everywhere."""
        return await self._db.read(list_emotes, channel.id if channel else None)

    async def put(
        self,
        actor: User,
        channel: Channel | None,
        code: str,
        image: bytes,
        address: str | None = None,
    ) -> Emote:
        """Make an emote, or give it another picture. None: for the whole site; the audit log then
        names the `address`.

        Raises `Forbidden`, `Invalid(field="code"|"picture")`, `TooLarge`, `Conflict` (too many),
        `RateLimited` or `Unavailable`.
        """
        code = checked_code(code)
        await self._db.read(_check, actor, channel, code)
        await self._throttles.charge((_UPLOADS, _UPLOADS.key(actor.id)))
        picture = await self._images.encode(image, EMOTE_SHAPE)
        emote_id = new_id(_PREFIX)
        await self._folder.put(emote_id, picture.webp)
        try:
            made, replaced = await self._chat.write(
                _put, actor, address, channel, emote_id, code, picture, self._clock.wall_ms()
            )
        except (Forbidden, NotFound, Conflict):  # after any other error it may yet be committed
            await self._folder.remove(emote_id)
            raise
        if channel is None:
            self._chat.forget_snapshots()
        if replaced is not None:
            await self._folder.remove(replaced)
        return made

    async def remove(
        self, actor: User, channel: Channel | None, code: str, address: str | None = None
    ) -> None:
        """Raises `Forbidden` or `NotFound`."""
        now_ms = self._clock.wall_ms()
        removed = await self._chat.write(_remove, actor, address, channel, code, now_ms)
        if channel is None:
            self._chat.forget_snapshots()
        await self._folder.remove(removed)

    async def remove_orphans(self) -> None:
        """Delete the files of what went with an account or a channel."""
        await self._folder.remove_orphans(await self._db.read(_ids))

    def file(self, emote_id: str) -> Path:
        """The picture as WebP. Raises `NotFound`."""
        return self._folder.path(emote_id)


def checked_code(code: str) -> str:
    """Raises `Invalid`."""
    if not _CODE.fullmatch(code):
        raise Invalid("Use 2 to 24 of a to z, 0 to 9 and _.", field="code")
    return code


def _ids(tx: Transaction) -> set[str]:
    return set(tx.execute(select(emote.c.id)).scalars())


def _check(tx: Transaction, actor: User, channel: Channel | None, code: str) -> None:
    """Who may, and whether there is room. Raises `Forbidden` or `Conflict`."""
    check_rank(_rank(tx, actor, channel), _needed(channel))
    if _id_of(tx, channel, code) is not None:
        return
    count = tx.execute(
        select(func.count()).select_from(emote).where(_belongs_to(channel))
    ).scalar_one()
    count_max = limits.EMOTES_OF_SITE_MAX if channel is None else limits.EMOTES_PER_CHANNEL_MAX
    if count >= count_max:
        raise Conflict(f"There are {count} emotes. Remove one first.", code="too_many_emotes")


def _put(
    tx: Transaction,
    actor: User,
    address: str | None,
    channel: Channel | None,
    emote_id: str,
    code: str,
    picture: Picture,
    now_ms: int,
) -> tuple[Emote, str | None]:
    """The emote, and the id of the picture that it had before."""
    room = log.lock_room(tx, channel) if channel else None
    _check(tx, actor, channel, code)
    replaced = _id_of(tx, channel, code)
    if replaced is not None:
        tx.execute(delete(emote).where(emote.c.id == replaced))
    try:
        tx.execute(
            insert(emote).values(
                id=emote_id,
                channel_id=channel.id if channel else None,
                code=code,
                width=picture.width,
                height=picture.height,
                animated=int(picture.is_animated),
                added_by_id=actor.id,
                added_at_ms=now_ms,
            )
        )
    except IntegrityError as error:  # two admins at once: the other one was a moment faster
        raise Conflict("That code has just been taken.", field="code") from error
    if channel is not None and room is not None:
        _tell(tx, actor, channel, room, "emote-add", code, now_ms)
    else:
        _record(tx, actor, address, "emote.put", code, now_ms)
    made = to_emote(tx.execute(select(emote).where(emote.c.id == emote_id)).one())
    return made, replaced


def _remove(
    tx: Transaction,
    actor: User,
    address: str | None,
    channel: Channel | None,
    code: str,
    now_ms: int,
) -> str:
    room = log.lock_room(tx, channel) if channel else None
    check_rank(_rank(tx, actor, channel), _needed(channel))
    emote_id = _id_of(tx, channel, code)
    if emote_id is None:
        raise NotFound("There is no such emote.", code="emote_not_found")
    tx.execute(delete(emote).where(emote.c.id == emote_id))
    if channel is not None and room is not None:
        _tell(tx, actor, channel, room, "emote-remove", code, now_ms)
    else:
        _record(tx, actor, address, "emote.remove", code, now_ms)
    return emote_id


def _needed(channel: Channel | None) -> Action:
    return Action.CHANGE_SITE_EMOTES if channel is None else Action.CHANGE_EMOTES


def _rank(tx: Transaction, actor: User, channel: Channel | None) -> Rank:
    fresh = reload(tx, actor)
    return rank_of(fresh, SITE) if channel is None else ranks.rank_of(tx, fresh, channel)


def _id_of(tx: Transaction, channel: Channel | None, code: str) -> str | None:
    if not _CODE.fullmatch(code):
        return None
    found = tx.execute(
        select(emote.c.id).where(_belongs_to(channel), emote.c.code == code)
    ).scalar()
    return None if found is None else str(found)


def _belongs_to(channel: Channel | None) -> ColumnElement[bool]:
    return emote.c.channel_id.is_(None) if channel is None else emote.c.channel_id == channel.id


def _record(
    tx: Transaction, actor: User, address: str | None, action: str, code: str, now_ms: int
) -> None:
    """An emote of the site is an admin's work."""
    target = Target("emote", code, f":{code}:")
    audit.append(tx, Actor(actor.id, actor.username, address), action, target, now_ms)


def _tell(
    tx: Transaction,
    actor: User,
    channel: Channel,
    room: log.Room,
    action: str,
    code: str,
    now_ms: int,
) -> None:
    actions_log.write(
        tx,
        channel.id,
        channel.slug,
        actor=(actor.id, actor.username),
        action=action,
        detail=f":{code}:",
        now_ms=now_ms,
    )
    role = ranks.role_of(_rank(tx, actor, channel), actor.id, channel)
    event = NewEvent("emotes", new_id(log.EVENT_PREFIX), actor.id, role)
    log.append(tx, channel, room, [event], now_ms)
