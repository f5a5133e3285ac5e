"""What becomes of somebody's words when their account goes."""

from __future__ import annotations

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat import actions, personal
from mediaserver.chat.chat import Chat
from mediaserver.chat.events import LINES
from mediaserver.chat.log import chat_event
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.moderation import actions_log
from tests.unit.chat.conftest import Say


async def test_nothing_that_was_said_stays(
    db: Database,
    clock: FakeClock,
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    carol: User,
    say: Say,
) -> None:
    await chat.act(alice, channel, actions.AddModerator("bob"))
    said = await say(bob, "bob's words")
    await chat.act(bob, channel, actions.Announce("bob's announcement", "accent"))
    await say(carol, "carol's words")
    assert said.id is not None
    await chat.act(alice, channel, actions.Remove(said.id))
    await chat.act(alice, channel, actions.AddWord("bad"))
    assert len((await db.read(personal.export, bob.id))["lines"]) == 2

    await db.write(personal.erase, bob.id, clock.wall_ms())
    rows = await db.read(
        lambda tx: tx.execute(
            chat_event.select().where(chat_event.c.kind.in_(LINES)).order_by(chat_event.c.sequence)
        ).all()
    )
    assert [row.text for row in rows] == ["", "", "carol's words"]
    logged = await db.read(actions_log.list_actions, channel.id, before=None, limit=10)
    assert {entry.action: entry.detail for entry in logged} == {
        "mod": "",
        "announce": "",
        "remove": "",
        "block-word": "bad",
    }
