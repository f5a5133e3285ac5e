"""Teams: streamers who stand together, with a page that shows who of them is live.

A channel is a member, the owner of a team is a person. Joining is in invitations.py. Owns the
tables `team` and `team_member`; called by the routes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Row,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts import users
from mediaserver.accounts.permissions import Action, Thing, check
from mediaserver.accounts.users import User, user_account
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_line, checked_paragraphs
from mediaserver.notifications.notices import Topic, tell

team = table(
    "team",
    identifier(),
    text("slug"),
    text("name"),
    text("about"),
    text("owner_id", ForeignKey("user_account.id", ondelete="CASCADE"), index=True),
    int64("created_at_ms"),
    UniqueConstraint("slug"),
    CheckConstraint("slug = lower(slug)", name="slug_lower"),
    CheckConstraint("length(slug) BETWEEN 3 AND 30", name="slug_length"),
    CheckConstraint("length(name) BETWEEN 1 AND 60", name="name_length"),
)

team_member = table(
    "team_member",
    text("team_id", ForeignKey("team.id", ondelete="CASCADE"), primary_key=True),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True, index=True),
    text("role"),
    int64("joined_at_ms"),
    CheckConstraint("role IN ('owner', 'member')", name="role"),
)

Role = Literal["owner", "member"]


@dataclass(frozen=True, slots=True)
class Team:
    """A team; `owner` is a user name. `about` is empty while its owner is banned."""

    id: str
    slug: str
    name: str
    about: str
    owner_id: str
    owner: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Member:
    """A channel of a team; the one with which its owner leads it has the role of owner."""

    channel: Channel
    role: Role
    joined_at_ms: int


class Teams:
    """Forms, changes and ends teams."""

    def __init__(self, db: Database, clock: Clock, letterhead: Letterhead) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead

    async def form(
        self, actor: User, channel_slug: str, slug: str, name: str, about: str = ""
    ) -> Team:
        """Form a team that the channel leads.

        Raises `NotFound`, `Forbidden`, `Invalid` or `Conflict` (taken, or too many of them).
        """
        return await self._db.write(
            _form, actor, channel_slug, slug, name, about, self._clock.wall_ms()
        )

    async def get(self, slug: str) -> Team:
        """Raises `NotFound`."""
        return await self._db.read(get, slug)

    async def get_managed(self, actor: User, slug: str) -> Team:
        """The team, if `actor` may manage it. Raises `NotFound` or `Forbidden`."""
        return await self._db.read(get_managed, actor, slug)

    async def members(self, found: Team) -> list[Member]:
        """Its channels, the leading one first, then as they joined; hidden ones are left out."""
        everybody = await self._db.read(members, found.id)
        return [one for one in everybody if not one.channel.is_hidden]

    async def of_channel(self, channel_id: str) -> list[Team]:
        """The teams that a channel is in, by name."""
        return await self._db.read(of_channel, channel_id)

    async def owned(self, user: User) -> list[Team]:
        """The teams that somebody leads, by name."""
        return await self._db.read(owned, user.id)

    async def change(
        self, actor: User, slug: str, *, name: str | None = None, about: str | None = None
    ) -> Team:
        """Change what is given. Raises `NotFound`, `Forbidden` or `Invalid`."""
        return await self._db.write(_change, actor, slug, name, about)

    async def leave(self, actor: User, channel_slug: str, slug: str) -> None:
        """Raises `NotFound` (also when it is no member), `Forbidden`, or `Conflict` for the one
        that leads.
        """
        await self._db.write(self._leave, actor, channel_slug, slug, self._clock.wall_ms())

    async def remove(self, actor: User, slug: str, channel_slug: str) -> None:
        """Take a channel out of a team that `actor` leads; raises as `leave` does."""
        await self._db.write(self._remove, actor, slug, channel_slug, self._clock.wall_ms())

    async def hand_over(self, actor: User, slug: str, channel_slug: str) -> Team:
        """Make the owner of another member the owner of the team.

        Raises `NotFound`, `Forbidden` or `Conflict` (theirs already, or they lead too many).
        """
        return await self._db.write(
            self._hand_over, actor, slug, channel_slug, self._clock.wall_ms()
        )

    async def delete(self, actor: User, slug: str) -> None:
        """The caller has confirmed who asks. Raises `NotFound` or `Forbidden`."""
        await self._db.write(self._delete, actor, slug, self._clock.wall_ms())

    def _leave(
        self, tx: Transaction, actor: User, channel_slug: str, slug: str, now_ms: int
    ) -> None:
        channel = channels.get_managed(tx, actor, channel_slug)
        found = _locked(tx, slug)
        _take_out(tx, found, channel)
        title = f"{channel.name} has left {found.name}"
        body = "It no longer stands on the team’s page."
        self.tell(tx, found.owner_id, title, body, f"/team/{found.slug}", now_ms)

    def _remove(
        self, tx: Transaction, actor: User, slug: str, channel_slug: str, now_ms: int
    ) -> None:
        found = managed(tx, actor, slug)
        channel = channels.get(tx, channel_slug)
        _take_out(tx, found, channel)
        title = f"{channel.name} is no longer in {found.name}"
        path = f"/studio/{channel.slug}/teams"
        self.tell(tx, channel.owner_id, title, "The team’s owner took it out.", path, now_ms)

    def _hand_over(
        self, tx: Transaction, actor: User, slug: str, channel_slug: str, now_ms: int
    ) -> Team:
        found = managed(tx, actor, slug)
        channel = channels.get(tx, channel_slug)
        check_member(tx, found, channel)
        if channel.owner_id == found.owner_id:
            raise Conflict("That channel is the owner’s already.", field="channel")
        users.lock(tx, channel.owner_id)
        _check_owned(tx, channel.owner_id, "They lead as many teams as one person can.")
        make_owner(tx, found.id, channel)
        title = f"You lead {found.name} now"
        body = f"{found.owner} has handed the team over to you."
        self.tell(tx, channel.owner_id, title, body, f"/team/{found.slug}/manage", now_ms)
        return get(tx, slug)

    def _delete(self, tx: Transaction, actor: User, slug: str, now_ms: int) -> None:
        found = managed(tx, actor, slug)
        others = {one.channel.owner_id for one in members(tx, found.id)} - {found.owner_id}
        tx.execute(delete(team).where(team.c.id == found.id))
        for user_id in sorted(others):
            self.tell(tx, user_id, f"{found.name} is no more", "Its owner deleted it.", "/", now_ms)

    def tell(
        self, tx: Transaction, user_id: str, title: str, body: str, path: str, now_ms: int
    ) -> None:
        """Tell somebody what happened in a team of theirs."""
        tell(tx, self._letterhead, user_id, Topic.TEAMS, title, body, path, now_ms)


def get(tx: Transaction, slug: str) -> Team:
    """Raises `NotFound`."""
    if channels.is_slug(slug):
        row = tx.execute(_select().where(team.c.slug == slug)).first()
        if row is not None:
            return _to_team(row)
    raise NotFound("There is no such team.", code="team_not_found")


def get_managed(tx: Transaction, actor: User, slug: str) -> Team:
    """Raises `NotFound` or `Forbidden`."""
    found = get(tx, slug)
    check(actor, Action.MANAGE_TEAM, Thing(found.owner_id))
    return found


def managed(tx: Transaction, actor: User, slug: str) -> Team:
    """`get_managed`, and others that change the team wait until the transaction ends."""
    _locked(tx, slug)
    return get_managed(tx, actor, slug)


def members(tx: Transaction, team_id: str) -> list[Member]:
    """The channels of a team, the leading one first, then as they joined."""
    rows = tx.execute(
        select(team_member)
        .where(team_member.c.team_id == team_id)
        .order_by(team_member.c.role.desc(), team_member.c.joined_at_ms, team_member.c.channel_id)
    ).all()
    found = channels.by_ids(tx, [row.channel_id for row in rows])
    return [Member(found[row.channel_id], row.role, row.joined_at_ms) for row in rows]


def count_members(tx: Transaction, team_id: str) -> int:
    count = select(func.count()).where(team_member.c.team_id == team_id)
    return int(tx.execute(count).scalar_one())


def of_channel(tx: Transaction, channel_id: str) -> list[Team]:
    rows = tx.execute(
        _select()
        .join(team_member, team_member.c.team_id == team.c.id)
        .where(team_member.c.channel_id == channel_id)
        .order_by(team.c.name, team.c.id)
    )
    return [_to_team(row) for row in rows]


def owned(tx: Transaction, user_id: str) -> list[Team]:
    rows = tx.execute(_select().where(team.c.owner_id == user_id).order_by(team.c.name, team.c.id))
    return [_to_team(row) for row in rows]


def by_ids(tx: Transaction, team_ids: Collection[str]) -> dict[str, Team]:
    """Id → team, without those that don't exist."""
    rows = tx.execute(_select().where(team.c.id.in_(team_ids)))
    return {row.id: _to_team(row) for row in rows}


def lock(tx: Transaction, team_id: str) -> None:
    """Until the transaction ends, others that lock the team wait."""
    tx.execute(select(team.c.id).where(team.c.id == team_id).with_for_update())


def add(tx: Transaction, team_id: str, channel_id: str, role: Role, now_ms: int) -> None:
    """Make a channel a member. Raises `Conflict` when it is in too many teams."""
    channels.lock(tx, channel_id)
    if len(of_channel(tx, channel_id)) >= limits.TEAMS_PER_CHANNEL_MAX:
        raise Conflict(f"A channel can be in {limits.TEAMS_PER_CHANNEL_MAX} teams.", code="teams")
    tx.execute(
        insert(team_member).values(
            team_id=team_id, channel_id=channel_id, role=role, joined_at_ms=now_ms
        )
    )


def role_in(tx: Transaction, team_id: str, channel_id: str) -> Role | None:
    """What a channel is in a team; None: no member."""
    role: Role | None = tx.execute(
        select(team_member.c.role).where(
            team_member.c.team_id == team_id, team_member.c.channel_id == channel_id
        )
    ).scalar()
    return role


def check_member(tx: Transaction, found: Team, channel: Channel) -> Role:
    """The role of a member. Raises `NotFound`."""
    role = role_in(tx, found.id, channel.id)
    if role is None:
        raise NotFound("That channel is not in the team.", code="not_a_member")
    return role


def make_owner(tx: Transaction, team_id: str, channel: Channel) -> None:
    """Have the owner of a member lead the team from now on."""
    tx.execute(update(team).where(team.c.id == team_id).values(owner_id=channel.owner_id))
    of_team = team_member.c.team_id == team_id
    tx.execute(update(team_member).where(of_team).values(role="member"))
    tx.execute(
        update(team_member)
        .where(of_team, team_member.c.channel_id == channel.id)
        .values(role="owner")
    )


def _form(
    tx: Transaction,
    actor: User,
    channel_slug: str,
    slug: str,
    name: str,
    about: str,
    now_ms: int,
) -> Team:
    check(actor, Action.FORM_TEAM)
    leading = channels.get_managed(tx, actor, channel_slug)
    slug = channels.checked_slug(slug)
    name, about = _checked_name(name), _checked_about(about)
    users.lock(tx, leading.owner_id)
    _check_owned(
        tx, leading.owner_id, f"You lead {limits.TEAMS_OWNED_MAX} teams, which is the most."
    )
    if tx.execute(select(team.c.id).where(team.c.slug == slug)).first():
        raise Conflict("That address is taken.", field="slug")
    team_id = new_id("team")
    try:
        tx.execute(
            insert(team).values(
                id=team_id,
                slug=slug,
                name=name,
                about=about,
                owner_id=leading.owner_id,
                created_at_ms=now_ms,
            )
        )
    except IntegrityError as error:  # the other one was a moment faster
        raise Conflict("That address is taken.", field="slug") from error
    add(tx, team_id, leading.id, "owner", now_ms)
    return get(tx, slug)


def _change(tx: Transaction, actor: User, slug: str, name: str | None, about: str | None) -> Team:
    found = managed(tx, actor, slug)
    values: dict[str, str] = {}
    if name is not None:
        values["name"] = _checked_name(name)
    if about is not None:
        values["about"] = _checked_about(about)
    if values:
        tx.execute(update(team).where(team.c.id == found.id).values(values))
    return get(tx, slug)


def _take_out(tx: Transaction, found: Team, channel: Channel) -> None:
    if check_member(tx, found, channel) == "owner":
        raise Conflict(
            "This channel leads the team: hand it over first, or delete it.", code="leads_the_team"
        )
    tx.execute(
        delete(team_member).where(
            team_member.c.team_id == found.id, team_member.c.channel_id == channel.id
        )
    )


def _check_owned(tx: Transaction, user_id: str, refusal: str) -> None:
    if len(owned(tx, user_id)) >= limits.TEAMS_OWNED_MAX:
        raise Conflict(refusal, code="too_many_teams")


def _locked(tx: Transaction, slug: str) -> Team:
    lock(tx, get(tx, slug).id)
    return get(tx, slug)


def _checked_name(name: str) -> str:
    return checked_line(name, "name", limits.TEAM_NAME_CHARS_MAX, is_required=True)


def _checked_about(about: str) -> str:
    return checked_paragraphs(about, "about", limits.TEAM_ABOUT_CHARS_MAX)


def _select() -> Any:
    return select(
        team,
        user_account.c.username.label("owner"),
        user_account.c.banned_until_ms.label("owner_banned_until_ms"),
    ).join(user_account, user_account.c.id == team.c.owner_id)


def _to_team(row: Row[Any]) -> Team:
    about = row.about if row.owner_banned_until_ms is None else ""
    return Team(row.id, row.slug, row.name, about, row.owner_id, row.owner, row.created_at_ms)
