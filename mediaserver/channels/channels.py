"""Channels: a name in the address bar, what it is called and who owns it.

Owns the table `channel`. Called by the routes, the command line and set-up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Row,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.permissions import Action, Role, Thing, can, check, role_of
from mediaserver.accounts.retired_names import Kind, is_retired
from mediaserver.accounts.users import User, to_user, user_account
from mediaserver.channels import information, policies
from mediaserver.channels.categories import category
from mediaserver.channels.information import Changes, Information
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import flag, identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.texts import checked_line

channel = table(
    "channel",
    identifier(),
    text("slug"),
    text("name"),
    text("title"),
    text("description"),
    text("owner_id", ForeignKey("user_account.id", ondelete="RESTRICT"), index=True),
    int64("created_at_ms"),
    int64("updated_at_ms"),
    *information.columns(),
    flag("starts_automatically", default=1),
    text("back_soon", nullable=True),
    UniqueConstraint("slug"),
    CheckConstraint("slug = lower(slug)", name="slug_lower"),
    CheckConstraint("length(slug) BETWEEN 3 AND 30", name="slug_length"),
    CheckConstraint("length(name) BETWEEN 1 AND 60", name="name_length"),
    CheckConstraint("starts_automatically IN (0, 1)", name="starts_automatically"),
)

_RESERVED = """
about abuse account admin administrator all anonymous api app archive auth billing browse category
channel channels chat clip clips contact dashboard embed everyone feed follow following healthz help
here home hooks index legal live login logout media metrics new null official overlay popular
privacy readyz register root rss search security settings setup site staff static studio support
system tag tags terms theme trending undefined user users video videos wallet
"""
RESERVED_SLUGS = frozenset(_RESERVED.split())

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Information):
    """A channel as anyone may see it, with what its stream is about. `owner` is a user name;
    `is_verified` says that an admin has seen who they are.

    Without `starts_automatically` a broadcast is held until it is started. `back_soon` names the
    picture that is shown while the encoder is away. It `is_hidden` while its owner is banned.
    """

    id: str
    slug: str
    name: str
    owner_id: str
    owner: str
    created_at_ms: int
    is_verified: bool = False
    starts_automatically: bool = True
    back_soon: str | None = None
    is_hidden: bool = False


class ChannelChanges(Changes, total=False):
    """What to change of a channel; None leaves it as it is."""

    name: str | None
    starts_automatically: bool | None


@dataclass(frozen=True, slots=True)
class ChannelChanged:
    """Something about a channel that viewers see is different now."""

    channel_id: str
    slug: str


class Channels:
    """Makes, finds and changes channels."""

    def __init__(self, db: Database, clock: Clock, config: AccountsConfig) -> None:
        self._db = db
        self._clock = clock
        self._config = config

    async def create(
        self, owner: User, slug: str, name: str, *, title: str = "", description: str = ""
    ) -> Channel:
        """Make a channel for the operator: nobody is asked to accept policies.

        Raises `Invalid` or `Conflict` (taken, reserved, or too many of them).
        """
        return await self._db.write(
            self.create_in, owner, slug, name, title=title, description=description
        )

    async def open(
        self,
        user: User,
        slug: str,
        name: str,
        *,
        title: str = "",
        description: str = "",
        accepting: Collection[str] = (),
        address: str = "",
    ) -> Channel:
        """What somebody does for themselves; `accepting` are the policies that they accept with it.

        Raises what `create` does, and `Forbidden`, also while a policy is not accepted.
        """
        return await self._db.write(
            self._open, user, slug, name, title, description, accepting, address
        )

    def _open(
        self,
        tx: Transaction,
        user: User,
        slug: str,
        name: str,
        title: str,
        description: str,
        accepting: Collection[str],
        address: str,
    ) -> Channel:
        check(user, Action.CREATE_CHANNEL)
        policies.accept(tx, user.id, accepting, address, self._clock.wall_ms())
        policies.check_accepted(tx, user)
        return self.create_in(tx, user, slug, name, title=title, description=description)

    def create_in(
        self,
        tx: Transaction,
        owner: User,
        slug: str,
        name: str,
        *,
        title: str = "",
        description: str = "",
    ) -> Channel:
        """`create` as a part of a larger transaction."""
        slug = checked_slug(slug)
        texts: dict[str, Any] = {
            "name": _checked_name(name),
            **information.checked(tx, {"title": title, "description": description}, Information()),
        }
        # Locking the owner makes two requests at once count one after the other.
        locked = select(user_account).where(user_account.c.id == owner.id).with_for_update()
        owner = to_user(tx.execute(locked).one())
        owned = tx.execute(
            select(func.count()).select_from(channel).where(channel.c.owner_id == owner.id)
        ).scalar_one()
        if owned >= channels_max(self._config, owner):
            raise Conflict(
                f"You have {owned} channels, and more are not allowed here.",
                code="too_many_channels",
            )
        now_ms = self._clock.wall_ms()
        is_taken = tx.execute(select(channel.c.id).where(channel.c.slug == slug)).first()
        if is_taken or is_retired(tx, Kind.CHANNEL, slug, now_ms):
            raise Conflict("That address is taken.", field="slug")
        channel_id = new_id("chn")
        try:
            tx.execute(
                insert(channel).values(
                    id=channel_id,
                    slug=slug,
                    owner_id=owner.id,
                    created_at_ms=now_ms,
                    updated_at_ms=now_ms,
                    **texts,
                )
            )
        except IntegrityError as error:  # the other one was a moment faster
            raise Conflict("That address is taken.", field="slug") from error
        return Channel(
            id=channel_id,
            slug=slug,
            owner_id=owner.id,
            owner=owner.username,
            created_at_ms=now_ms,
            is_verified=owner.is_verified,
            **texts,
        )

    async def update(self, actor: User, slug: str, **changes: Unpack[ChannelChanges]) -> Channel:
        """Change what is given. Raises `NotFound`, `Forbidden` or `Invalid`."""
        return await self._db.write(change, actor, slug, changes, self._clock.wall_ms())

    async def get(self, slug: str) -> Channel:
        """The channel as everybody may see it. Raises `NotFound`, also while it is hidden."""
        return await self._db.read(get_visible, slug)

    async def find(self, slug: str) -> Channel:
        """Also one that is hidden, for who works on it. Raises `NotFound`."""
        return await self._db.read(get, slug)

    async def get_managed(self, actor: User, slug: str) -> Channel:
        """The channel, if `actor` may manage it. Raises `NotFound` or `Forbidden`."""
        return await self._db.read(get_managed, actor, slug)

    async def list_all(self) -> list[Channel]:
        """All that aren't hidden by name, at most `CHANNELS_LISTED_MAX`."""
        return await self._db.read(_list_all)

    async def list_by_slug(self, slugs: Sequence[str]) -> list[Channel]:
        """Those of `slugs` that exist and aren't hidden, in no order."""
        return await self._db.read(_list_by_slug, slugs) if slugs else []

    async def list_in_category(self, category_id: str) -> list[Channel]:
        """Those of one category that aren't hidden by name, at most `CHANNELS_LISTED_MAX`."""
        return await self._db.read(_list_all, category_id)

    async def list_owned(self, owner: User) -> list[Channel]:
        """The channels of `owner`, oldest first."""
        return await self._db.read(owned_by, owner.id)


def channels_max(config: AccountsConfig, owner: User) -> int:
    """How many channels somebody may own."""
    if role_of(owner) >= Role.PREMIUM:
        return max(config.channels_per_premium_user_max, config.channels_per_user_max)
    return config.channels_per_user_max


def get(tx: Transaction, slug: str) -> Channel:
    """Also one that is hidden. Raises `NotFound`."""
    if is_slug(slug):
        row = tx.execute(_select().where(channel.c.slug == slug)).first()
        if row is not None:
            return to_channel(row)
    raise NotFound("There is no such channel.", code="channel_not_found")


def get_visible(tx: Transaction, slug: str) -> Channel:
    """Raises `NotFound`, also while the channel is hidden."""
    found = get(tx, slug)
    if found.is_hidden:
        raise NotFound("This channel is not available right now.", code="channel_unavailable")
    return found


def get_by_id(tx: Transaction, channel_id: str) -> Channel:
    """Raises `NotFound`."""
    row = tx.execute(_select().where(channel.c.id == channel_id)).first()
    if row is None:
        raise NotFound("There is no such channel.", code="channel_not_found")
    return to_channel(row)


def by_ids(tx: Transaction, channel_ids: Collection[str]) -> dict[str, Channel]:
    """Id → channel, without those that don't exist."""
    rows = tx.execute(_select().where(channel.c.id.in_(channel_ids)))
    return {row.id: to_channel(row) for row in rows}


def lock(tx: Transaction, channel_id: str) -> None:
    """Until the transaction ends, others that lock the channel wait."""
    tx.execute(select(channel.c.id).where(channel.c.id == channel_id).with_for_update())


def information_of(tx: Transaction, channel_id: str) -> dict[str, Any]:
    """What the channel's stream is about, as it is stored."""
    row = tx.execute(
        select(*(channel.c[name] for name in information.SHARED)).where(channel.c.id == channel_id)
    ).one()
    return dict(row._mapping)


def adopt(tx: Transaction, channel_id: str, stored: dict[str, Any], now_ms: int) -> None:
    """The channel is about what a stream of it says, `stored` as in `information_of`."""
    before = get_by_id(tx, channel_id)
    tx.execute(
        update(channel).where(channel.c.id == channel_id).values(updated_at_ms=now_ms, **stored)
    )
    if get_by_id(tx, channel_id) != before:
        tx.emit(ChannelChanged(before.id, before.slug))


def back_soon_ids(tx: Transaction) -> set[str]:
    """Every picture that a channel shows while its encoder is away."""
    rows = tx.execute(select(channel.c.back_soon).where(channel.c.back_soon.is_not(None)))
    return {row.back_soon for row in rows}


def set_back_soon(
    tx: Transaction, actor: User, slug: str, image_id: str | None, now_ms: int
) -> tuple[Channel, str | None]:
    """The channel with its new picture, and the one that it had."""
    lock(tx, get_managed(tx, actor, slug).id)
    before = get(tx, slug)
    tx.execute(
        update(channel)
        .where(channel.c.id == before.id)
        .values(back_soon=image_id, updated_at_ms=now_ms)
    )
    tx.emit(ChannelChanged(before.id, before.slug))
    return get(tx, slug), before.back_soon


def manages(user: User | None, owner_id: str) -> bool:
    """Whether `user` may change the channel of `owner_id`."""
    return can(user, Action.MANAGE_CHANNEL, Thing(owner_id))


def get_managed(tx: Transaction, actor: User, slug: str) -> Channel:
    found = get(tx, slug)
    check(actor, Action.MANAGE_CHANNEL, Thing(found.owner_id))
    return found


def is_slug(slug: str) -> bool:
    return (
        limits.SLUG_CHARS_MIN <= len(slug) <= limits.SLUG_CHARS_MAX
        and _SLUG.fullmatch(slug) is not None
    )


def checked_slug(slug: str) -> str:
    """The slug as it is stored. Raises `Invalid` or, for words of the site itself, `Conflict`."""
    slug = slug.strip().lower()
    if not limits.SLUG_CHARS_MIN <= len(slug) <= limits.SLUG_CHARS_MAX:
        raise Invalid(
            f"Use {limits.SLUG_CHARS_MIN} to {limits.SLUG_CHARS_MAX} characters.", field="slug"
        )
    if not is_slug(slug):
        raise Invalid("Use only letters a to z, digits and -, with no - at the ends.", field="slug")
    if slug in RESERVED_SLUGS:
        raise Conflict("That address is taken.", field="slug")
    return slug


def _checked_name(name: str) -> str:
    return checked_line(name, "name", limits.CHANNEL_NAME_CHARS_MAX, is_required=True)


def _select() -> Any:
    return (
        select(
            channel,
            user_account.c.username.label("owner"),
            user_account.c.is_verified,
            user_account.c.banned_until_ms.label("owner_banned_until_ms"),
            category.c.name.label("category"),
            category.c.slug.label("category_slug"),
        )
        .join(user_account, user_account.c.id == channel.c.owner_id)
        .outerjoin(category, category.c.id == channel.c.category_id)
    )


def visible_ids() -> Any:
    """A query for the ids of channels that aren't hidden, for the WHERE of other lists."""
    owner = user_account.c.id == channel.c.owner_id
    return select(channel.c.id).join(user_account, owner).where(_is_visible())


def _is_visible() -> Any:
    return user_account.c.banned_until_ms.is_(None)


def slugs_of(tx: Transaction, owner_id: str) -> dict[str, str]:
    """Id → slug of every channel of `owner_id`."""
    rows = tx.execute(select(channel.c.id, channel.c.slug).where(channel.c.owner_id == owner_id))
    return {row.id: row.slug for row in rows}


def to_channel(row: Row[Any]) -> Channel:
    return Channel(
        id=row.id,
        slug=row.slug,
        name=row.name,
        owner_id=row.owner_id,
        owner=row.owner,
        created_at_ms=row.created_at_ms,
        is_verified=bool(row.is_verified),
        starts_automatically=bool(row.starts_automatically),
        back_soon=row.back_soon,
        is_hidden=row.owner_banned_until_ms is not None,
        **information.of_row(row),
    )


def change(
    tx: Transaction, actor: User, slug: str, changes: ChannelChanges, now_ms: int
) -> Channel:
    """`Channels.update` as a part of a larger transaction."""
    managed = get_managed(tx, actor, slug)
    # Locked and read again: of two edits at once, each keeps what the other has changed.
    lock(tx, managed.id)
    before = get(tx, slug)
    values = information.checked(tx, changes, before)
    if (name := changes.get("name")) is not None:
        values["name"] = _checked_name(name)
    if (starts := changes.get("starts_automatically")) is not None:
        values["starts_automatically"] = int(bool(starts))
    tx.execute(
        update(channel).where(channel.c.id == before.id).values(updated_at_ms=now_ms, **values)
    )
    after = get(tx, slug)
    if after != before:
        tx.emit(ChannelChanged(after.id, after.slug))
    return after


def _list_all(tx: Transaction, category_id: str | None = None) -> list[Channel]:
    query = (
        _select()
        .where(_is_visible())
        .order_by(channel.c.name, channel.c.slug)
        .limit(limits.CHANNELS_LISTED_MAX)
    )
    if category_id is not None:
        query = query.where(channel.c.category_id == category_id)
    return [to_channel(row) for row in tx.execute(query)]


def _list_by_slug(tx: Transaction, slugs: Sequence[str]) -> list[Channel]:
    query = _select().where(channel.c.slug.in_(slugs), _is_visible())
    return [to_channel(row) for row in tx.execute(query)]


def owned_by(tx: Transaction, owner_id: str) -> list[Channel]:
    """The channels of a user, oldest first."""
    rows = tx.execute(
        _select()
        .where(channel.c.owner_id == owner_id)
        .order_by(channel.c.created_at_ms, channel.c.id)
        .limit(limits.CHANNELS_LISTED_MAX)
    )
    return [to_channel(row) for row in rows]
