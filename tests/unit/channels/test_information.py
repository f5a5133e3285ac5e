"""What a stream is about: every field, right and wrong, and edits at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.users import User
from mediaserver.channels.category_changes import CategoryChanges
from mediaserver.channels.channels import Channel, ChannelChanged, Channels
from mediaserver.channels.channels import channel as channel_table
from mediaserver.channels.information import split_tags
from mediaserver.kernel.audit import SITE
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.kernel.events import Events


async def test_everything_can_be_changed(channels: Channels, channel: Channel, alice: User) -> None:
    changed = await channels.update(
        alice,
        "alice-tv",
        title="Boats <script>alert(1)</script>",
        category="art",
        tags=["watercolour", " #boats ", "", "BOATS", "ਪੰਜਾਬੀ"],
        brand_promotion=True,
        recorded_content=True,
        age_restricted=True,
        not_general=True,
        not_general_reason=" Talks about surgery ",
        starts_automatically=False,
    )
    assert changed.title == "Boats <script>alert(1)</script>", "kept as typed; pages escape it"
    assert (changed.category, changed.category_slug) == ("Art", "art")
    assert changed.tags == ("watercolour", "boats", "ਪੰਜਾਬੀ")
    assert changed.not_general_reason == "Talks about surgery"
    flags = (changed.brand_promotion, changed.recorded_content, changed.age_restricted)
    assert flags == (True, True, True)
    assert changed.not_general
    assert not changed.starts_automatically
    assert await channels.get("alice-tv") == changed

    plain = await channels.update(
        alice, "alice-tv", category="", tags=[], not_general=False, age_restricted=False
    )
    assert (plain.category, plain.tags, plain.not_general_reason) == (None, (), "")
    assert plain.brand_promotion, "not mentioned"


async def test_a_new_channel_is_about_nothing_yet(channel: Channel) -> None:
    assert (channel.category, channel.tags, channel.not_general) == (None, (), False)
    assert channel.starts_automatically
    assert channel.back_soon is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"category": "nothing"}, "category"),
        ({"category": "a" * 1000}, "category"),
        ({"category": "art\0"}, "category"),
        ({"category": "' OR 1=1 --"}, "category"),
        ({"tags": ["x" * 26]}, "tags"),
        ({"tags": [f"tag{n}" for n in range(11)]}, "tags"),
        ({"tags": ["same"] * 101}, "tags"),
        ({"tags": ["one,two"]}, "tags"),
        ({"tags": ["two\nlines"]}, "tags"),
        ({"tags": ["a" + "\u0301" * 100]}, "tags"),
        ({"not_general": True}, "not_general_reason"),
        ({"not_general": True, "not_general_reason": "  "}, "not_general_reason"),
        ({"not_general": True, "not_general_reason": "\u202e\u200f"}, "not_general_reason"),
        ({"not_general": True, "not_general_reason": "x" * 201}, "not_general_reason"),
        ({"not_general": True, "not_general_reason": "a\x07b"}, "not_general_reason"),
        ({"title": "a\x1b[31mb"}, "title"),
        ({"title": "e" + "\u0301" * 10_000}, "title"),
        ({"description": "a\x00"}, "description"),
    ],
)
async def test_wrong_information_changes_nothing(
    channels: Channels, channel: Channel, alice: User, changes: Any, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await channels.update(alice, "alice-tv", **changes)
    assert caught.value.field == field
    assert await channels.get("alice-tv") == channel


async def test_direction_marks_are_taken_out(
    channels: Channels, channel: Channel, alice: User
) -> None:
    changed = await channels.update(
        alice, "alice-tv", title="\u202egpj.exe", tags=["a\u2066b"], name="Ali\u200fce"
    )
    assert (changed.title, changed.tags, changed.name) == ("gpj.exe", ("ab",), "Alice")


async def test_the_reason_follows_its_flag(
    channels: Channels, channel: Channel, alice: User
) -> None:
    changes: tuple[tuple[Any, str], ...] = (
        ({"not_general_reason": "without its flag"}, ""),
        ({"not_general": True, "not_general_reason": "Horror"}, "Horror"),
        ({"not_general": True}, "Horror"),
        ({"not_general_reason": "Blood"}, "Blood"),
        ({"not_general": False}, ""),
    )
    for change, reason in changes:
        changed = await channels.update(alice, "alice-tv", **change)
        assert changed.not_general_reason == reason
        assert changed.not_general is bool(reason)


async def test_edits_at_once_keep_each_other(
    channels: Channels, channel: Channel, alice: User, admin: User
) -> None:
    await asyncio.gather(
        channels.update(alice, "alice-tv", title="One"),
        channels.update(admin, "alice-tv", tags=["two"]),
        channels.update(alice, "alice-tv", not_general=True, not_general_reason="Three"),
        channels.update(admin, "alice-tv", category="music"),
        channels.update(alice, "alice-tv", age_restricted=True),
    )
    found = await channels.get("alice-tv")
    assert (found.title, found.tags, found.not_general_reason) == ("One", ("two",), "Three")
    assert (found.category_slug, found.age_restricted) == ("music", True)


async def test_a_change_is_told_once(
    channels: Channels, channel: Channel, alice: User, bob: User, events: Events
) -> None:
    told: list[Any] = []
    events.subscribe(ChannelChanged, told.append)
    await channels.update(alice, "alice-tv", title="Cooking")
    await channels.update(alice, "alice-tv", title="Cooking", tags=[])
    with pytest.raises(Forbidden):
        await channels.update(bob, "alice-tv", title="Mine")
    assert told == [ChannelChanged(channel.id, "alice-tv")]


async def test_a_category_that_is_hidden_stays_where_it_was(
    db: Database, clock: FakeClock, channels: Channels, channel: Channel, alice: User
) -> None:
    await channels.update(alice, "alice-tv", category="art")
    await CategoryChanges(db, clock).change(SITE, "art", is_hidden=True)
    changed = await channels.update(alice, "alice-tv", title="Boats", category="art")
    assert (changed.title, changed.category_slug) == ("Boats", "art")
    await channels.update(alice, "alice-tv", category="")
    with pytest.raises(Invalid):
        await channels.update(alice, "alice-tv", category="art")


async def test_the_database_holds_the_rules_too(db: Database, channel: Channel) -> None:
    for values in (
        {"not_general": 1},
        {"not_general_reason": "without a flag"},
        {"age_restricted": 2},
        {"starts_automatically": -1},
        {"category_id": "cat_nothing"},
    ):
        with pytest.raises(IntegrityError):
            await db.write(
                lambda tx, values=values: tx.execute(update(channel_table).values(**values))
            )


def test_tags_in_one_field() -> None:
    assert split_tags(" a, b ,,c") == [" a", " b ", "c"]
    assert split_tags(" , ") == []
