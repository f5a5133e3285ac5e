"""The demo's chat: a few made-up people who say something now and then, a pinned line, emotes.

They have accounts that nobody can log in to, and use the chat as everybody does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import cycle

import structlog

from mediaserver.accounts.users import User, Users
from mediaserver.channels.channels import Channel
from mediaserver.chat.actions import AddModerator, Pin
from mediaserver.chat.chat import Chat
from mediaserver.chat.emotes import Emotes
from mediaserver.chat.lines import Said
from mediaserver.demo.pictures import draw_emotes
from mediaserver.kernel import limits
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.ids import new_id, new_secret

_log = structlog.get_logger(__name__)

_PEOPLE = ("juniper", "tomasz_k", "nightowl", "little_fox", "wren")
_MODERATOR = "juniper"
_EMAIL_HOST = "demo.invalid"

_PINNED = "Welcome. Everybody here is made up, but the chat is real: log in and say something."

_CONVERSATIONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "aurora": (
        ("nightowl", "evening everyone :glow:"),
        ("little_fox", "hi @nightowl"),
        ("tomasz_k", "how far behind live are we? the clock says not even a second"),
        ("wren", "same here, on the train with a bad connection"),
        ("juniper", "you can see it in the stats, the gear below the picture"),
        ("little_fox", "the green one just now :star:"),
        ("nightowl", "I leave this open while I work, it is better than music"),
        ("tomasz_k", "it has music too, turn the sound on"),
        ("nightowl", "oh"),
        ("wren", ":glow: :glow: :glow:"),
        ("little_fox", "does it ever end?"),
        ("juniper", "not as long as somebody leaves the server on"),
        ("tomasz_k", "my kid asks whether that is outside our window"),
        ("wren", "say yes :heart:"),
        ("nightowl", "good night from up here"),
        ("little_fox", "night @nightowl :star:"),
    ),
    "ember": (
        ("wren", "put another log on"),
        ("tomasz_k", "it has been the same log for two hours"),
        ("little_fox", "that is what makes it good :heart:"),
        ("juniper", "tea is ready here, who else?"),
        ("wren", "cocoa"),
        ("nightowl", "coffee, I have a night shift"),
        ("tomasz_k", "this is the quietest chat on the internet"),
        ("little_fox", "shh"),
        ("wren", ":heart:"),
        ("juniper", "reading a book next to it, page 214"),
        ("nightowl", "which one?"),
        ("juniper", "the one about lighthouses"),
        ("tomasz_k", "I can hear the crackling now, had it muted"),
        ("little_fox", "my cat sits in front of the screen :star:"),
    ),
}
_FIRST_LINES = 8
"""Said at once where the chat is still empty, so that it looks like one."""

_WAITS_S = (9, 14, 7, 23, 11, 31, 8, 17)


class DemoChat:
    """Keeps the chats of the demo's channels alive until it is cancelled or all is said."""

    def __init__(self, users: Users, chat: Chat, emotes: Emotes) -> None:
        self._users = users
        self._chat = chat
        self._emotes = emotes

    async def run(self, owner: User, channels: Sequence[Channel]) -> None:
        people = await self._people()
        for channel in channels:
            await self._furnish(owner, channel, people)
        waits_s = cycle(_WAITS_S)
        for place in range(_FIRST_LINES, limits.DEMO_LINES_MAX):
            for channel in channels:
                await asyncio.sleep(next(waits_s) / len(channels))
                conversation = _CONVERSATIONS[channel.slug]
                name, text = conversation[place % len(conversation)]
                await self._say(people.get(name), channel, text)

    async def _furnish(self, owner: User, channel: Channel, people: Mapping[str, User]) -> None:
        """Emotes, and where nobody has said a word, a welcome and the first lines."""
        await self._draw(owner, channel)
        if (await self._chat.join(channel, owner)).pinned is not None:
            return
        for name, text in _CONVERSATIONS[channel.slug][:_FIRST_LINES]:
            await self._say(people.get(name), channel, text)
        if _MODERATOR in people:
            await self._chat.act(owner, channel, AddModerator(_MODERATOR))
        said = await self._say(owner, channel, _PINNED)
        if said is not None and said.id is not None:
            await self._chat.act(owner, channel, Pin(said.id))

    async def _people(self) -> dict[str, User]:
        """Name → account, without names that real people have."""
        people = {}
        for name in _PEOPLE:
            email = f"{name}@{_EMAIL_HOST}"
            user = await self._users.by_username(name)
            if user is None:
                user = await self._users.create(name, email, new_secret(), is_admin=False)
            if user.email == email:
                people[name] = user
        return people

    async def _draw(self, owner: User, channel: Channel) -> None:
        there = {emote.code for emote in await self._emotes.list_all(channel)}
        for code, picture in (await asyncio.to_thread(draw_emotes)).items():
            if code not in there:
                try:
                    await self._emotes.put(owner, channel, code, picture)
                except MediaserverError as error:
                    _log.warning("demo emote left out", code=code, reason=error.message)

    async def _say(self, user: User | None, channel: Channel, text: str) -> Said | None:
        """None where somebody has the name, or the rules or a moderator keep them from it."""
        if user is None:
            return None
        try:
            return await self._chat.say(user, channel, text, nonce=new_id("demo"))
        except MediaserverError as error:
            _log.debug("demo line left out", channel=channel.slug, reason=error.message)
            return None
