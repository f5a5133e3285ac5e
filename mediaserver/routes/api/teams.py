"""Teams over the API: forming one, its members, invitations and their answers."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound, RateLimited
from mediaserver.routes.api.operation import Answer, Body, Operations, caller
from mediaserver.routes.keys import CHANNELS, INVITATIONS, LIVE, TEAMS
from mediaserver.routes.live_view import is_watchable
from mediaserver.teams.invitations import Invitation
from mediaserver.teams.teams import Team

api = Operations("Teams", Scope.CHANNELS)

_MANAGED = (Forbidden, NotFound)
_SLUG_FIELD_CHARS_MAX = 100


class NewTeam(Body):
    channel: str = Field(
        description="The address of the channel of yours that leads it.",
        max_length=_SLUG_FIELD_CHARS_MAX,
        examples=["alice"],
    )
    slug: str = Field(
        description="The name in the team's address: 3 to 30 of a-z, 0-9 and -.",
        max_length=_SLUG_FIELD_CHARS_MAX,
        examples=["night-owls"],
    )
    name: str = Field(max_length=limits.TEAM_NAME_CHARS_MAX, examples=["Night Owls"])
    about: str = Field("", max_length=limits.TEAM_ABOUT_CHARS_MAX)


class TeamChange(Body):
    """What isn't named stays as it is."""

    name: str | None = Field(None, max_length=limits.TEAM_NAME_CHARS_MAX, examples=["Owls"])
    about: str | None = Field(None, max_length=limits.TEAM_ABOUT_CHARS_MAX)


class ChannelNamed(Body):
    channel: str = Field(
        description="The address of a channel.",
        max_length=_SLUG_FIELD_CHARS_MAX,
        examples=["bob"],
    )


class TeamOut(Answer):
    """A team. `owner` is a user name."""

    slug: str
    name: str
    about: str
    owner: str
    created_at_ms: int


class MemberOut(Answer):
    """A channel of a team. `role`: owner for the one that leads it, else member."""

    slug: str
    name: str
    is_verified: bool
    is_live: bool
    role: str
    joined_at_ms: int


class TeamWithMembers(TeamOut):
    """A team with its channels, the leading one first."""

    members: list[MemberOut]


class TeamList(Answer):
    """Teams by name."""

    teams: list[TeamOut]


class InvitationOut(Answer):
    """A channel that was asked into a team."""

    team: str
    team_name: str
    channel: str
    created_at_ms: int


class InvitationList(Answer):
    """Invitations without an answer, oldest first."""

    invitations: list[InvitationOut]


def _team(found: Team) -> TeamOut:
    return TeamOut(
        slug=found.slug,
        name=found.name,
        about=found.about,
        owner=found.owner,
        created_at_ms=found.created_at_ms,
    )


def _invitation(one: Invitation) -> InvitationOut:
    return InvitationOut(
        team=one.team.slug,
        team_name=one.team.name,
        channel=one.channel.slug,
        created_at_ms=one.created_at_ms,
    )


def _is_live(request: web.Request, channel: Channel) -> bool:
    status = request.app[LIVE].status(channel.slug)
    return status is not None and is_watchable(status)


async def _with_members(request: web.Request, found: Team) -> TeamWithMembers:
    return TeamWithMembers(
        **dict(_team(found)),
        members=[
            MemberOut(
                slug=one.channel.slug,
                name=one.channel.name,
                is_verified=one.channel.is_verified,
                is_live=_is_live(request, one.channel),
                role=one.role,
                joined_at_ms=one.joined_at_ms,
            )
            for one in await request.app[TEAMS].members(found)
        ],
    )


@api.post(
    "/teams",
    "Form a team",
    body=NewTeam,
    answer=TeamWithMembers,
    status=201,
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def form_team(request: web.Request, body: NewTeam) -> TeamWithMembers:
    """Forms a team that a channel of yours leads. 409 when its address is taken, or when you lead
    too many.
    """
    made = await request.app[TEAMS].form(
        caller(request), body.channel, body.slug, body.name, body.about
    )
    return await _with_members(request, made)


@api.get("/teams/{team}", "Show a team", answer=TeamWithMembers, errors=(NotFound,))
async def show_team(request: web.Request) -> TeamWithMembers:
    """One team, and who of it is live."""
    found = await request.app[TEAMS].get(request.match_info["team"])
    return await _with_members(request, found)


@api.patch(
    "/teams/{team}",
    "Change a team",
    body=TeamChange,
    answer=TeamOut,
    sign_in=True,
    errors=_MANAGED,
)
async def change_team(request: web.Request, body: TeamChange) -> TeamOut:
    """Changes what is given. Only its owner or an admin may."""
    changed = await request.app[TEAMS].change(
        caller(request), request.match_info["team"], name=body.name, about=body.about
    )
    return _team(changed)


@api.delete("/teams/{team}", "Delete a team", sign_in=True, confirm=True, errors=_MANAGED)
async def delete_team(request: web.Request) -> None:
    """Its channels stay, and their owners are told."""
    await request.app[TEAMS].delete(caller(request), request.match_info["team"])


@api.put(
    "/teams/{team}/owner",
    "Hand a team over",
    body=ChannelNamed,
    answer=TeamOut,
    sign_in=True,
    confirm=True,
    errors=(*_MANAGED, Conflict),
)
async def hand_team_over(request: web.Request, body: ChannelNamed) -> TeamOut:
    """Makes the owner of a member the owner of the team."""
    changed = await request.app[TEAMS].hand_over(
        caller(request), request.match_info["team"], body.channel
    )
    return _team(changed)


@api.delete(
    "/teams/{team}/members/{slug}",
    "Remove a member",
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def remove_member(request: web.Request) -> None:
    """Takes a channel out of a team of yours; 409 for the one that leads it."""
    await request.app[TEAMS].remove(
        caller(request), request.match_info["team"], request.match_info["slug"]
    )


@api.get(
    "/teams/{team}/invitations",
    "List a team's invitations",
    answer=InvitationList,
    sign_in=True,
    errors=_MANAGED,
)
async def list_team_invitations(request: web.Request) -> InvitationList:
    """Whom the team has asked. Only its owner or an admin may."""
    found = await request.app[TEAMS].get_managed(caller(request), request.match_info["team"])
    waiting = await request.app[INVITATIONS].of_team(found)
    return InvitationList(invitations=[_invitation(one) for one in waiting])


@api.post(
    "/teams/{team}/invitations",
    "Invite a channel",
    body=ChannelNamed,
    answer=InvitationOut,
    status=201,
    sign_in=True,
    errors=(*_MANAGED, Conflict, RateLimited),
)
async def invite_channel(request: web.Request, body: ChannelNamed) -> InvitationOut:
    """Asks a channel into a team of yours; its owner is told."""
    made = await request.app[INVITATIONS].invite(
        caller(request), request.match_info["team"], body.channel
    )
    return _invitation(made)


@api.delete(
    "/teams/{team}/invitations/{slug}",
    "Withdraw an invitation",
    sign_in=True,
    errors=_MANAGED,
)
async def withdraw_invitation(request: web.Request) -> None:
    """The channel can no longer accept it."""
    await request.app[INVITATIONS].withdraw(
        caller(request), request.match_info["team"], request.match_info["slug"]
    )


@api.get("/channels/{slug}/teams", "List a channel's teams", answer=TeamList, errors=(NotFound,))
async def list_channel_teams(request: web.Request) -> TeamList:
    """The teams that a channel is in."""
    channel = await request.app[CHANNELS].get(request.match_info["slug"])
    return TeamList(teams=[_team(one) for one in await request.app[TEAMS].of_channel(channel.id)])


@api.delete(
    "/channels/{slug}/teams/{team}",
    "Leave a team",
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def leave_team(request: web.Request) -> None:
    """409 for the channel that leads the team: hand it over first, or delete it."""
    await request.app[TEAMS].leave(
        caller(request), request.match_info["slug"], request.match_info["team"]
    )


@api.get(
    "/channels/{slug}/team-invitations",
    "List a channel's invitations",
    answer=InvitationList,
    sign_in=True,
    errors=_MANAGED,
)
async def list_channel_invitations(request: web.Request) -> InvitationList:
    """What a channel of yours may accept or decline."""
    channel = await request.app[CHANNELS].get_managed(caller(request), request.match_info["slug"])
    waiting = await request.app[INVITATIONS].of_channel(channel)
    return InvitationList(invitations=[_invitation(one) for one in waiting])


@api.post(
    "/channels/{slug}/team-invitations/{team}/accept",
    "Join a team",
    answer=TeamOut,
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def join_team(request: web.Request) -> TeamOut:
    """Accepts the invitation of a team. 404 when there is none, or it was answered already."""
    joined = await request.app[INVITATIONS].accept(
        caller(request), request.match_info["slug"], request.match_info["team"]
    )
    return _team(joined)


@api.post(
    "/channels/{slug}/team-invitations/{team}/decline",
    "Decline an invitation",
    sign_in=True,
    errors=_MANAGED,
)
async def decline_invitation(request: web.Request) -> None:
    """The team's owner is told; they may ask again."""
    await request.app[INVITATIONS].decline(
        caller(request), request.match_info["slug"], request.match_info["team"]
    )
