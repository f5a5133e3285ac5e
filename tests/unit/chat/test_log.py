"""The log in the database: what can't be, two processes at once, a database of an older version."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, text
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, Users, users_by_id
from mediaserver.channels.channels import Channel, Channels
from mediaserver.chat.actions import Pin, SetRules
from mediaserver.chat.emote_list import emote
from mediaserver.chat.events import ChatEvent, ChatEvents
from mediaserver.chat.log import chat_event, chat_room
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db import migrate as migrations
from mediaserver.kernel.events import Events
from mediaserver.moderation.restrictions import restriction
from mediaserver.moderation.rules import chat_rules
from tests.databases import PostgresqlServer
from tests.unit.chat.conftest import Say, open_chat


async def test_constraints_hold_in_the_database(
    db: Database, channel: Channel, bob: User, say: Say
) -> None:
    await say(bob, "hello")
    line = {
        "channel_id": channel.id,
        "sequence": 2,
        "id": "msg_2",
        "kind": "message",
        "at_ms": 1,
        "user_id": bob.id,
        "text": "x",
        "data": "{}",
        "nonce": "other",
    }
    limit = {
        "channel_id": channel.id,
        "user_id": bob.id,
        "kind": "ban",
        "reason": "",
        "made_at_ms": 1,
    }
    rules = {
        "channel_id": channel.id,
        "slow_s": 0,
        "account_age_min": 0,
        "emote_only": 0,
        "unique_lines": 0,
        "links": "all",
        "lockdown": 0,
    }
    picture = {
        "id": "emo_1",
        "channel_id": channel.id,
        "code": "wave",
        "width": 1,
        "height": 1,
        "animated": 0,
        "added_at_ms": 1,
    }
    wrong: list[tuple[Any, dict[str, Any]]] = [
        (chat_event, {**line, "sequence": 1}),
        (chat_event, {**line, "sequence": 0}),
        (chat_event, {**line, "nonce": "nonce-1"}),
        (chat_event, {**line, "kind": "whatever"}),
        (chat_event, {**line, "role": "king"}),
        (chat_event, {**line, "text": "x" * 501}),
        (chat_event, {**line, "channel_id": "chn_nothing"}),
        (chat_room, {"channel_id": channel.id, "sequence": 9, "cleared_sequence": 0}),
        (restriction, {**limit, "until_ms": 5}),
        (restriction, {**limit, "kind": "timeout", "until_ms": None}),
        (restriction, {**limit, "kind": "frown"}),
        (restriction, {**limit, "user_id": "usr_nobody"}),
        (chat_rules, {**rules, "slow_s": 3601}),
        (chat_rules, {**rules, "links": "some"}),
        (chat_rules, {**rules, "lockdown": 2}),
        (chat_rules, {**rules, "followers_min": -1}),
        (emote, {**picture, "code": "Wave"}),
        (emote, {**picture, "code": "w"}),
        (emote, {**picture, "width": 113}),
    ]
    for into, row in wrong:
        with pytest.raises(IntegrityError):
            await db.write(lambda tx, t=into, r=row: tx.execute(insert(t).values(r)))
    twice = {**picture, "channel_id": None}
    await db.write(lambda tx: tx.execute(insert(emote).values(twice)))
    with pytest.raises(IntegrityError):
        await db.write(lambda tx: tx.execute(insert(emote).values({**twice, "id": "emo_2"})))

    def shrink(tx: Transaction) -> None:
        tx.execute(text("UPDATE chat_room SET cleared_sequence = sequence + 1"))

    with pytest.raises(IntegrityError):
        await db.write(shrink)


@pytest.mark.postgres
async def test_two_processes_number_one_log_without_a_hole(
    postgresql: PostgresqlServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHAT_WAITING_PER_USER_MAX", 1_000)
    url = await postgresql.new_database()
    seen: list[ChatEvent] = []
    databases = []
    for _ in range(2):
        events = Events()
        events.subscribe(ChatEvents, lambda one: seen.extend(one.events))
        databases.append(Database(url, events))
    async with databases[0] as one, databases[1] as two:
        passwords = Passwords()
        users = Users(one, clock, passwords, Throttles(one, clock))
        people = [
            await users.create(f"user{n}", f"user{n}@example.org", "long enough", is_admin=False)
            for n in range(2)
        ]
        await passwords.aclose()
        made = [
            await Channels(one, clock, AccountsConfig()).create(people[0], slug, "x")
            for slug in ("aaa", "bbb")
        ]
        async with open_chat(one, clock) as first, open_chat(two, clock) as second:
            tasks: list[Awaitable[object]] = [
                chat.say(user, channel, f"{n}", nonce=f"{n}")
                for n in range(30)
                for chat, user in ((first, people[0]), (second, people[1]))
                for channel in made
            ]
            tasks += [first.act(people[0], made[0], SetRules({"slow_s": n})) for n in range(5)]
            await asyncio.gather(*tasks)
            histories = [(await second.join(channel, None, 0)) for channel in made]
    assert [joined.sequence for joined in histories] == [64, 60]
    for channel, joined in zip(made, histories, strict=True):
        assert [event.sequence for event in joined.events] == list(range(1, joined.sequence + 1))
        ids = {event.id for event in joined.events}
        assert ids == {event.id for event in seen} & ids
        assert channel.id
    assert len(seen) == 124


async def test_a_line_belongs_to_the_stream_that_runs(
    db: Database, channel: Channel, bob: User, say: Say
) -> None:
    def start(tx: Transaction) -> None:
        for stream_id, started in (("str_planned", "NULL"), ("str_running", "1")):
            tx.execute(
                text(
                    "INSERT INTO stream (id, channel_id, title, created_at_ms, started_at_ms) "
                    f"VALUES ('{stream_id}', '{channel.id}', 'x', 1, {started})"
                )
            )

    await say(bob, "before")
    await db.write(start)
    await say(bob, "during")
    rows = await db.read(
        lambda tx: list(
            tx.execute(text("SELECT stream_id FROM chat_event ORDER BY sequence")).scalars()
        )
    )
    assert rows == [None, "str_running"]


async def test_a_database_of_the_first_version_keeps_its_data(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Migrated to 0001 alone and filled by hand, then opened by this version."""
    from alembic import command
    from alembic.config import Config

    path = tmp_path / "site.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(migrations.MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    old = sqlite3.connect(path)
    old.executescript(
        """
        INSERT INTO user_account VALUES ('usr_1', 'alice', 'alice@example.org', 'x', 0, 1000);
        INSERT INTO user_account VALUES ('usr_2', 'bob', 'bob@example.org', 'x', 1, 2000);
        INSERT INTO channel VALUES ('chn_1', 'alice-tv', 'Alice', 'Cats', 'Mine', 'usr_1', 1, 1);
        INSERT INTO stream_key VALUES
            ('key_1', 'chn_1', 'OBS', printf('%064d', 1), 'abcd', 1, NULL, NULL);
        INSERT INTO stream VALUES ('brc_1', 'chn_1', 'key_1', 'Cats', 10, 20, 30, 'over');
        INSERT INTO site_value VALUES ('colour', 'green', 1);
        """
    )
    old.commit()
    old.close()
    async with Database(f"sqlite+aiosqlite:///{path}", Events()) as db:
        channel = await Channels(db, clock, AccountsConfig()).get("alice-tv")
        assert (channel.name, channel.title, channel.owner) == ("Alice", "Cats", "alice")

        def people(tx: Transaction) -> list[User]:
            found = users_by_id(tx, ["usr_1", "usr_2"])
            return [found["usr_1"], found["usr_2"]]

        alice, bob = await db.read(people)
        assert bob.is_admin is True
        async with open_chat(db, clock) as chat:
            assert (await chat.join(channel, alice)).you.role == "owner"
            said = await chat.say(bob, channel, "hello", nonce="1")
            await chat.act(alice, channel, Pin(said.id or ""))
            assert (await chat.join(channel, None)).sequence == 2
        rows = await db.read(
            lambda tx: [
                tuple(row) for row in tx.execute(text("SELECT id, title, end_reason FROM stream"))
            ]
        )
        assert rows == [("brc_1", "Cats", "over")]
