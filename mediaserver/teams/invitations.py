"""Invitations: how a channel joins a team. Its owner accepts or declines.

Owns the table `team_invitation`; called by the routes.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ForeignKey, delete, insert, select
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.teams import teams
from mediaserver.teams.teams import Team, Teams

team_invitation = table(
    "team_invitation",
    text("team_id", ForeignKey("team.id", ondelete="CASCADE"), primary_key=True),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True, index=True),
    text(
        "invited_by",
        ForeignKey("user_account.id", ondelete="SET NULL"),
        nullable=True,
        index=True,
    ),
    int64("created_at_ms"),
)

_INVITATIONS = Rule(
    "team-invitation", limits.TEAM_INVITATIONS_BURST, limits.TEAM_INVITATIONS_INTERVAL_MS
)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A channel that was asked into a team and has not answered."""

    team: Team
    channel: Channel
    created_at_ms: int


class Invitations:
    """Sends, withdraws and answers them."""

    def __init__(self, db: Database, clock: Clock, throttles: Throttles, teams: Teams) -> None:
        self._db = db
        self._clock = clock
        self._throttles = throttles
        self._teams = teams

    async def invite(self, actor: User, team_slug: str, channel_slug: str) -> Invitation:
        """Ask a channel into a team that `actor` leads.

        Raises `NotFound`, `Forbidden`, `Conflict` (a member, asked already, or the team is full) or
        `RateLimited`.
        """
        await self._db.read(teams.get_managed, actor, team_slug)
        await self._throttles.charge((_INVITATIONS, _INVITATIONS.key(actor.id)))
        channel_slug = channel_slug.strip().removeprefix("/").removeprefix("@").lower()
        return await self._db.write(
            self._invite, actor, team_slug, channel_slug, self._clock.wall_ms()
        )

    async def of_team(self, found: Team) -> list[Invitation]:
        """Those that a team waits for, oldest first; the caller has checked who asks."""
        return await self._db.read(_list, team_invitation.c.team_id == found.id)

    async def of_channel(self, channel: Channel) -> list[Invitation]:
        """Those that a channel may answer, oldest first; the caller has checked who asks."""
        return await self._db.read(_list, team_invitation.c.channel_id == channel.id)

    async def withdraw(self, actor: User, team_slug: str, channel_slug: str) -> None:
        """Raises `NotFound` or `Forbidden`."""
        await self._db.write(_withdraw, actor, team_slug, channel_slug)

    async def accept(self, actor: User, channel_slug: str, team_slug: str) -> Team:
        """Join with a channel of one's own.

        Raises `NotFound` (also when it was not invited), `Forbidden` or `Conflict` (too many).
        """
        return await self._db.write(
            self._accept, actor, channel_slug, team_slug, self._clock.wall_ms()
        )

    async def decline(self, actor: User, channel_slug: str, team_slug: str) -> None:
        """Raises `NotFound` or `Forbidden`."""
        await self._db.write(self._decline, actor, channel_slug, team_slug, self._clock.wall_ms())

    def _invite(
        self, tx: Transaction, actor: User, team_slug: str, channel_slug: str, now_ms: int
    ) -> Invitation:
        found = teams.managed(tx, actor, team_slug)
        invited = _visible(tx, channel_slug)
        if teams.role_in(tx, found.id, invited.id) is not None:
            raise Conflict(f"{invited.name} is in the team already.", field="channel")
        waiting = _list(tx, team_invitation.c.team_id == found.id)
        if any(one.channel.id == invited.id for one in waiting):
            raise Conflict(f"{invited.name} is invited already.", field="channel")
        if teams.count_members(tx, found.id) + len(waiting) >= limits.TEAM_MEMBERS_MAX:
            raise Conflict(
                f"A team can have {limits.TEAM_MEMBERS_MAX} channels.", field="channel", code="full"
            )
        tx.execute(
            insert(team_invitation).values(
                team_id=found.id,
                channel_id=invited.id,
                invited_by=actor.id,
                created_at_ms=now_ms,
            )
        )
        self._teams.tell(
            tx,
            invited.owner_id,
            f"{found.name} invites {invited.name}",
            f"{actor.username} asks your channel into the team. Accept or decline in your studio.",
            f"/studio/{invited.slug}/teams",
            now_ms,
        )
        return Invitation(found, invited, now_ms)

    def _accept(
        self, tx: Transaction, actor: User, channel_slug: str, team_slug: str, now_ms: int
    ) -> Team:
        check(actor, Action.JOIN_TEAM)
        found, channel = _answer(tx, actor, channel_slug, team_slug)
        try:
            teams.add(tx, found.id, channel.id, "member", now_ms)
        except IntegrityError as error:
            raise Conflict("Your channel is in the team already.") from error
        title = f"{channel.name} has joined {found.name}"
        body = "It stands on the team’s page from now on."
        self._teams.tell(tx, found.owner_id, title, body, f"/team/{found.slug}", now_ms)
        return found

    def _decline(
        self, tx: Transaction, actor: User, channel_slug: str, team_slug: str, now_ms: int
    ) -> None:
        found, channel = _answer(tx, actor, channel_slug, team_slug)
        title = f"{channel.name} has declined to join {found.name}"
        body = "You can ask another channel in its place."
        self._teams.tell(tx, found.owner_id, title, body, f"/team/{found.slug}/manage", now_ms)


def _answer(
    tx: Transaction, actor: User, channel_slug: str, team_slug: str
) -> tuple[Team, Channel]:
    """Take the invitation away: of two answers at once, one finds it."""
    channel = channels.get_managed(tx, actor, channel_slug)
    found = teams.get(tx, team_slug)
    teams.lock(tx, found.id)
    _remove(tx, found, channel)
    return found, channel


def _withdraw(tx: Transaction, actor: User, team_slug: str, channel_slug: str) -> None:
    found = teams.managed(tx, actor, team_slug)
    _remove(tx, found, channels.get(tx, channel_slug))


def _remove(tx: Transaction, found: Team, channel: Channel) -> None:
    removed = tx.execute(
        delete(team_invitation).where(
            team_invitation.c.team_id == found.id, team_invitation.c.channel_id == channel.id
        )
    )
    if removed.rowcount == 0:
        raise NotFound("There is no such invitation.", code="invitation_not_found")


def _visible(tx: Transaction, channel_slug: str) -> Channel:
    channel = channels.get(tx, channel_slug)
    if channel.is_hidden:
        raise NotFound("There is no such channel.", code="channel_not_found")
    return channel


def _list(tx: Transaction, of: object) -> list[Invitation]:
    rows = tx.execute(
        select(team_invitation)
        .where(of)  # type: ignore[arg-type]  # a comparison of a column
        .order_by(team_invitation.c.created_at_ms, team_invitation.c.team_id)
        .limit(limits.TEAM_MEMBERS_MAX)
    ).all()
    found = teams.by_ids(tx, {row.team_id for row in rows})
    asked = channels.by_ids(tx, {row.channel_id for row in rows})
    return [
        Invitation(found[row.team_id], asked[row.channel_id], row.created_at_ms) for row in rows
    ]
