"""The demo's chat: a few made-up people who say something now and then, a pinned line, emotes.

Nobody can log in as one of them; they use the chat as everybody does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import cycle

import structlog

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat.actions import AddModerator, Pin
from mediaserver.chat.chat import Chat
from mediaserver.chat.emotes import Emotes
from mediaserver.chat.lines import Said
from mediaserver.demo.pictures import draw_emotes
from mediaserver.kernel import limits
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.ids import new_id

_log = structlog.get_logger(__name__)

_MODERATOR = "demo_rahim"

_PINNED = "Welcome. Everybody here is made up, but the chat is real: log in and say something."

_CONVERSATIONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "aurora": (
        ("demo_tove", "evening everyone :glow:"),
        ("demo_yuki", "hi @demo_tove"),
        ("demo_kofi", "how far behind live are we? the clock says not even a second"),
        ("demo_ana", "same here, on the train with a bad connection"),
        ("demo_rahim", "you can see it in the stats, the gear below the picture"),
        ("demo_yuki", "the green one just now :star:"),
        ("demo_tove", "I leave this open while I work, it is better than music"),
        ("demo_kofi", "it has music too, turn the sound on"),
        ("demo_tove", "oh"),
        ("demo_ana", ":glow: :glow: :glow:"),
        ("demo_yuki", "does it ever end?"),
        ("demo_rahim", "not as long as somebody leaves the server on"),
        ("demo_kofi", "my kid asks whether that is outside our window"),
        ("demo_ana", "say yes :heart:"),
        ("demo_tove", "good night from up here"),
        ("demo_yuki", "night @demo_tove :star:"),
    ),
    "ember": (
        ("demo_ana", "put another log on"),
        ("demo_kofi", "it has been the same log for two hours"),
        ("demo_yuki", "that is what makes it good :heart:"),
        ("demo_rahim", "tea is ready here, who else?"),
        ("demo_ana", "cocoa"),
        ("demo_tove", "coffee, I have a night shift"),
        ("demo_kofi", "this is the quietest chat on the internet"),
        ("demo_yuki", "shh"),
        ("demo_ana", ":heart:"),
        ("demo_rahim", "reading a book next to it, page 214"),
        ("demo_tove", "which one?"),
        ("demo_rahim", "the one about lighthouses"),
        ("demo_kofi", "I can hear the crackling now, had it muted"),
        ("demo_yuki", "my cat sits in front of the screen :star:"),
    ),
}
_FIRST_LINES = 8
"""Said at once where the chat is still empty, so that it looks like one."""

_WAITS_S = (9, 14, 7, 23, 11, 31, 8, 17)


class DemoChat:
    """Keeps the chats of the demo's channels alive until it is cancelled or all is said."""

    def __init__(self, chat: Chat, emotes: Emotes) -> None:
        self._chat = chat
        self._emotes = emotes

    async def run(
        self, owner: User, people: Mapping[str, User], channels: Sequence[Channel]
    ) -> None:
        """`people` by name; whoever is missing says nothing."""
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

    async def _draw(self, owner: User, channel: Channel) -> None:
        there = {emote.code for emote in await self._emotes.list_all(channel)}
        for code, picture in (await asyncio.to_thread(draw_emotes)).items():
            if code not in there:
                try:
                    await self._emotes.put(owner, channel, code, picture)
                except MediaserverError as error:
                    _log.warning("demo emote left out", code=code, reason=error.message)

    async def _say(self, user: User | None, channel: Channel, text: str) -> Said | None:
        """None where nobody has the name, or the rules or a moderator keep them from it."""
        if user is None:
            return None
        try:
            return await self._chat.say(user, channel, text, nonce=new_id("demo"))
        except MediaserverError as error:
            _log.debug("demo line left out", channel=channel.slug, reason=error.message)
            return None
