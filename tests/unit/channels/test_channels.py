"""Channels: names, limits, who may change them."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel, Channels
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound


async def test_create_and_get(channels: Channels, alice: User) -> None:
    made = await channels.create(alice, " Alice-TV ", "  Alice's  ", description="a\r\nb")
    assert (made.slug, made.name, made.owner, made.title) == ("alice-tv", "Alice's", "alice", "")
    assert made.description == "a\nb"
    assert await channels.get("alice-tv") == made


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "ab",
        "a" * 31,
        "-abc",
        "abc-",
        "a_b_c",
        "a b c",
        "äöü",
        "abc/def",
        "..abc",
        "abc\n"[:3] + "\0",
    ],
)
async def test_wrong_slugs(channels: Channels, alice: User, slug: str) -> None:
    with pytest.raises(Invalid) as caught:
        await channels.create(alice, slug, "Name")
    assert caught.value.field == "slug"
    with pytest.raises(NotFound):
        await channels.get(slug)


@pytest.mark.parametrize("slug", ["channels", "admin", "studio", "Live"])
async def test_reserved_slugs(channels: Channels, alice: User, slug: str) -> None:
    with pytest.raises(Conflict):
        await channels.create(alice, slug, "Name")


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"title": "x" * 141}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"description": "x" * 2001}, "description"),
        ({"description": "bell\a"}, "description"),
    ],
)
async def test_wrong_texts(
    channels: Channels, alice: User, channel: Channel, texts: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await channels.create(alice, "other", **{"name": "Name", **texts})
    assert caught.value.field == field
    with pytest.raises(Invalid) as caught:
        await channels.update(alice, "alice-tv", **texts)
    assert caught.value.field == field


async def test_a_slug_is_taken_once(channels: Channels, channel: Channel, bob: User) -> None:
    with pytest.raises(Conflict) as caught:
        await channels.create(bob, "ALICE-TV", "Bob")
    assert caught.value.field == "slug"


async def test_limit_per_user_holds_at_once(channels: Channels, alice: User, bob: User) -> None:
    results = await asyncio.gather(
        *(channels.create(alice, f"alice-{n}", "x") for n in range(6)), return_exceptions=True
    )
    assert sum(isinstance(result, Conflict) for result in results) == 3
    await channels.create(bob, "bob-tv", "Bob")
    assert len(await channels.list_owned(alice)) == 3
    assert len(await channels.list_all()) == 4


async def test_update_changes_what_is_given(
    channels: Channels, channel: Channel, alice: User, admin: User
) -> None:
    changed = await channels.update(alice, "alice-tv", title="Cooking")
    assert (changed.title, changed.name) == ("Cooking", "Alice")
    assert (await channels.update(admin, "alice-tv", title="")).title == ""


async def test_only_owner_and_admin_manage(
    channels: Channels, channel: Channel, bob: User, admin: User
) -> None:
    with pytest.raises(Forbidden):
        await channels.update(bob, "alice-tv", title="Mine")
    with pytest.raises(Forbidden):
        await channels.get_managed(bob, "alice-tv")
    assert await channels.get_managed(admin, "alice-tv") == channel
    with pytest.raises(NotFound):
        await channels.update(bob, "nothing", title="x")


async def test_list_by_slug(channels: Channels, channel: Channel) -> None:
    assert await channels.list_by_slug([]) == []
    assert await channels.list_by_slug(["nothing", "alice-tv"]) == [channel]
