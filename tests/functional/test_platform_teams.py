"""Teams over HTTP: pages and API, from forming one to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.functional.platform_site import FakeStatus, Person, Site, running_site

OWLS = {"channel": "alice", "slug": "night-owls", "name": "Night Owls"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    return await site.streamer("alice")


@pytest.fixture
async def bob(site: Site) -> Person:
    return await site.streamer("bob")


async def _form(alice: Person) -> None:
    status, answer = await alice.api("POST", "/teams", OWLS)
    assert status == 201, answer


async def _join(alice: Person, bob: Person) -> None:
    await _form(alice)
    status, _ = await alice.api("POST", "/teams/night-owls/invitations", {"channel": "bob"})
    assert status == 201
    path = "/channels/bob/team-invitations/night-owls/accept"
    assert (await bob.api("POST", path))[0] == 200


async def test_from_the_studio_to_the_page(site: Site, alice: Person, bob: Person) -> None:
    visitor = site.person()
    assert "is in no team" in (await alice.get("/studio/alice/teams"))[1]
    form = {"name": "Night Owls", "slug": "night-owls", "about": "We stream late."}
    status, _, response = await alice.post("/studio/alice/teams", form)
    assert (status, response.headers["Location"]) == (303, "/team/night-owls/manage")
    status, text, _ = await alice.post("/team/night-owls/invite", {"channel": "nobody"})
    assert status == 422
    assert "no such channel" in text
    assert (await alice.post("/team/night-owls/invite", {"channel": "@bob"}))[0] == 303
    assert "Waiting for an answer" in (await alice.get("/team/night-owls/manage"))[1]
    letter = await site.mailbox.letter(
        "bob@example.org", where=lambda one: "invites" in one.subject
    )
    assert "/studio/bob/teams" in letter.body
    assert "Night Owls" in (await bob.get("/studio/bob/teams"))[1]
    assert (await bob.post("/studio/bob/teams/accept", {"team": "night-owls"}))[0] == 303
    site.media.broadcasts.statuses.append(FakeStatus("bob"))
    _, text, _ = await visitor.get("/team/night-owls")
    assert "2 channels, 1 live now" in text
    assert text.index('class="card"') < text.index('class="channel-link"')
    assert "We stream late." in text
    assert "/manage" not in text
    assert "/team/night-owls" in (await visitor.get("/@bob"))[1]
    assert (await visitor.get("/team/Night-Owls"))[2].headers["Location"] == "/team/night-owls"
    assert (await bob.post("/studio/bob/teams/leave", {"team": "night-owls"}))[0] == 303
    assert "/team/night-owls" not in (await visitor.get("/@bob"))[1]
    assert (await alice.post("/team/night-owls/delete"))[0] == 303
    assert (await visitor.get("/team/night-owls"))[0] == 404


async def test_forms_come_back(alice: Person, bob: Person) -> None:
    status, text, _ = await alice.post("/studio/alice/teams", {"name": "<b>", "slug": "admin"})
    assert status == 409
    assert "error-slug" in text
    assert 'value="&lt;b&gt;"' in text
    await _join(alice, bob)
    for path, form, expected in (
        ("/studio/alice/teams/leave", {"team": "night-owls"}, 409),
        ("/studio/bob/teams/accept", {"team": "night-owls"}, 404),
        ("/studio/bob/teams/decline", {"team": "night-owls"}, 303),
        ("/team/night-owls/manage", {"name": ""}, 422),
        ("/team/night-owls/remove", {"channel": "alice"}, 409),
        ("/team/night-owls/hand-over", {"channel": "alice"}, 409),
        ("/team/night-owls/withdraw", {"channel": "bob"}, 303),
        ("/team/night-owls/invite", {"channel": "bob"}, 409),
    ):
        person = bob if "/bob/" in path else alice
        status, text, _ = await person.post(path, form)
        assert status == expected, path
    assert (await alice.post("/team/night-owls/hand-over", {"channel": "bob"}))[0] == 303
    assert (await alice.get("/team/night-owls/manage"))[0] == 403
    assert (await bob.get("/team/night-owls/manage"))[0] == 200
    assert (await bob.post("/team/night-owls/remove", {"channel": "alice"}))[0] == 303


async def test_over_the_api(site: Site, alice: Person, bob: Person) -> None:
    await _join(alice, bob)
    visitor = site.person()
    status, team = await visitor.api("GET", "/teams/night-owls")
    assert status == 200
    assert [(one["slug"], one["role"], one["is_live"]) for one in team["members"]] == [
        ("alice", "owner", False),
        ("bob", "member", False),
    ]
    _, answer = await visitor.api("GET", "/channels/bob/teams")
    assert [one["slug"] for one in answer["teams"]] == ["night-owls"]
    status, answer = await alice.api("PATCH", "/teams/night-owls", {"about": "Late."})
    assert (status, answer["about"], answer["name"]) == (200, "Late.", "Night Owls")
    assert (await alice.api("DELETE", "/teams/night-owls/members/bob"))[0] == 204
    invited = await alice.api("POST", "/teams/night-owls/invitations", {"channel": "bob"})
    assert invited[1]["team"] == "night-owls"
    assert len((await alice.api("GET", "/teams/night-owls/invitations"))[1]["invitations"]) == 1
    assert len((await bob.api("GET", "/channels/bob/team-invitations"))[1]["invitations"]) == 1
    path = "/channels/bob/team-invitations/night-owls"
    assert (await bob.api("POST", f"{path}/decline"))[0] == 204
    assert (await bob.api("POST", f"{path}/decline"))[0] == 404
    await alice.api("POST", "/teams/night-owls/invitations", {"channel": "bob"})
    assert (await alice.api("DELETE", "/teams/night-owls/invitations/bob"))[0] == 204
    assert (await bob.api("POST", f"{path}/accept"))[0] == 404
    assert (await alice.api("PUT", "/teams/night-owls/owner", {"channel": "bob"}))[0] == 404
    assert (await alice.api("DELETE", "/channels/alice/teams/night-owls"))[0] == 409
    assert (await alice.api("DELETE", "/teams/night-owls"))[0] == 204
    assert (await visitor.api("GET", "/teams/night-owls"))[0] == 404


async def test_others_may_not(site: Site, alice: Person, bob: Person) -> None:
    await _form(alice)
    await alice.api("POST", "/teams/night-owls/invitations", {"channel": "bob"})
    carol, visitor = await site.streamer("carol"), site.person()
    for method, path, body in (
        ("PATCH", "/teams/night-owls", {"name": "Mine"}),
        ("DELETE", "/teams/night-owls", None),
        ("PUT", "/teams/night-owls/owner", {"channel": "carol"}),
        ("GET", "/teams/night-owls/invitations", None),
        ("POST", "/teams/night-owls/invitations", {"channel": "carol"}),
        ("DELETE", "/teams/night-owls/invitations/bob", None),
        ("DELETE", "/teams/night-owls/members/alice", None),
        ("GET", "/channels/bob/team-invitations", None),
        ("POST", "/channels/bob/team-invitations/night-owls/accept", None),
        ("POST", "/channels/bob/team-invitations/night-owls/decline", None),
        ("DELETE", "/channels/alice/teams/night-owls", None),
        ("POST", "/teams", OWLS | {"slug": "mine"}),
    ):
        assert (await carol.api(method, path, body))[0] == 403, path
        assert (await visitor.api(method, path, body))[0] == 401, path
    for path in ("manage", "invite", "withdraw", "remove", "hand-over", "delete"):
        assert (await carol.post(f"/team/night-owls/{path}", {"name": "x"}))[0] == 403, path
        assert (await visitor.post(f"/team/night-owls/{path}"))[0] == 401, path
    assert (await carol.post("/studio/bob/teams/accept", {"team": "night-owls"}))[0] == 403
    _, team = await visitor.api("GET", "/teams/night-owls")
    assert (team["name"], len(team["members"])) == ("Night Owls", 1)


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"slug": "admin"}, 409, "slug"),
        ({"slug": "оwls"}, 422, "slug"),
        ({"slug": "../x"}, 422, "slug"),
        ({"name": "\u202e\u2066"}, 422, "name"),
        ({"name": "a\u0000b"}, 422, "name"),
        ({"name": "x" * 61}, 422, "name"),
        ({"about": "x" * 2001}, 422, "about"),
        ({"owner_id": "usr_1"}, 422, "owner_id"),
        ({"role": "owner"}, 422, "role"),
        ({"members": ["bob"]}, 422, "members"),
    ],
)
async def test_wrong_teams(
    alice: Person, change: dict[str, object], status: int, field: str
) -> None:
    answered, answer = await alice.api("POST", "/teams", OWLS | change)
    assert (answered, answer["error"]["field"]) == (status, field)


async def test_names_are_text(site: Site, alice: Person) -> None:
    await alice.api("POST", "/teams", OWLS | {"name": "<script>x</script>", "about": "<b>a"})
    for path in ("/team/night-owls", "/@alice"):
        _, text, _ = await site.person().get(path)
        assert "<script>x" not in text
        assert "<b>a" not in text
        assert "&lt;script&gt;x" in text
