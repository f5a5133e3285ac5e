"""Teams: forming, joining, leaving, handing over; and everybody who tries more."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.accounts.users import User, set_banned_until
from mediaserver.channels import channels as channels_module
from mediaserver.channels.channels import Channel, Channels
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, MediaserverError, NotFound
from mediaserver.notifications.notices import Notices
from mediaserver.teams import personal
from mediaserver.teams.invitations import Invitations
from mediaserver.teams.teams import Team, Teams


async def _members(teams: Teams, found: Team) -> list[tuple[str, str]]:
    return [(one.channel.slug, one.role) for one in await teams.members(found)]


async def _join(invitations: Invitations, alice: User, user: User, slug: str) -> None:
    await invitations.invite(alice, "night-owls", slug)
    await invitations.accept(user, slug, "night-owls")


async def test_forming_one(teams: Teams, owls: Team, alice: User, alices: Channel) -> None:
    assert (owls.slug, owls.name, owls.owner) == ("night-owls", "Night Owls", "alice")
    assert await _members(teams, owls) == [("alice-tv", "owner")]
    assert await teams.of_channel(alices.id) == await teams.owned(alice) == [owls]


@pytest.mark.parametrize(
    ("slug", "name", "error", "field"),
    [
        ("night-owls", "Second", Conflict, "slug"),
        ("Night-Owls", "Second", Conflict, "slug"),
        ("admin", "Second", Conflict, "slug"),
        ("оwls", "Cyrillic", Invalid, "slug"),
        ("a b", "Second", Invalid, "slug"),
        ("ab", "Second", Invalid, "slug"),
        ("x" * 31, "Second", Invalid, "slug"),
        ("second", "", Invalid, "name"),
        ("second", "\u202e", Invalid, "name"),
        ("second", "a\x00b", Invalid, "name"),
        ("second", "two\nlines", Invalid, "name"),
        ("second", "x" * 61, Invalid, "name"),
        ("second", "a" + "\u0301" * 9, Invalid, "name"),
    ],
)
async def test_wrong_teams(
    teams: Teams,
    owls: Team,
    alice: User,
    slug: str,
    name: str,
    error: type[MediaserverError],
    field: str,
) -> None:
    with pytest.raises(error) as caught:
        await teams.form(alice, "alice-tv", slug, name)
    assert getattr(caught.value, "field", "") == field
    assert await teams.owned(alice) == [owls]


async def test_directions_are_taken_out_of_names(
    teams: Teams, alice: User, alices: Channel
) -> None:
    made = await teams.form(alice, "alice-tv", "owls", "Owls \u202eslwO\u2066", "a\u202eb")
    assert (made.name, made.about) == ("Owls slwO", "ab")


async def test_only_with_a_channel_of_ones_own(teams: Teams, bob: User, alices: Channel) -> None:
    with pytest.raises(Forbidden):
        await teams.form(bob, "alice-tv", "owls", "Owls")
    with pytest.raises(NotFound):
        await teams.form(bob, "bob-tv", "owls", "Owls")


async def test_so_many_and_no_more(teams: Teams, owls: Team, alice: User) -> None:
    made = await asyncio.gather(
        *(teams.form(alice, "alice-tv", f"team-{n}", "T") for n in range(limits.TEAMS_OWNED_MAX)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in made) == 1
    assert len(await teams.owned(alice)) == limits.TEAMS_OWNED_MAX


async def test_inviting_and_joining(
    teams: Teams,
    invitations: Invitations,
    owls: Team,
    alice: User,
    bob: User,
    bobs: Channel,
    db: Database,
    clock: FakeClock,
) -> None:
    await invitations.invite(alice, "night-owls", " /@BOB-tv")
    notices = Notices(db, clock)
    (told,) = await notices.page(bob)
    assert (told.title, told.path) == ("Night Owls invites Bob", "/studio/bob-tv/teams")
    assert [one.team.slug for one in await invitations.of_channel(bobs)] == ["night-owls"]
    assert await _members(teams, owls) == [("alice-tv", "owner")], "not before they accept"
    await invitations.accept(bob, "bob-tv", "night-owls")
    assert await _members(teams, owls) == [("alice-tv", "owner"), ("bob-tv", "member")]
    assert [one.title for one in await notices.page(alice)] == ["Bob has joined Night Owls"]
    assert await invitations.of_team(owls) == []


async def test_who_may_not_invite(
    invitations: Invitations, owls: Team, alice: User, bob: User, bobs: Channel, carols: Channel
) -> None:
    with pytest.raises(Forbidden):
        await invitations.invite(bob, "night-owls", "bob-tv")
    for slug in ("nobody", "", "a b", "../x", "x\x00y"):
        with pytest.raises(NotFound):
            await invitations.invite(alice, "night-owls", slug)
    await invitations.invite(alice, "night-owls", "bob-tv")
    for slug in ("bob-tv", "alice-tv"):
        with pytest.raises(Conflict) as caught:
            await invitations.invite(alice, "night-owls", slug)
        assert caught.value.field == "channel"
    with pytest.raises(Forbidden):
        await invitations.withdraw(bob, "night-owls", "bob-tv")


async def test_nobody_answers_anothers_invitation(
    teams: Teams,
    invitations: Invitations,
    owls: Team,
    alice: User,
    bob: User,
    carol: User,
    bobs: Channel,
    carols: Channel,
) -> None:
    await invitations.invite(alice, "night-owls", "bob-tv")
    for slug, error in (("bob-tv", Forbidden), ("carol-tv", NotFound)):
        with pytest.raises(error):
            await invitations.accept(carol, slug, "night-owls")
        with pytest.raises(error):
            await invitations.decline(carol, slug, "night-owls")
    assert await _members(teams, owls) == [("alice-tv", "owner")]


async def test_an_invitation_is_answered_once(
    teams: Teams, invitations: Invitations, owls: Team, alice: User, bob: User, bobs: Channel
) -> None:
    await invitations.invite(alice, "night-owls", "bob-tv")
    answers = await asyncio.gather(
        invitations.accept(bob, "bob-tv", "night-owls"),
        invitations.accept(bob, "bob-tv", "night-owls"),
        invitations.decline(bob, "bob-tv", "night-owls"),
        return_exceptions=True,
    )
    assert sum(isinstance(one, NotFound) for one in answers) == 2
    with pytest.raises(NotFound):
        await invitations.accept(bob, "bob-tv", "night-owls")


async def test_declined_and_withdrawn(
    teams: Teams, invitations: Invitations, owls: Team, alice: User, bob: User, bobs: Channel
) -> None:
    await invitations.invite(alice, "night-owls", "bob-tv")
    await invitations.decline(bob, "bob-tv", "night-owls")
    await invitations.invite(alice, "night-owls", "bob-tv")
    await invitations.withdraw(alice, "night-owls", "bob-tv")
    for _ in range(2):
        with pytest.raises(NotFound):
            await invitations.accept(bob, "bob-tv", "night-owls")
    with pytest.raises(NotFound):
        await invitations.withdraw(alice, "night-owls", "bob-tv")
    assert await _members(teams, owls) == [("alice-tv", "owner")]


async def test_a_team_is_full(
    invitations: Invitations,
    owls: Team,
    alice: User,
    bobs: Channel,
    carols: Channel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "TEAM_MEMBERS_MAX", 2)
    await invitations.invite(alice, "night-owls", "bob-tv")
    with pytest.raises(Conflict) as caught:
        await invitations.invite(alice, "night-owls", "carol-tv")
    assert caught.value.code == "full"


async def test_a_channel_in_too_many(
    teams: Teams,
    invitations: Invitations,
    owls: Team,
    alice: User,
    bob: User,
    bobs: Channel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "TEAMS_PER_CHANNEL_MAX", 1)
    await teams.form(bob, "bob-tv", "early-birds", "Early Birds")
    await invitations.invite(alice, "night-owls", "bob-tv")
    with pytest.raises(Conflict):
        await invitations.accept(bob, "bob-tv", "night-owls")
    assert len(await invitations.of_channel(bobs)) == 1, "it may be accepted later"


async def test_leaving(
    teams: Teams, invitations: Invitations, owls: Team, alice: User, bob: User, bobs: Channel
) -> None:
    await _join(invitations, alice, bob, "bob-tv")
    with pytest.raises(Forbidden):
        await teams.leave(alice, "bob-tv", "night-owls")
    await teams.leave(bob, "bob-tv", "night-owls")
    with pytest.raises(NotFound):
        await teams.leave(bob, "bob-tv", "night-owls")
    with pytest.raises(Conflict) as caught:
        await teams.leave(alice, "alice-tv", "night-owls")
    assert caught.value.code == "leads_the_team"
    assert await _members(teams, owls) == [("alice-tv", "owner")]


async def test_removing(
    teams: Teams,
    invitations: Invitations,
    owls: Team,
    alice: User,
    bob: User,
    bobs: Channel,
    db: Database,
    clock: FakeClock,
) -> None:
    await _join(invitations, alice, bob, "bob-tv")
    for slug in ("alice-tv", "bob-tv"):
        with pytest.raises(Forbidden):
            await teams.remove(bob, "night-owls", slug)
    with pytest.raises(Conflict):
        await teams.remove(alice, "night-owls", "alice-tv")
    clock.advance(1)
    await teams.remove(alice, "night-owls", "bob-tv")
    told = await Notices(db, clock).page(bob)
    assert told[0].title == "Bob is no longer in Night Owls"
    assert await _members(teams, owls) == [("alice-tv", "owner")]


async def test_handing_over(
    teams: Teams,
    invitations: Invitations,
    channels: Channels,
    owls: Team,
    alice: User,
    bob: User,
    bobs: Channel,
    carols: Channel,
) -> None:
    await _join(invitations, alice, bob, "bob-tv")
    with pytest.raises(Forbidden):
        await teams.hand_over(bob, "night-owls", "bob-tv")
    with pytest.raises(NotFound):
        await teams.hand_over(alice, "night-owls", "carol-tv")
    with pytest.raises(Conflict):
        await teams.hand_over(alice, "night-owls", "alice-tv")
    handed = await teams.hand_over(alice, "night-owls", "bob-tv")
    assert handed.owner == "bob"
    assert await _members(teams, owls) == [("bob-tv", "owner"), ("alice-tv", "member")]
    with pytest.raises(Forbidden):
        await teams.delete(alice, "night-owls")
    await teams.leave(alice, "alice-tv", "night-owls")


async def test_changing_and_deleting(
    teams: Teams,
    invitations: Invitations,
    owls: Team,
    alice: User,
    bob: User,
    admin: User,
    bobs: Channel,
    carols: Channel,
) -> None:
    await _join(invitations, alice, bob, "bob-tv")
    await invitations.invite(alice, "night-owls", "carol-tv")
    changed = await teams.change(alice, "night-owls", about="We stream late.")
    assert (changed.name, changed.about) == ("Night Owls", "We stream late.")
    for wrong in ({"name": ""}, {"name": "a\x00"}, {"about": "\x07"}):
        with pytest.raises(Invalid):
            await teams.change(alice, "night-owls", **wrong)
    with pytest.raises(Forbidden):
        await teams.change(bob, "night-owls", name="Bob's")
    await teams.change(admin, "night-owls", name="Owls")
    await teams.delete(alice, "night-owls")
    with pytest.raises(NotFound):
        await teams.get("night-owls")
    assert await teams.of_channel(bobs.id) == await invitations.of_channel(carols) == []


async def test_a_hidden_channel_is_not_shown(
    teams: Teams,
    invitations: Invitations,
    owls: Team,
    alice: User,
    bob: User,
    bobs: Channel,
    db: Database,
) -> None:
    await _join(invitations, alice, bob, "bob-tv")
    accounts = channels_module.user_account
    await db.write(
        lambda tx: tx.execute(
            accounts.update().where(accounts.c.id == bob.id).values(banned_until_ms=1)
        )
    )
    assert await _members(teams, owls) == [("alice-tv", "owner")]


async def test_export_and_the_end_of_an_account(
    teams: Teams,
    invitations: Invitations,
    owls: Team,
    alice: User,
    bob: User,
    bobs: Channel,
    db: Database,
) -> None:
    await teams.form(alice, "alice-tv", "alone", "Alone")
    await _join(invitations, alice, bob, "bob-tv")
    exported = await db.read(personal.export, alice.id)
    assert [one["team"] for one in exported["owned"]] == ["alone", "night-owls"]
    assert [one["team"] for one in (await db.read(personal.export, bob.id))["member"]] == [
        "night-owls"
    ]
    await db.write(personal.erase, alice.id, 1)
    assert (await teams.get("night-owls")).owner == "bob"
    await teams.change(bob, "night-owls", about="We are up late.")
    await db.write(set_banned_until, bob.id, 1)
    assert (await teams.get("night-owls")).about == "", "nobody sees what a banned owner says"
    with pytest.raises(NotFound):
        await teams.get("alone")
